//! Built-in functions and `@@` values.

mod metadata;
mod text;

use std::ops::RangeInclusive;

use super::environment::{Environment, release};
use super::types::{Length, NVARCHAR_MAX, SYSNAME, Type, Value};

/// A built-in function.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    /// How many arguments it takes.
    pub arity: RangeInclusive<usize>,
    /// Its type, from those of its arguments; a bare NULL has none.
    pub ty: fn(&[Option<Type>]) -> Type,
    pub run: fn(&Environment, &[Value]) -> Value,
}

/// A function by its name in upper case.
pub fn find(name: &str) -> Option<&'static Function> {
    [GENERAL, metadata::FUNCTIONS, text::FUNCTIONS]
        .into_iter()
        .flatten()
        .find(|function| function.name == name)
}

fn sysname(_: &[Option<Type>]) -> Type {
    SYSNAME
}

fn int(_: &[Option<Type>]) -> Type {
    Type::Int
}

fn variant(_: &[Option<Type>]) -> Type {
    Type::Variant
}

/// The type that all arguments have in common.
fn common(types: &[Option<Type>]) -> Type {
    types.iter().flatten().copied().reduce(Type::common).unwrap_or(Type::Int)
}

/// The first known argument's type.
fn first(types: &[Option<Type>]) -> Type {
    types.iter().flatten().next().copied().unwrap_or(Type::Int)
}

const GENERAL: &[Function] = &[
    Function { name: "ISNULL", arity: 2..=2, ty: first, run: |_, arguments| first_known(arguments) },
    Function { name: "COALESCE", arity: 2..=64, ty: common, run: |_, arguments| first_known(arguments) },
    Function { name: "GETUTCDATE", arity: 0..=0, ty: |_| Type::DateTime, run: now },
    Function { name: "GETDATE", arity: 0..=0, ty: |_| Type::DateTime, run: now },
    Function { name: "CURRENT_TIMESTAMP", arity: 0..=0, ty: |_| Type::DateTime, run: now },
    Function { name: "SYSUTCDATETIME", arity: 0..=0, ty: |_| Type::DateTime2(7), run: now },
    Function { name: "SYSDATETIME", arity: 0..=0, ty: |_| Type::DateTime2(7), run: now },
];

fn now(environment: &Environment, _: &[Value]) -> Value {
    Value::Time(environment.now)
}

fn first_known(values: &[Value]) -> Value {
    values.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null)
}

/// The value of an `@@` name.
pub fn global(environment: &Environment, name: &str) -> Option<(Value, Type)> {
    let session = environment.session;
    Some(match name {
        "@@VERSION" => (Value::Text(banner(environment)), Type::NVarChar(Length::UpTo(300))),
        "@@SERVERNAME" => (environment.server.name.as_str().into(), SYSNAME),
        "@@SERVICENAME" => ("MSSQLSERVER".into(), SYSNAME),
        "@@SPID" => (session.id.into(), Type::SmallInt),
        "@@TRANCOUNT" => (session.transactions().into(), Type::Int),
        "@@ROWCOUNT" => (Value::Int(session.row_count), Type::Int),
        "@@ERROR" => (session.last_error.into(), Type::Int),
        "@@LANGUAGE" => ("us_english".into(), SYSNAME),
        "@@LANGID" => (0.into(), Type::SmallInt),
        "@@MAX_PRECISION" => (38.into(), Type::TinyInt),
        "@@MICROSOFTVERSION" => (Value::Int(i64::from(environment.server.version) << 24), Type::Int),
        "@@LOCK_TIMEOUT" => (Value::Int(-1), Type::Int),
        "@@TEXTSIZE" => (Value::Int(i32::MAX.into()), Type::Int),
        "@@DATEFIRST" => (7.into(), Type::TinyInt),
        "@@NESTLEVEL" => (0.into(), Type::Int),
        _ => return None,
    })
}

fn banner(environment: &Environment) -> String {
    let year = release(environment.server.version);
    format!(
        "Microsoft SQL Server {year} - {} (X64) \n\tCopyright (C) Microsoft Corporation\n\tStandard Edition (64-bit), simulated by portcullis\n",
        environment.product_version()
    )
}

/// Text in a type wide enough for anything.
fn any_text(_: &[Option<Type>]) -> Type {
    NVARCHAR_MAX
}
