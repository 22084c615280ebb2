//! Statements and batches.

use super::super::errors::{Result, SqlError};
use super::super::lex::Token;
use super::super::syntax::{Argument, Execute, Expr, Item, Name, SetOption, Statement};
use super::Parser;

/// Options with a value, or ON and OFF, that change nothing here.
const ACCEPTED: [&str; 24] = [
    "ANSI_DEFAULTS",
    "ANSI_NULLS",
    "ANSI_NULL_DFLT_OFF",
    "ANSI_NULL_DFLT_ON",
    "ANSI_PADDING",
    "ANSI_WARNINGS",
    "ARITHABORT",
    "ARITHIGNORE",
    "CONCAT_NULL_YIELDS_NULL",
    "CURSOR_CLOSE_ON_COMMIT",
    "DATEFIRST",
    "DATEFORMAT",
    "DEADLOCK_PRIORITY",
    "FMTONLY",
    "FORCEPLAN",
    "LANGUAGE",
    "LOCK_TIMEOUT",
    "NUMERIC_ROUNDABORT",
    "QUERY_GOVERNOR_COST_LIMIT",
    "QUOTED_IDENTIFIER",
    "REMOTE_PROC_TRANSACTIONS",
    "ROWCOUNT",
    "TEXTSIZE",
    "XACT_ABORT",
];

impl Parser {
    pub(super) fn batch(&mut self) -> Result<Vec<Statement>> {
        let mut statements = Vec::new();
        loop {
            while self.eat_sign(";") {}
            if self.at_end() {
                return Ok(statements);
            }
            let statement = if statements.is_empty() && self.is_bare_call() {
                Statement::Execute(self.call_procedure(None)?)
            } else {
                self.statement()?
            };
            statements.push(statement);
        }
    }

    /// The first statement of a batch may call a procedure without EXEC.
    fn is_bare_call(&self) -> bool {
        match self.peek() {
            Token::Quoted(_) => true,
            Token::Word(word) => {
                !super::is_reserved(word)
                    && ![
                        "DECLARE", "SAVE", "GRANT", "DENY", "REVOKE", "BACKUP", "RESTORE", "KILL", "TRUNCATE",
                    ]
                    .iter()
                    .any(|keyword| keyword.eq_ignore_ascii_case(word))
            }
            _ => false,
        }
    }

    fn statement(&mut self) -> Result<Statement> {
        self.nested(Self::one_statement)
    }

    fn one_statement(&mut self) -> Result<Statement> {
        let Token::Word(word) = self.peek() else { return Err(self.unexpected()) };
        match word.to_ascii_uppercase().as_str() {
            "SELECT" => self.select_statement(),
            "DECLARE" => self.declare(),
            "SET" => self.set(),
            "USE" => {
                self.at += 1;
                self.identifier().map(Statement::Use)
            }
            "EXEC" | "EXECUTE" => self.execute(),
            "PRINT" => {
                self.at += 1;
                self.expression().map(Statement::Print)
            }
            "BEGIN" => self.begin(),
            "COMMIT" => self.end_transaction(Statement::Commit),
            "ROLLBACK" => self.end_transaction(Statement::Rollback),
            "IF" => self.condition(),
            "CREATE" | "ALTER" | "DROP" => self.definition().map(Statement::Definition),
            _ => Err(self.unexpected()),
        }
    }

    fn select_statement(&mut self) -> Result<Statement> {
        if !matches!((self.peek_at(1), self.peek_at(2)), (Token::Variable(_), Token::Sign("="))) {
            let query = self.query()?;
            self.query_option()?;
            return Ok(Statement::Select(query));
        }
        // Each `@variable = expression` becomes a plain item; the variables are kept beside the query.
        let mut variables = Vec::new();
        let mut at = self.at + 1;
        let mut depth = 0_usize;
        let mut item_start = true;
        while let Some(token) = self.tokens.get(at) {
            match token {
                Token::Variable(name) if item_start && depth == 0 => {
                    if self.tokens.get(at + 1) != Some(&Token::Sign("=")) {
                        break;
                    }
                    variables.push(name.clone());
                    self.tokens.drain(at..at + 2);
                    item_start = false;
                    continue;
                }
                Token::Sign("(") => depth += 1,
                Token::Sign(")") => depth = depth.saturating_sub(1),
                Token::Sign(";") | Token::End => break,
                Token::Word(word) if depth == 0 && word.eq_ignore_ascii_case("FROM") => break,
                _ => {}
            }
            item_start = *token == Token::Sign(",");
            at += 1;
        }
        let query = self.query()?;
        let items = query.branches.first().map(|select| select.items.clone()).unwrap_or_default();
        if items.len() != variables.len() || query.branches.len() > 1 {
            let message = "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.";
            return Err(SqlError::new(141, message).class(15));
        }
        let targets = variables
            .into_iter()
            .zip(items)
            .map(|(variable, item)| match item {
                Item::One { expr, .. } => Ok((variable, expr)),
                Item::All(_) => Err(SqlError::syntax("*")),
            })
            .collect::<Result<_>>()?;
        Ok(Statement::Assign { targets, query })
    }

    /// `OPTION (RECOMPILE)` and its like.
    fn query_option(&mut self) -> Result<()> {
        if self.eat("OPTION") {
            self.expect_sign("(")?;
            while !self.eat_sign(")") {
                if self.at_end() {
                    return Err(self.unexpected());
                }
                self.at += 1;
            }
        }
        Ok(())
    }

    fn declare(&mut self) -> Result<Statement> {
        self.expect("DECLARE")?;
        let mut variables = Vec::new();
        loop {
            let name = self.variable()?;
            self.eat("AS");
            let ty = self.data_type(1)?;
            let value = if self.eat_sign("=") { Some(self.expression()?) } else { None };
            variables.push((name, ty, value));
            if !self.eat_sign(",") {
                return Ok(Statement::Declare(variables));
            }
        }
    }

    fn set(&mut self) -> Result<Statement> {
        self.expect("SET")?;
        if let Token::Variable(name) = self.peek().clone() {
            self.at += 1;
            self.expect_sign("=")?;
            return Ok(Statement::SetVariable(name, self.expression()?));
        }
        if self.eat_all(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
            return self.isolation_level();
        }
        let mut options = vec![self.part()?];
        while self.eat_sign(",") {
            options.push(self.part()?);
        }
        if let [option] = &options[..] {
            if option.eq_ignore_ascii_case("NOCOUNT") {
                return Ok(Statement::SetOption(SetOption::NoCount(self.on_or_off()?)));
            }
            if option.eq_ignore_ascii_case("IMPLICIT_TRANSACTIONS") {
                return Ok(Statement::SetOption(SetOption::ImplicitTransactions(self.on_or_off()?)));
            }
        }
        for option in &options {
            if !ACCEPTED.iter().any(|accepted| accepted.eq_ignore_ascii_case(option)) {
                let message = format!("'{option}' is not a recognized SET option.");
                return Err(SqlError::new(195, message).class(15).state(5));
            }
        }
        let negative = self.eat_sign("-");
        match self.next() {
            Token::Number(_) => {}
            Token::Word(_) | Token::Quoted(_) | Token::Text { .. } | Token::Variable(_) if !negative => {}
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        }
        Ok(Statement::SetOption(SetOption::Accepted))
    }

    fn isolation_level(&mut self) -> Result<Statement> {
        let levels: [&[&str]; 5] = [
            &["READ", "UNCOMMITTED"],
            &["READ", "COMMITTED"],
            &["REPEATABLE", "READ"],
            &["SNAPSHOT"],
            &["SERIALIZABLE"],
        ];
        if levels.iter().any(|level| self.eat_all(level)) {
            return Ok(Statement::SetOption(SetOption::Accepted));
        }
        Err(self.unexpected())
    }

    fn on_or_off(&mut self) -> Result<bool> {
        if self.eat("ON") {
            return Ok(true);
        }
        self.expect("OFF").map(|()| false)
    }

    fn execute(&mut self) -> Result<Statement> {
        self.at += 1;
        let mut status = None;
        if *self.peek_at(1) == Token::Sign("=") {
            status = Some(self.variable()?);
            self.expect_sign("=")?;
        }
        self.call_procedure(status).map(Statement::Execute)
    }

    fn call_procedure(&mut self, status: Option<String>) -> Result<Execute> {
        let procedure: Name = self.name()?;
        let mut arguments = Vec::new();
        if !self.ends_statement() {
            arguments.push(self.argument()?);
            while self.eat_sign(",") {
                arguments.push(self.argument()?);
            }
        }
        Ok(Execute { status, procedure, arguments })
    }

    fn ends_statement(&self) -> bool {
        match self.peek() {
            Token::End | Token::Sign(";") => true,
            Token::Word(word) => super::is_reserved(word) && !word.eq_ignore_ascii_case("NULL"),
            _ => false,
        }
    }

    fn argument(&mut self) -> Result<Argument> {
        let mut name = None;
        if let (Token::Variable(variable), Token::Sign("=")) = (self.peek().clone(), self.peek_at(1)) {
            name = Some(variable);
            self.at += 2;
        }
        if self.eat("DEFAULT") {
            return Ok(Argument { name, value: None, output: false });
        }
        let value = self.argument_value()?;
        let output = self.eat("OUTPUT") || self.eat("OUT");
        Ok(Argument { name, value: Some(value), output })
    }

    /// A constant or a variable: no expressions here, as in the server itself. A bare word is a string.
    fn argument_value(&mut self) -> Result<Expr> {
        let negative = self.eat_sign("-");
        if negative && !matches!(self.peek(), Token::Number(_)) {
            return Err(self.unexpected());
        }
        let value = match self.peek().clone() {
            Token::Quoted(text) => {
                self.at += 1;
                return Ok(Expr::Literal(text.as_str().into(), super::SYSNAME));
            }
            Token::Word(word) if !super::is_reserved(&word) => {
                self.at += 1;
                return Ok(Expr::Literal(word.as_str().into(), super::SYSNAME));
            }
            Token::Word(word) if word.eq_ignore_ascii_case("NULL") => self.single()?,
            Token::Text { .. } | Token::Number(_) | Token::Hex(_) | Token::Variable(_) | Token::Global(_) => {
                self.single()?
            }
            _ => return Err(self.unexpected()),
        };
        Ok(if negative { Expr::Negate(value.into()) } else { value })
    }

    /// The primary expression made of the next token alone.
    fn single(&mut self) -> Result<Expr> {
        let after = self.tokens.split_off((self.at + 1).min(self.tokens.len()));
        let value = self.sum();
        self.tokens.extend(after);
        value
    }

    fn begin(&mut self) -> Result<Statement> {
        self.expect("BEGIN")?;
        if self.eat("TRAN") || self.eat("TRANSACTION") {
            self.transaction_name()?;
            return Ok(Statement::Begin);
        }
        let mut statements = Vec::new();
        loop {
            while self.eat_sign(";") {}
            if self.eat("END") {
                return Ok(Statement::Block(statements));
            }
            statements.push(self.statement()?);
        }
    }

    fn end_transaction(&mut self, statement: Statement) -> Result<Statement> {
        self.at += 1;
        if self.eat("TRAN") || self.eat("TRANSACTION") {
            self.transaction_name()?;
        } else {
            self.eat("WORK");
        }
        Ok(statement)
    }

    fn transaction_name(&mut self) -> Result<()> {
        match self.peek().clone() {
            Token::Variable(_) => self.variable().map(drop),
            Token::Quoted(_) => self.identifier().map(drop),
            Token::Word(word) if !super::is_reserved(&word) => self.identifier().map(drop),
            _ => Ok(()),
        }
    }

    fn condition(&mut self) -> Result<Statement> {
        self.expect("IF")?;
        let condition = self.expression()?;
        let then = self.statement()?.into();
        let before = self.at;
        while self.eat_sign(";") {}
        let otherwise = if self.eat("ELSE") {
            Some(self.statement()?.into())
        } else {
            self.at = before;
            None
        };
        Ok(Statement::If { condition, then, otherwise })
    }
}
