//! Text to syntax tree.

mod definition;
mod expression;
mod query;
mod statement;

use super::errors::{Result, SqlError};
use super::lex::{self, Token};
use super::syntax::{Name, Statement};
use super::types::{Length, SYSNAME, Type};

/// Nesting that no statement of good will reaches; the server has a limit of its own (191).
const DEEPEST: usize = 60;

/// Parses a whole batch.
///
/// # Errors
/// 102, 105, 113, 156, 191, 2715: nothing of a batch with a syntax error is run.
pub fn batch(sql: &str) -> Result<Vec<Statement>> {
    Parser::new(sql)?.batch()
}

/// Parses the parameter declarations of `sp_executesql`: `@P1 nvarchar(4000), @P2 int OUTPUT`.
///
/// # Errors
/// As [`batch`].
pub fn parameters(declarations: &str) -> Result<Vec<(String, Type, bool)>> {
    let mut parser = Parser::new(declarations)?;
    let mut parameters = Vec::new();
    while !parser.at_end() {
        let name = parser.variable()?;
        parser.eat("AS");
        let ty = parser.data_type(1)?;
        let output = parser.eat("OUTPUT") || parser.eat("OUT");
        parameters.push((name, ty, output));
        if !parser.eat_sign(",") {
            break;
        }
    }
    if parser.at_end() { Ok(parameters) } else { Err(parser.unexpected()) }
}

/// Parses an object's name, such as `[db].dbo.[procedure]`; `None` where it is none.
pub fn name(text: &str) -> Option<Name> {
    let mut parser = Parser::new(text).ok()?;
    let name = parser.name().ok()?;
    parser.at_end().then_some(name)
}

/// Words that cannot be a bare name or alias.
const RESERVED: [&str; 58] = [
    "ALL",
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CASE",
    "COLUMN",
    "COMMIT",
    "CREATE",
    "CROSS",
    "DECLARE",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXEC",
    "EXECUTE",
    "EXISTS",
    "FETCH",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "LEFT",
    "LIKE",
    "NOT",
    "NULL",
    "ON",
    "OPTION",
    "OR",
    "ORDER",
    "OUTER",
    "PRINT",
    "RIGHT",
    "ROLLBACK",
    "SELECT",
    "SET",
    "THEN",
    "TOP",
    "UNION",
    "WHEN",
    "WHERE",
];
/// More of them, which may only begin or join clauses.
const ALSO_RESERVED: [&str; 8] = ["UPDATE", "USE", "VALUES", "WITH", "WHILE", "TABLE", "MERGE", "RETURN"];

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn new(sql: &str) -> Result<Self> {
        Ok(Self { tokens: lex::tokens(sql)?, at: 0, depth: 0 })
    }

    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn at_end(&self) -> bool {
        *self.peek() == Token::End
    }

    /// The error of a token out of place.
    fn unexpected(&self) -> SqlError {
        match self.peek() {
            Token::Word(word) if is_reserved(word) => {
                SqlError::new(156, format!("Incorrect syntax near the keyword '{word}'.")).class(15)
            }
            Token::End => {
                let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
                SqlError::syntax(&before.map_or_else(String::new, Token::shown))
            }
            token => SqlError::syntax(&token.shown()),
        }
    }

    fn is(&self, keyword: &str) -> bool {
        is_word(self.peek(), keyword)
    }

    fn is_ahead(&self, ahead: usize, keyword: &str) -> bool {
        is_word(self.peek_at(ahead), keyword)
    }

    fn eat(&mut self, keyword: &str) -> bool {
        let is = self.is(keyword);
        self.at += usize::from(is);
        is
    }

    /// Eats all of the keywords, or none.
    fn eat_all(&mut self, keywords: &[&str]) -> bool {
        let are = keywords.iter().enumerate().all(|(ahead, keyword)| self.is_ahead(ahead, keyword));
        self.at += if are { keywords.len() } else { 0 };
        are
    }

    fn expect(&mut self, keyword: &str) -> Result<()> {
        if self.eat(keyword) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Token::Sign(this) if *this == sign)
    }

    fn eat_sign(&mut self, sign: &str) -> bool {
        let is = self.is_sign(sign);
        self.at += usize::from(is);
        is
    }

    fn expect_sign(&mut self, sign: &str) -> Result<()> {
        if self.eat_sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Runs a nested rule, unless nesting has gone too deep.
    fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == DEEPEST {
            return Err(too_deep());
        }
        self.depth += 1;
        let parsed = rule(self);
        self.depth -= 1;
        parsed
    }

    /// One part of a name.
    fn identifier(&mut self) -> Result<String> {
        match self.peek() {
            Token::Quoted(name) => Ok(name.clone()),
            Token::Word(word) if !is_reserved(word) => Ok(word.clone()),
            _ => return Err(self.unexpected()),
        }
        .inspect(|_| self.at += 1)
    }

    /// A name of up to four parts; parts in the middle may be left out.
    fn name(&mut self) -> Result<Name> {
        let mut parts = vec![self.identifier()?];
        while self.eat_sign(".") {
            if parts.len() == 4 {
                return Err(self.unexpected());
            }
            parts.push(if self.is_sign(".") { String::new() } else { self.part()? });
        }
        Ok(Name(parts))
    }

    /// A part after a dot may be a keyword.
    fn part(&mut self) -> Result<String> {
        match self.next() {
            Token::Word(word) | Token::Quoted(word) => Ok(word),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }

    fn variable(&mut self) -> Result<String> {
        match self.peek().clone() {
            Token::Variable(name) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A type; a string or binary without a length has `unstated`: 1 in a declaration, 30 in CAST.
    fn data_type(&mut self, unstated: u16) -> Result<Type> {
        let mut name = self.part()?;
        if self.eat_sign(".") {
            name = self.part()?;
        }
        let length = self.type_length()?;
        let long = length.unwrap_or(Length::UpTo(unstated));
        Ok(match name.to_lowercase().as_str() {
            "bit" => Type::Bit,
            "tinyint" => Type::TinyInt,
            "smallint" => Type::SmallInt,
            "int" | "integer" => Type::Int,
            "bigint" => Type::BigInt,
            "real" => Type::Real,
            "float" => Type::Float,
            "nvarchar" | "nchar" => Type::NVarChar(long),
            "varchar" | "char" => Type::VarChar(long),
            "varbinary" | "binary" => Type::VarBinary(long),
            "ntext" => Type::NVarChar(Length::Max),
            "text" => Type::VarChar(Length::Max),
            "image" => Type::VarBinary(Length::Max),
            "sysname" => SYSNAME,
            "datetime" => Type::DateTime,
            "datetime2" => Type::DateTime2(match length {
                Some(Length::UpTo(scale)) => u8::try_from(scale).unwrap_or(7).min(7),
                _ => 7,
            }),
            "uniqueidentifier" => Type::UniqueIdentifier,
            "sql_variant" => Type::Variant,
            _ => return Err(SqlError::unknown_type(&name)),
        })
    }

    fn type_length(&mut self) -> Result<Option<Length>> {
        if !self.eat_sign("(") {
            return Ok(None);
        }
        let length = match self.next() {
            Token::Word(word) if word.eq_ignore_ascii_case("max") => Length::Max,
            Token::Number(number) => Length::UpTo(number.parse().map_err(|_| SqlError::syntax(&number))?),
            _ => {
                self.at -= 1;
                return Err(self.unexpected());
            }
        };
        self.expect_sign(")")?;
        Ok(Some(length))
    }
}

fn too_deep() -> SqlError {
    let message = "Some part of your SQL statement is nested too deeply. Rewrite the query or break it up into smaller queries.";
    SqlError::new(191, message).class(15)
}

fn is_word(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(keyword))
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().chain(&ALSO_RESERVED).any(|reserved| reserved.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests;
