//! SELECT.

use super::super::errors::Result;
use super::super::lex::Token;
use super::super::syntax::{Expr, Item, Join, Query, Select, Source};
use super::Parser;

impl Parser {
    /// SELECTs joined by UNION ALL, and the order of the whole.
    pub(super) fn query(&mut self) -> Result<Query> {
        self.nested(|parser| {
            let mut branches = vec![parser.select()?];
            while parser.eat("UNION") {
                parser.expect("ALL")?;
                branches.push(parser.select()?);
            }
            Ok(Query { branches, order_by: parser.order_by()? })
        })
    }

    fn select(&mut self) -> Result<Select> {
        self.expect("SELECT")?;
        let mut select = Select { distinct: self.eat("DISTINCT"), ..Select::default() };
        if !select.distinct {
            self.eat("ALL");
        }
        if self.eat("TOP") {
            select.top = Some(self.top()?);
        }
        select.items.push(self.item()?);
        while self.eat_sign(",") {
            select.items.push(self.item()?);
        }
        if self.eat("FROM") {
            select.from = self.from()?;
        }
        if self.eat("WHERE") {
            select.filter = Some(self.expression()?);
        }
        if self.eat_all(&["GROUP", "BY"]) {
            select.group_by = self.list()?;
        }
        if self.eat("HAVING") {
            select.having = Some(self.expression()?);
        }
        Ok(select)
    }

    fn top(&mut self) -> Result<Expr> {
        if self.eat_sign("(") {
            let count = self.expression()?;
            self.expect_sign(")")?;
            return Ok(count);
        }
        match self.peek() {
            Token::Number(_) | Token::Variable(_) => self.bare_count(),
            _ => Err(self.unexpected()),
        }
    }

    /// `TOP 5 *` is no product.
    fn bare_count(&mut self) -> Result<Expr> {
        let end = self.tokens.len();
        let hidden = self.tokens.split_off((self.at + 1).min(end));
        let count = self.sum();
        self.tokens.extend(hidden);
        count
    }

    fn item(&mut self) -> Result<Item> {
        if self.eat_sign("*") {
            return Ok(Item::All(None));
        }
        if matches!(self.peek(), Token::Word(_) | Token::Quoted(_))
            && *self.peek_at(1) == Token::Sign(".")
            && *self.peek_at(2) == Token::Sign("*")
        {
            let alias = self.identifier()?;
            self.at += 2;
            return Ok(Item::All(Some(alias)));
        }
        // `alias = expression`; `@variable = expression` is told apart before we get here.
        if matches!(self.peek(), Token::Word(_) | Token::Quoted(_)) && *self.peek_at(1) == Token::Sign("=") {
            let alias = self.identifier()?;
            self.expect_sign("=")?;
            return Ok(Item::One { expr: self.expression()?, alias: Some(alias) });
        }
        let expr = self.expression()?;
        Ok(Item::One { expr, alias: self.alias(true)? })
    }

    /// `[AS] alias`; a column's may be a string.
    fn alias(&mut self, of_a_column: bool) -> Result<Option<String>> {
        let told = self.eat("AS");
        match self.peek().clone() {
            Token::Text { text, .. } if of_a_column => {
                self.at += 1;
                Ok(Some(text))
            }
            Token::Quoted(_) => self.identifier().map(Some),
            Token::Word(word) if told || !super::is_reserved(&word) => self.identifier().map(Some),
            _ if told => Err(self.unexpected()),
            _ => Ok(None),
        }
    }

    fn from(&mut self) -> Result<Vec<Source>> {
        let mut sources = vec![self.source(Join::Inner)?];
        loop {
            if self.eat_sign(",") || self.eat_all(&["CROSS", "JOIN"]) {
                sources.push(self.source(Join::Inner)?);
                continue;
            }
            let join = if self.eat("JOIN") || self.eat_all(&["INNER", "JOIN"]) {
                Join::Inner
            } else if self.eat_all(&["LEFT", "JOIN"]) || self.eat_all(&["LEFT", "OUTER", "JOIN"]) {
                Join::Left
            } else {
                return Ok(sources);
            };
            let mut source = self.source(join)?;
            self.expect("ON")?;
            source.on = Some(self.expression()?);
            sources.push(source);
        }
    }

    fn source(&mut self, join: Join) -> Result<Source> {
        let table = self.name()?;
        let alias = self.alias(false)?;
        if self.eat("WITH") {
            self.table_hints()?;
        }
        Ok(Source { table, alias, join, on: None })
    }

    /// `(NOLOCK)` and its like: locking is none of our concern.
    fn table_hints(&mut self) -> Result<()> {
        self.expect_sign("(")?;
        loop {
            self.part()?;
            if self.eat_sign(")") {
                return Ok(());
            }
            self.expect_sign(",")?;
        }
    }

    fn order_by(&mut self) -> Result<Vec<(Expr, bool)>> {
        let mut order = Vec::new();
        if self.eat_all(&["ORDER", "BY"]) {
            loop {
                let key = self.expression()?;
                let descending = self.eat("DESC");
                if !descending {
                    self.eat("ASC");
                }
                order.push((key, descending));
                if !self.eat_sign(",") {
                    break;
                }
            }
        }
        Ok(order)
    }
}
