//! Evaluates bound expressions over a row.

use std::cmp::Ordering;

use super::bind::Bound;
use super::environment::Environment;
use super::errors::{Result, SqlError};
use super::syntax::{Arithmetic, Comparison};
use super::types::{Type, Value, cast, compare, fold, format_time, overflow};

/// A row, and the row of the query around it.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    pub values: &'a [Value],
    pub outer: Option<&'a Row<'a>>,
}

impl Row<'_> {
    fn column(&self, up: usize, index: usize) -> Value {
        match (up, self.outer) {
            (0, _) => self.values.get(index).cloned().unwrap_or(Value::Null),
            (_, Some(outer)) => outer.column(up - 1, index),
            (_, None) => Value::Null,
        }
    }
}

impl Bound {
    /// The value of an expression.
    pub fn value(&self, environment: &Environment, row: &Row) -> Result<Value> {
        match self {
            Self::Value(value) => Ok(value.clone()),
            Self::Column { up, index } => Ok(row.column(*up, *index)),
            Self::Negate(inner) => match inner.value(environment, row)? {
                Value::Int(number) => {
                    number.checked_neg().map(Value::Int).ok_or_else(|| overflow(Type::BigInt))
                }
                Value::Bit(on) => Ok(Value::Int(-i64::from(on))),
                Value::Float(number) => Ok(Value::Float(-number)),
                Value::Null => Ok(Value::Null),
                _ => Err(SqlError::new(8117, "Operand data type is invalid for minus operator.")),
            },
            Self::Arithmetic(operation, ty, left, right) => {
                calculate(*operation, *ty, left.value(environment, row)?, right.value(environment, row)?)
            }
            Self::Scalar(plan) => {
                let mut rows = plan.run(environment, Some(row))?;
                if rows.len() > 1 {
                    return Err(SqlError::new(
                        512,
                        "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.",
                    ));
                }
                Ok(rows.pop().and_then(|mut row| row.pop()).unwrap_or(Value::Null))
            }
            Self::Case { whens, otherwise } => {
                for (when, then) in whens {
                    if when.truth(environment, row)? == Some(true) {
                        return then.value(environment, row);
                    }
                }
                otherwise.value(environment, row)
            }
            Self::Cast { value, from, to, style, or_null } => {
                let value = value.value(environment, row)?;
                let style = style.as_ref().map(|style| style.value(environment, row)).transpose()?;
                let converted = convert(value, *from, *to, style.as_ref());
                if *or_null { Ok(converted.unwrap_or(Value::Null)) } else { converted }
            }
            Self::Call(function, arguments) => {
                let arguments = arguments
                    .iter()
                    .map(|argument| argument.value(environment, row))
                    .collect::<Result<Vec<_>>>()?;
                Ok((function.run)(environment, &arguments))
            }
            _ => Ok(self.truth(environment, row)?.map_or(Value::Null, Value::Bit)),
        }
    }

    /// Whether a condition holds; `None` for unknown.
    pub fn truth(&self, environment: &Environment, row: &Row) -> Result<Option<bool>> {
        match self {
            Self::Compare(comparison, left, right) => {
                let ordering = compare(&left.value(environment, row)?, &right.value(environment, row)?)?;
                Ok(ordering.map(|ordering| holds(*comparison, ordering)))
            }
            Self::And(left, right) => match left.truth(environment, row)? {
                Some(false) => Ok(Some(false)),
                left => Ok(match (left, right.truth(environment, row)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }),
            },
            Self::Or(left, right) => match left.truth(environment, row)? {
                Some(true) => Ok(Some(true)),
                left => Ok(match (left, right.truth(environment, row)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }),
            },
            Self::Not(inner) => Ok(inner.truth(environment, row)?.map(|truth| !truth)),
            Self::IsNull(inner) => Ok(Some(inner.value(environment, row)?.is_null())),
            Self::Like { text, pattern, escape } => {
                let escape = escape.as_ref().map(|escape| escape.value(environment, row)).transpose()?;
                let escape = escape.and_then(|escape| escape.display()).and_then(|text| text.chars().next());
                let text = text.value(environment, row)?.display();
                let pattern = pattern.value(environment, row)?.display();
                Ok(text.zip(pattern).map(|(text, pattern)| like(&text, &pattern, escape)))
            }
            Self::In(left, list) => {
                let left = left.value(environment, row)?;
                let list =
                    list.iter().map(|item| item.value(environment, row)).collect::<Result<Vec<_>>>()?;
                is_in(&left, &list)
            }
            Self::InQuery(left, plan) => {
                let left = left.value(environment, row)?;
                let list: Vec<Value> = plan.run(environment, Some(row))?.into_iter().flatten().collect();
                is_in(&left, &list)
            }
            Self::Exists(plan) => Ok(Some(!plan.run(environment, Some(row))?.is_empty())),
            other => match other.value(environment, row)? {
                Value::Bit(on) => Ok(Some(on)),
                _ => Ok(None),
            },
        }
    }
}

fn holds(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
    }
}

fn is_in(left: &Value, list: &[Value]) -> Result<Option<bool>> {
    let mut unknown = false;
    for item in list {
        match compare(left, item)? {
            Some(Ordering::Equal) => return Ok(Some(true)),
            Some(_) => {}
            None => unknown = true,
        }
    }
    Ok(if unknown { None } else { Some(false) })
}

/// CONVERT with its style, which matters for times and for binary written as text.
fn convert(value: Value, from: Type, to: Type, style: Option<&Value>) -> Result<Value> {
    let style = match style {
        Some(Value::Int(style)) => Some(*style),
        _ => None,
    };
    match (value, style) {
        (Value::Time(at), Some(style)) if to.is_text() => cast(Value::Text(format_time(at, style)), to, to),
        (Value::Bytes(bytes), Some(1)) if to.is_text() => {
            cast(Value::Text(format!("0x{}", hex::encode_upper(bytes))), to, to)
        }
        (Value::Bytes(bytes), Some(2)) if to.is_text() => cast(Value::Text(hex::encode_upper(bytes)), to, to),
        (Value::Text(text), Some(1 | 2)) if matches!(to, Type::VarBinary(_)) => {
            let digits = text.strip_prefix("0x").unwrap_or(&text);
            let failed = || SqlError::new(8114, "Error converting data type varchar to varbinary.").state(5);
            cast(Value::Bytes(hex::decode(digits).map_err(|_| failed())?), to, to)
        }
        (value, _) => cast(value, from, to),
    }
}

fn calculate(operation: Arithmetic, ty: Type, left: Value, right: Value) -> Result<Value> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        (Value::Text(left), Value::Text(right)) => Ok(Value::Text(left + &right)),
        (Value::Bytes(left), Value::Bytes(right)) => Ok(Value::Bytes([left, right].concat())),
        (Value::Float(left), Value::Float(right)) => match operation {
            Arithmetic::Add => Ok(Value::Float(left + right)),
            Arithmetic::Subtract => Ok(Value::Float(left - right)),
            Arithmetic::Multiply => Ok(Value::Float(left * right)),
            Arithmetic::Divide if right == 0.0 => Err(division_by_zero()),
            Arithmetic::Divide => Ok(Value::Float(left / right)),
            _ => Err(SqlError::new(402, "The data types float and float are incompatible in this operator.")),
        },
        (Value::Int(left), Value::Int(right)) => {
            let result = match operation {
                Arithmetic::Add => left.checked_add(right),
                Arithmetic::Subtract => left.checked_sub(right),
                Arithmetic::Multiply => left.checked_mul(right),
                Arithmetic::Divide | Arithmetic::Modulo if right == 0 => return Err(division_by_zero()),
                Arithmetic::Divide => left.checked_div(right),
                Arithmetic::Modulo => left.checked_rem(right),
                Arithmetic::And => Some(left & right),
                Arithmetic::Or => Some(left | right),
                Arithmetic::Xor => Some(left ^ right),
            };
            cast(Value::Int(result.ok_or_else(|| overflow(ty))?), Type::BigInt, ty)
        }
        _ => Err(SqlError::new(402, "The data types are incompatible in this operator.")),
    }
}

fn division_by_zero() -> SqlError {
    SqlError::new(8134, "Divide by zero error encountered.")
}

/// One place of a LIKE pattern.
#[derive(Debug, PartialEq)]
enum Piece {
    Exactly(char),
    AnyOne,
    AnyRun,
    Set { negated: bool, ranges: Vec<(char, char)> },
}

impl Piece {
    fn fits(&self, character: char) -> bool {
        match self {
            Self::Exactly(this) => *this == character,
            Self::AnyOne => true,
            Self::AnyRun => false,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&character)) != *negated
            }
        }
    }
}

fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
    let text: Vec<char> = fold(text).chars().collect();
    let pieces = pieces(&pattern.to_lowercase(), escape);
    let (mut at, mut piece) = (0, 0);
    // Where to go on when the run that was last seen takes one character more.
    let mut retry = None;
    loop {
        match pieces.get(piece) {
            Some(Piece::AnyRun) => {
                retry = Some((at, piece));
                piece += 1;
            }
            Some(this) if text.get(at).is_some_and(|character| this.fits(*character)) => {
                at += 1;
                piece += 1;
            }
            None if at == text.len() => return true,
            _ => match retry {
                Some((from, run)) if from < text.len() => {
                    at = from + 1;
                    piece = run + 1;
                    retry = Some((at, run));
                }
                _ => return false,
            },
        }
    }
}

fn pieces(pattern: &str, escape: Option<char>) -> Vec<Piece> {
    let mut characters = pattern.chars().peekable();
    let mut pieces = Vec::new();
    while let Some(character) = characters.next() {
        pieces.push(match character {
            _ if Some(character) == escape => Piece::Exactly(characters.next().unwrap_or(character)),
            '%' => Piece::AnyRun,
            '_' => Piece::AnyOne,
            '[' => {
                let negated = characters.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while let Some(low) = characters.next().filter(|character| *character != ']') {
                    let high = match characters.next_if_eq(&'-') {
                        Some(_) => characters.next().unwrap_or(low),
                        None => low,
                    };
                    ranges.push((low, high));
                }
                Piece::Set { negated, ranges }
            }
            other => Piece::Exactly(other),
        });
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn like_knows_its_wildcards() {
        for (text, pattern, fits) in [
            ("CEK_User_1", "cek[_]user%", true),
            ("CEKxUser", "cek[_]user%", false),
            ("abc", "a_c", true),
            ("abc", "%", true),
            ("", "%", true),
            ("abc", "[^a]bc", false),
            ("b7", "[a-c][0-9]", true),
            ("aXbXc", "%x%c", true),
            ("100%", "100!%", false),
        ] {
            assert_eq!(like(text, pattern, None), fits, "{text} LIKE {pattern}");
        }
        assert!(like("100%", "100!%", Some('!')));
    }

    proptest! {
        #[test]
        fn like_always_ends(text in ".{0,60}", pattern in "[a%_\\[\\]^-]{0,30}") {
            let _ = like(&text, &pattern, None);
        }
    }
}
