//! Expressions and conditions, by precedence.

use super::super::errors::{Result, SqlError};
use super::super::lex::Token;
use super::super::syntax::{Aggregate, Arithmetic, Comparison, Expr, Name};
use super::super::types::{Length, Type, Value};
use super::Parser;

impl Parser {
    /// Any expression or condition.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.nested(Self::disjunction)
    }

    fn disjunction(&mut self) -> Result<Expr> {
        let mut left = self.conjunction()?;
        let mut links = 0;
        while self.eat("OR") {
            link(&mut links)?;
            left = Expr::Or(left.into(), self.conjunction()?.into());
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr> {
        let mut left = self.negation()?;
        let mut links = 0;
        while self.eat("AND") {
            link(&mut links)?;
            left = Expr::And(left.into(), self.negation()?.into());
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr> {
        if self.eat("NOT") {
            return self.nested(Self::negation).map(|inner| Expr::Not(inner.into()));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr> {
        let left = self.sum()?;
        if let Some(comparison) = self.comparison_sign() {
            return Ok(Expr::Compare(comparison, left.into(), self.sum()?.into()));
        }
        if self.eat("IS") {
            let not = self.eat("NOT");
            self.expect("NULL")?;
            return Ok(negated(not, Expr::IsNull(left.into())));
        }
        let not = self.is("NOT") && ["IN", "LIKE", "BETWEEN"].iter().any(|word| self.is_ahead(1, word));
        self.at += usize::from(not);
        if self.eat("LIKE") {
            let pattern = self.sum()?.into();
            let escape = if self.eat("ESCAPE") { Some(self.sum()?.into()) } else { None };
            return Ok(negated(not, Expr::Like { text: left.into(), pattern, escape }));
        }
        if self.eat("BETWEEN") {
            let low = self.sum()?;
            self.expect("AND")?;
            let high = self.sum()?;
            let above = Expr::Compare(Comparison::GreaterOrEqual, left.clone().into(), low.into());
            let below = Expr::Compare(Comparison::LessOrEqual, left.into(), high.into());
            return Ok(negated(not, Expr::And(above.into(), below.into())));
        }
        if self.eat("IN") {
            return self.membership(left).map(|is_in| negated(not, is_in));
        }
        Ok(left)
    }

    fn comparison_sign(&mut self) -> Option<Comparison> {
        let Token::Sign(sign) = self.peek() else { return None };
        let comparison = match *sign {
            "=" => Comparison::Equal,
            "<>" | "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" | "!>" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" | "!<" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    fn membership(&mut self, left: Expr) -> Result<Expr> {
        self.expect_sign("(")?;
        let is_in = if self.is("SELECT") {
            Expr::InQuery(left.into(), self.query()?.into())
        } else {
            Expr::In(left.into(), self.list()?)
        };
        self.expect_sign(")")?;
        Ok(is_in)
    }

    /// One or more expressions, with commas between.
    pub(super) fn list(&mut self) -> Result<Vec<Expr>> {
        let mut list = vec![self.expression()?];
        while self.eat_sign(",") {
            list.push(self.expression()?);
        }
        Ok(list)
    }

    /// An expression that is no condition, unless in parentheses.
    pub(super) fn sum(&mut self) -> Result<Expr> {
        let mut left = self.product()?;
        let mut links = 0;
        loop {
            let operation = match self.peek() {
                Token::Sign("+") => Arithmetic::Add,
                Token::Sign("-") => Arithmetic::Subtract,
                Token::Sign("&") => Arithmetic::And,
                Token::Sign("|") => Arithmetic::Or,
                Token::Sign("^") => Arithmetic::Xor,
                _ => return Ok(left),
            };
            self.at += 1;
            link(&mut links)?;
            left = Expr::Arithmetic(operation, left.into(), self.product()?.into());
        }
    }

    fn product(&mut self) -> Result<Expr> {
        let mut left = self.unary()?;
        let mut links = 0;
        loop {
            let operation = match self.peek() {
                Token::Sign("*") => Arithmetic::Multiply,
                Token::Sign("/") => Arithmetic::Divide,
                Token::Sign("%") => Arithmetic::Modulo,
                _ => return Ok(left),
            };
            self.at += 1;
            link(&mut links)?;
            left = Expr::Arithmetic(operation, left.into(), self.unary()?.into());
        }
    }

    fn unary(&mut self) -> Result<Expr> {
        if self.eat_sign("-") {
            return self.nested(Self::unary).map(|inner| Expr::Negate(inner.into()));
        }
        if self.eat_sign("+") {
            return self.nested(Self::unary);
        }
        let value = self.primary()?;
        if self.eat("COLLATE") {
            // There is one collation here, so that naming it or another changes nothing but case rules
            // that no catalog query of ours rests on.
            self.identifier()?;
        }
        Ok(value)
    }

    fn primary(&mut self) -> Result<Expr> {
        match self.peek().clone() {
            Token::Text { text, national } => {
                self.at += 1;
                let length = literal_length(text.encode_utf16().count());
                let ty = if national { Type::NVarChar(length) } else { Type::VarChar(length) };
                Ok(Expr::Literal(Value::Text(text), ty))
            }
            Token::Hex(bytes) => {
                self.at += 1;
                let ty = Type::VarBinary(literal_length(bytes.len()));
                Ok(Expr::Literal(Value::Bytes(bytes), ty))
            }
            Token::Number(number) => {
                self.at += 1;
                literal_number(&number)
            }
            Token::Variable(name) => {
                self.at += 1;
                Ok(Expr::Variable(name))
            }
            Token::Global(name) => {
                self.at += 1;
                Ok(Expr::Global(name))
            }
            Token::Sign("(") => self.parenthesised(),
            Token::Word(word) => self.word(&word),
            Token::Quoted(_) => self.column_or_call(),
            _ => Err(self.unexpected()),
        }
    }

    fn parenthesised(&mut self) -> Result<Expr> {
        self.expect_sign("(")?;
        let inner = if self.is("SELECT") { Expr::Scalar(self.query()?.into()) } else { self.expression()? };
        self.expect_sign(")")?;
        Ok(inner)
    }

    fn word(&mut self, word: &str) -> Result<Expr> {
        match word.to_ascii_uppercase().as_str() {
            "NULL" => {
                self.at += 1;
                Ok(Expr::Literal(Value::Null, Type::Int))
            }
            "CASE" => self.case(),
            "EXISTS" => {
                self.at += 1;
                self.expect_sign("(")?;
                let query = self.query()?;
                self.expect_sign(")")?;
                Ok(Expr::Exists(query.into()))
            }
            // Functions whose names are reserved words.
            "LEFT" | "RIGHT" if *self.peek_at(1) == Token::Sign("(") => {
                self.at += 1;
                self.call(word.to_ascii_uppercase())
            }
            "CURRENT_TIMESTAMP" | "CURRENT_USER" | "SYSTEM_USER" | "SESSION_USER" | "USER" => {
                self.at += 1;
                Ok(Expr::Call { name: word.to_ascii_uppercase(), arguments: Vec::new() })
            }
            _ => self.column_or_call(),
        }
    }

    fn column_or_call(&mut self) -> Result<Expr> {
        let name = self.name()?;
        match (&name.0[..], self.is_sign("(")) {
            ([function], true) => {
                let function = function.to_ascii_uppercase();
                self.call(function)
            }
            (_, true) => Err(SqlError::new(
                4121,
                format!(
                    "Cannot find either column \"{}\" or the user-defined function or aggregate \"{name}\", or the name is ambiguous.",
                    name.0[0]
                ),
            )),
            (_, false) => Ok(Expr::Column(Name(name.0))),
        }
    }

    fn call(&mut self, name: String) -> Result<Expr> {
        self.expect_sign("(")?;
        let call = match name.as_str() {
            "CAST" | "TRY_CAST" => {
                let value = self.expression()?.into();
                self.expect("AS")?;
                let to = self.data_type(30)?;
                Expr::Cast { value, to, style: None, or_null: name.starts_with("TRY") }
            }
            "CONVERT" | "TRY_CONVERT" => {
                let to = self.data_type(30)?;
                self.expect_sign(",")?;
                let value = self.expression()?.into();
                let style = if self.eat_sign(",") { Some(self.expression()?.into()) } else { None };
                Expr::Cast { value, to, style, or_null: name.starts_with("TRY") }
            }
            "COUNT" => self.aggregate(Aggregate::Count)?,
            "COUNT_BIG" => self.aggregate(Aggregate::CountBig)?,
            "MIN" => self.aggregate(Aggregate::Min)?,
            "MAX" => self.aggregate(Aggregate::Max)?,
            "SUM" => self.aggregate(Aggregate::Sum)?,
            "STRING_AGG" => self.aggregate(Aggregate::StringAgg)?,
            _ if self.is_sign(")") => Expr::Call { name, arguments: Vec::new() },
            _ => Expr::Call { name, arguments: self.list()? },
        };
        self.expect_sign(")")?;
        Ok(call)
    }

    fn aggregate(&mut self, function: Aggregate) -> Result<Expr> {
        let counts = matches!(function, Aggregate::Count | Aggregate::CountBig);
        if counts && self.eat_sign("*") {
            return Ok(Expr::Aggregate { function, distinct: false, arguments: Vec::new() });
        }
        let distinct = self.eat("DISTINCT");
        if !distinct {
            self.eat("ALL");
        }
        Ok(Expr::Aggregate { function, distinct, arguments: self.list()? })
    }

    fn case(&mut self) -> Result<Expr> {
        self.expect("CASE")?;
        let operand = if self.is("WHEN") { None } else { Some(self.expression()?.into()) };
        let mut whens = Vec::new();
        while self.eat("WHEN") {
            let when = self.expression()?;
            self.expect("THEN")?;
            whens.push((when, self.expression()?));
        }
        if whens.is_empty() {
            return Err(self.unexpected());
        }
        let otherwise = if self.eat("ELSE") { Some(self.expression()?.into()) } else { None };
        self.expect("END")?;
        Ok(Expr::Case { operand, whens, otherwise })
    }
}

/// A chain of operators is a tree as deep as it is long, which evaluation goes down.
fn link(links: &mut usize) -> Result<()> {
    const LONGEST: usize = 500;
    *links += 1;
    if *links > LONGEST { Err(super::too_deep()) } else { Ok(()) }
}

fn negated(not: bool, condition: Expr) -> Expr {
    if not { Expr::Not(condition.into()) } else { condition }
}

/// A literal's own length; an empty one counts as 1.
fn literal_length(count: usize) -> Length {
    u16::try_from(count)
        .ok()
        .filter(|count| *count <= 4000)
        .map_or(Length::Max, |count| Length::UpTo(count.max(1)))
}

fn literal_number(number: &str) -> Result<Expr> {
    if let Ok(whole) = number.parse::<i64>() {
        let ty = if i32::try_from(whole).is_ok() { Type::Int } else { Type::BigInt };
        return Ok(Expr::Literal(Value::Int(whole), ty));
    }
    let float = number.parse().map_err(|_| SqlError::syntax(number))?;
    Ok(Expr::Literal(Value::Float(float), Type::Float))
}
