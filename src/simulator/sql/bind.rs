//! From syntax to something that can be evaluated: every name resolved, every type known.
//!
//! Binding comes before any row is read, so that an unknown column is an error on an empty view, too.

use super::environment::Environment;
use super::errors::{Result, SqlError};
use super::functions::{self, Function};
use super::query::Plan;
use super::syntax::{Aggregate, Arithmetic, Comparison, Expr, Name, Query};
use super::types::{Length, NVARCHAR_MAX, Type, Value};

/// A bound expression or condition.
#[derive(Debug)]
pub enum Bound {
    Value(Value),
    /// A column of the current row, or of a row `up` queries further out.
    Column {
        up: usize,
        index: usize,
    },
    Negate(Box<Bound>),
    Arithmetic(Arithmetic, Type, Box<Bound>, Box<Bound>),
    Compare(Comparison, Box<Bound>, Box<Bound>),
    And(Box<Bound>, Box<Bound>),
    Or(Box<Bound>, Box<Bound>),
    Not(Box<Bound>),
    IsNull(Box<Bound>),
    Like {
        text: Box<Bound>,
        pattern: Box<Bound>,
        escape: Option<Box<Bound>>,
    },
    In(Box<Bound>, Vec<Bound>),
    InQuery(Box<Bound>, Box<Plan>),
    Exists(Box<Plan>),
    Scalar(Box<Plan>),
    Case {
        whens: Vec<(Bound, Bound)>,
        otherwise: Box<Bound>,
    },
    Cast {
        value: Box<Bound>,
        from: Type,
        to: Type,
        style: Option<Box<Bound>>,
        or_null: bool,
    },
    Call(&'static Function, Vec<Bound>),
}

/// A column that can be named.
#[derive(Clone, Debug)]
pub struct ScopeColumn {
    /// The alias or name of its table.
    pub table: String,
    pub name: String,
    pub ty: Type,
}

/// The columns of a query, and those of the query around it.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub columns: &'a [ScopeColumn],
    pub outer: Option<&'a Scope<'a>>,
}

/// An aggregate of a grouped query.
#[derive(Debug)]
pub struct BoundAggregate {
    pub function: Aggregate,
    pub distinct: bool,
    /// `None` for `COUNT(*)`.
    pub argument: Option<Bound>,
    pub separator: Option<Bound>,
}

/// What a grouped query's expressions may refer to; its aggregates are gathered on the way.
#[derive(Debug, Default)]
pub struct Grouping {
    pub keys: Vec<Expr>,
    pub aggregates: Vec<BoundAggregate>,
}

/// Binds expressions of one query.
pub struct Binder<'a> {
    pub environment: &'a Environment<'a>,
    pub scope: Scope<'a>,
    /// Set while the items of a grouped query are bound.
    pub grouping: Option<&'a mut Grouping>,
}

impl Binder<'_> {
    /// Binds an expression, which a condition is not.
    pub fn value(&mut self, expr: &Expr) -> Result<(Bound, Type)> {
        match expr {
            Expr::Literal(value, ty) => Ok((Bound::Value(value.clone()), *ty)),
            Expr::Variable(name) => {
                let (ty, value) = self.environment.variables.get(name)?;
                Ok((Bound::Value(value.clone()), *ty))
            }
            Expr::Global(name) => functions::global(self.environment, name)
                .map(|(value, ty)| (Bound::Value(value), ty))
                .ok_or_else(|| SqlError::undeclared(name)),
            Expr::Column(name) => self.column(name),
            Expr::Negate(inner) => {
                let (inner, ty) = self.value(inner)?;
                let ty = if matches!(ty, Type::Bit | Type::TinyInt) { Type::SmallInt } else { ty };
                Ok((Bound::Negate(inner.into()), ty))
            }
            Expr::Arithmetic(operation, left, right) => self.arithmetic(*operation, left, right),
            Expr::Scalar(query) => {
                let plan = self.subquery(query)?;
                match &plan.columns[..] {
                    [only] => {
                        let ty = only.ty;
                        Ok((Bound::Scalar(plan.into()), ty))
                    }
                    _ => Err(one_column_wanted()),
                }
            }
            Expr::Case { operand, whens, otherwise } => {
                self.case(operand.as_deref(), whens, otherwise.as_deref())
            }
            Expr::Cast { value, to, style, or_null } => {
                let (value, from) = self.value(value)?;
                let style = style.as_deref().map(|style| self.boxed(style)).transpose()?;
                let value = value.into();
                Ok((Bound::Cast { value, from, to: *to, style, or_null: *or_null }, *to))
            }
            Expr::Call { name, arguments } => self.call(name, arguments),
            Expr::Aggregate { function, distinct, arguments } => {
                self.aggregate(*function, *distinct, arguments)
            }
            _ => Err(SqlError::new(102, "Incorrect syntax: a condition stands where a value is expected.")
                .class(15)),
        }
    }

    fn boxed(&mut self, expr: &Expr) -> Result<Box<Bound>> {
        self.value(expr).map(|(bound, _)| bound.into())
    }

    /// Binds a condition, which a plain expression is not.
    pub fn condition(&mut self, expr: &Expr) -> Result<Bound> {
        Ok(match expr {
            Expr::Compare(comparison, left, right) => {
                Bound::Compare(*comparison, self.boxed(left)?, self.boxed(right)?)
            }
            Expr::And(left, right) => Bound::And(self.condition(left)?.into(), self.condition(right)?.into()),
            Expr::Or(left, right) => Bound::Or(self.condition(left)?.into(), self.condition(right)?.into()),
            Expr::Not(inner) => Bound::Not(self.condition(inner)?.into()),
            Expr::IsNull(inner) => Bound::IsNull(self.boxed(inner)?),
            Expr::Like { text, pattern, escape } => Bound::Like {
                text: self.boxed(text)?,
                pattern: self.boxed(pattern)?,
                escape: escape.as_deref().map(|escape| self.boxed(escape)).transpose()?,
            },
            Expr::In(left, list) => {
                let list = list.iter().map(|item| Ok(self.value(item)?.0)).collect::<Result<_>>()?;
                Bound::In(self.boxed(left)?, list)
            }
            Expr::InQuery(left, query) => {
                let plan = self.subquery(query)?;
                if plan.columns.len() != 1 {
                    return Err(one_column_wanted());
                }
                Bound::InQuery(self.boxed(left)?, plan.into())
            }
            Expr::Exists(query) => Bound::Exists(self.subquery(query)?.into()),
            _ => {
                let message =
                    "An expression of non-boolean type specified in a context where a condition is expected.";
                return Err(SqlError::new(4145, message).class(15));
            }
        })
    }

    fn subquery(&self, query: &Query) -> Result<Plan> {
        Plan::new(self.environment, query, Some(&self.scope))
    }

    fn column(&mut self, name: &Name) -> Result<(Bound, Type)> {
        let mut scope = Some(&self.scope);
        let mut up = 0;
        while let Some(this) = scope {
            if let Some((index, ty)) = find(this.columns, name)? {
                let grouped =
                    up == 0 && self.grouping.as_ref().is_some_and(|grouping| !is_key(grouping, name));
                if grouped {
                    return Err(SqlError::new(
                        8120,
                        format!(
                            "Column '{name}' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause."
                        ),
                    ));
                }
                return Ok((Bound::Column { up, index }, ty));
            }
            scope = this.outer;
            up += 1;
        }
        let known = name.0.len() == 1 || self.knows_table(name);
        Err(if known {
            SqlError::invalid_column(name.object())
        } else {
            SqlError::new(4104, format!("The multi-part identifier \"{name}\" could not be bound."))
        })
    }

    fn knows_table(&self, name: &Name) -> bool {
        let mut scope = Some(&self.scope);
        while let Some(this) = scope {
            let table = name.schema().unwrap_or_default();
            if this.columns.iter().any(|column| column.table.eq_ignore_ascii_case(table)) {
                return true;
            }
            scope = this.outer;
        }
        false
    }

    fn arithmetic(&mut self, operation: Arithmetic, left: &Expr, right: &Expr) -> Result<(Bound, Type)> {
        let ((left, a), (right, b)) = (self.value(left)?, self.value(right)?);
        let ty = match a.common(b) {
            Type::NVarChar(_) if operation == Arithmetic::Add => Type::NVarChar(sum(a, b)),
            Type::VarChar(_) if operation == Arithmetic::Add => Type::VarChar(sum(a, b)),
            Type::VarBinary(_) if operation == Arithmetic::Add => Type::VarBinary(sum(a, b)),
            Type::Bit => Type::Int,
            number @ (Type::TinyInt
            | Type::SmallInt
            | Type::Int
            | Type::BigInt
            | Type::Real
            | Type::Float) => number,
            other => {
                let message = format!("The data type {} is invalid for the operator.", other.name());
                return Err(SqlError::new(8117, message));
            }
        };
        Ok((Bound::Arithmetic(operation, ty, cast(left, a, ty).into(), cast(right, b, ty).into()), ty))
    }

    fn case(
        &mut self,
        operand: Option<&Expr>,
        whens: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<(Bound, Type)> {
        let mut bound = Vec::new();
        for (when, then) in whens {
            let condition = match operand {
                Some(operand) => Bound::Compare(Comparison::Equal, self.boxed(operand)?, self.boxed(when)?),
                None => self.condition(when)?,
            };
            bound.push((condition, self.value(then)?));
        }
        let null = (Bound::Value(Value::Null), None);
        let (otherwise, last) = match otherwise {
            Some(otherwise) => {
                let (bound, ty) = self.value(otherwise)?;
                let ty = typed(&bound, ty);
                (bound, ty)
            }
            None => null,
        };
        let ty = bound
            .iter()
            .filter_map(|(_, (then, ty))| typed(then, *ty))
            .chain(last)
            .reduce(Type::common)
            .unwrap_or(Type::Int);
        let whens = bound.into_iter().map(|(when, (then, from))| (when, cast(then, from, ty))).collect();
        let otherwise = cast(otherwise, last.unwrap_or(ty), ty).into();
        Ok((Bound::Case { whens, otherwise }, ty))
    }

    fn call(&mut self, name: &str, arguments: &[Expr]) -> Result<(Bound, Type)> {
        if let ("IIF", [condition, then, otherwise]) = (name, arguments) {
            return self.case(None, &[(condition.clone(), then.clone())], Some(otherwise));
        }
        if let ("NULLIF", [value, other]) = (name, arguments) {
            let null = Expr::Literal(Value::Null, Type::Int);
            return self.case(Some(value), &[(other.clone(), null)], Some(value));
        }
        let function = functions::find(name).ok_or_else(|| SqlError::unknown_function(name))?;
        if !function.arity.contains(&arguments.len()) {
            return Err(SqlError::argument_count(&name.to_lowercase(), *function.arity.start()));
        }
        let mut bound = Vec::new();
        let mut types = Vec::new();
        for argument in arguments {
            let (argument, ty) = self.value(argument)?;
            types.push(typed(&argument, ty));
            bound.push(argument);
        }
        let ty = (function.ty)(&types);
        Ok((Bound::Call(function, bound), ty))
    }

    fn aggregate(
        &mut self,
        function: Aggregate,
        distinct: bool,
        arguments: &[Expr],
    ) -> Result<(Bound, Type)> {
        let Some(grouping) = self.grouping.take() else {
            let message = "An aggregate may not appear in this context.";
            return Err(SqlError::new(147, message).class(15));
        };
        let wanted = usize::from(!arguments.is_empty()) + usize::from(function == Aggregate::StringAgg);
        if arguments.len() != wanted || (arguments.is_empty() && function == Aggregate::StringAgg) {
            return Err(SqlError::argument_count("aggregate", wanted.max(1)));
        }
        let first = arguments.first().map(|argument| self.value(argument)).transpose()?;
        let separator = arguments.get(1).map(|separator| self.value(separator)).transpose()?;
        let of = first.as_ref().map_or(Type::Int, |(_, ty)| *ty);
        let ty = match function {
            Aggregate::CountBig => Type::BigInt,
            Aggregate::Min | Aggregate::Max => of,
            Aggregate::Sum if of == Type::BigInt => Type::BigInt,
            Aggregate::Sum if matches!(of, Type::Real | Type::Float) => Type::Float,
            Aggregate::Count | Aggregate::Sum => Type::Int,
            Aggregate::StringAgg => NVARCHAR_MAX,
        };
        let index = self.scope.columns.len() + grouping.aggregates.len();
        grouping.aggregates.push(BoundAggregate {
            function,
            distinct,
            argument: first.map(|(bound, _)| bound),
            separator: separator.map(|(bound, _)| bound),
        });
        self.grouping = Some(grouping);
        Ok((Bound::Column { up: 0, index }, ty))
    }
}

/// The column of this name; an error where there are two.
fn find(columns: &[ScopeColumn], name: &Name) -> Result<Option<(usize, Type)>> {
    let mut found = columns.iter().enumerate().filter(|(_, column)| {
        column.name.eq_ignore_ascii_case(name.object())
            && name.schema().is_none_or(|table| column.table.eq_ignore_ascii_case(table))
    });
    let first = found.next().map(|(index, column)| (index, column.ty));
    if found.next().is_some() {
        return Err(SqlError::new(209, format!("Ambiguous column name '{name}'.")));
    }
    Ok(first)
}

fn is_key(grouping: &Grouping, name: &Name) -> bool {
    grouping.keys.iter().any(|key| match key {
        Expr::Column(key) => key.object().eq_ignore_ascii_case(name.object()),
        _ => false,
    })
}

fn one_column_wanted() -> SqlError {
    let message = "Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.";
    SqlError::new(116, message)
}

/// The type that an expression brings along; a bare NULL brings none.
fn typed(bound: &Bound, ty: Type) -> Option<Type> {
    (!matches!(bound, Bound::Value(Value::Null))).then_some(ty)
}

fn cast(value: Bound, from: Type, to: Type) -> Bound {
    if from == to {
        return value;
    }
    Bound::Cast { value: value.into(), from, to, style: None, or_null: false }
}

/// The length of two strings joined.
fn sum(a: Type, b: Type) -> Length {
    match (a.length(), b.length()) {
        (Length::UpTo(a), Length::UpTo(b)) if a.saturating_add(b) <= 4000 => Length::UpTo(a + b),
        (Length::UpTo(_), Length::UpTo(_)) => Length::UpTo(4000),
        _ => Length::Max,
    }
}
