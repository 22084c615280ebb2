//! The syntax tree of the Transact-SQL that the server understands.

use super::types::{Type, Value};

/// A name of one to four parts, outermost first: `[db].[schema].[object]`.
/// A part left out (`db..object`) is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(pub Vec<String>);

impl Name {
    /// The innermost part.
    pub fn object(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The schema, where one is named.
    pub fn schema(&self) -> Option<&str> {
        self.part(1)
    }

    /// The database, where one is named.
    pub fn database(&self) -> Option<&str> {
        self.part(2)
    }

    /// The linked server, where one is named.
    pub fn server(&self) -> Option<&str> {
        self.part(3)
    }

    fn part(&self, from_the_end: usize) -> Option<&str> {
        let index = self.0.len().checked_sub(from_the_end + 1)?;
        self.0.get(index).map(String::as_str).filter(|part| !part.is_empty())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// One statement of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Select(Query),
    /// `SELECT @a = …`, without a result set.
    Assign {
        targets: Vec<(String, Expr)>,
        query: Query,
    },
    Declare(Vec<(String, Type, Option<Expr>)>),
    SetVariable(String, Expr),
    SetOption(SetOption),
    Use(String),
    Execute(Execute),
    Print(Expr),
    Begin,
    Commit,
    Rollback,
    If {
        condition: Expr,
        then: Box<Statement>,
        otherwise: Option<Box<Statement>>,
    },
    Block(Vec<Statement>),
    Definition(Definition),
}

/// A session option that has an effect here, or one that has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOption {
    NoCount(bool),
    ImplicitTransactions(bool),
    /// A real option that changes nothing that this server does.
    Accepted,
}

/// `EXEC [@status =] procedure arguments`.
#[derive(Clone, Debug, PartialEq)]
pub struct Execute {
    pub status: Option<String>,
    pub procedure: Name,
    pub arguments: Vec<Argument>,
}

/// One argument of `EXEC`.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument {
    pub name: Option<String>,
    /// `None` for `DEFAULT`.
    pub value: Option<Expr>,
    pub output: bool,
}

/// Always Encrypted's data definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definition {
    CreateMasterKey { name: String, provider: String, path: String, enclave: bool },
    DropMasterKey(String),
    CreateColumnKey { name: String, values: Vec<WrappedKey> },
    AddValue { name: String, value: WrappedKey },
    DropValue { name: String, master_key: String },
    DropColumnKey(String),
}

/// A column encryption key's value under one master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    pub master_key: String,
    pub algorithm: String,
    pub encrypted_value: Vec<u8>,
}

/// One or more SELECTs joined by UNION ALL.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub branches: Vec<Select>,
    pub order_by: Vec<(Expr, bool)>,
}

/// One SELECT.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Select {
    pub distinct: bool,
    pub top: Option<Expr>,
    pub items: Vec<Item>,
    pub from: Vec<Source>,
    pub filter: Option<Expr>,
    pub group_by: Vec<Expr>,
    pub having: Option<Expr>,
}

/// What a SELECT lists.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// `*` or `alias.*`.
    All(Option<String>),
    One {
        expr: Expr,
        alias: Option<String>,
    },
}

/// A table, and how it joins those before it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    pub table: Name,
    pub alias: Option<String>,
    pub join: Join,
    pub on: Option<Expr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    Inner,
    Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    And,
    Or,
    Xor,
}

/// An expression or a condition; which of the two is wanted is checked when it is bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Literal(Value, Type),
    Variable(String),
    Global(String),
    Column(Name),
    Negate(Box<Expr>),
    Arithmetic(Arithmetic, Box<Expr>, Box<Expr>),
    Compare(Comparison, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    Like { text: Box<Expr>, pattern: Box<Expr>, escape: Option<Box<Expr>> },
    In(Box<Expr>, Vec<Expr>),
    InQuery(Box<Expr>, Box<Query>),
    Exists(Box<Query>),
    Scalar(Box<Query>),
    Case { operand: Option<Box<Expr>>, whens: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>> },
    Cast { value: Box<Expr>, to: Type, style: Option<Box<Expr>>, or_null: bool },
    Call { name: String, arguments: Vec<Expr> },
    Aggregate { function: Aggregate, distinct: bool, arguments: Vec<Expr> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// `COUNT(*)` where it has no argument.
    Count,
    CountBig,
    Min,
    Max,
    Sum,
    StringAgg,
}
