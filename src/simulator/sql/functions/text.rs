//! Functions over strings and binaries.

use super::super::types::{Type, Value, fold, to_utf16};
use super::{Function, any_text, int};

/// Whether lengths are counted in the bytes of a varchar is lost with the value's type; every string
/// that a function sees counts as nvarchar, as all of the catalog's are.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "LEN",
        arity: 1..=1,
        ty: int,
        run: |_, a| map(a, |text| units(text.trim_end_matches(' '))),
    },
    Function { name: "DATALENGTH", arity: 1..=1, ty: int, run: |_, a| data_length(&a[0]) },
    Function {
        name: "LOWER",
        arity: 1..=1,
        ty: like_first,
        run: |_, a| map(a, |text| Value::Text(text.to_lowercase())),
    },
    Function {
        name: "UPPER",
        arity: 1..=1,
        ty: like_first,
        run: |_, a| map(a, |text| Value::Text(text.to_uppercase())),
    },
    Function {
        name: "LTRIM",
        arity: 1..=1,
        ty: like_first,
        run: |_, a| map(a, |text| text.trim_start_matches(' ').into()),
    },
    Function {
        name: "RTRIM",
        arity: 1..=1,
        ty: like_first,
        run: |_, a| map(a, |text| text.trim_end_matches(' ').into()),
    },
    Function {
        name: "TRIM",
        arity: 1..=1,
        ty: like_first,
        run: |_, a| map(a, |text| text.trim_matches(' ').into()),
    },
    Function { name: "LEFT", arity: 2..=2, ty: like_first, run: |_, a| part(a, 0, number(&a[1])) },
    Function { name: "RIGHT", arity: 2..=2, ty: like_first, run: |_, a| right(a) },
    Function { name: "SUBSTRING", arity: 3..=3, ty: like_first, run: |_, a| substring(a) },
    Function { name: "REPLACE", arity: 3..=3, ty: any_text, run: |_, a| replace(a) },
    Function { name: "CHARINDEX", arity: 2..=2, ty: int, run: |_, a| char_index(a) },
    Function {
        name: "CONCAT",
        arity: 2..=254,
        ty: any_text,
        run: |_, a| Value::Text(a.iter().filter_map(Value::display).collect()),
    },
    Function {
        name: "QUOTENAME",
        arity: 1..=2,
        ty: |_| Type::NVarChar(super::super::types::Length::UpTo(258)),
        run: |_, a| quote_name(a),
    },
];

/// The first argument's type where it is a string or binary, else nvarchar(max).
fn like_first(types: &[Option<Type>]) -> Type {
    match types.first() {
        Some(Some(ty)) if ty.is_text() || matches!(ty, Type::VarBinary(_)) => *ty,
        _ => any_text(types),
    }
}

fn map(arguments: &[Value], change: impl Fn(&str) -> Value) -> Value {
    arguments[0].display().map_or(Value::Null, |text| change(&text))
}

fn units(text: &str) -> Value {
    i64::try_from(text.encode_utf16().count()).map_or(Value::Null, Value::Int)
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn data_length(value: &Value) -> Value {
    let length = match value {
        Value::Null => return Value::Null,
        Value::Bit(_) => 1,
        Value::Int(number) => {
            if i32::try_from(*number).is_ok() {
                4
            } else {
                8
            }
        }
        Value::Float(_) | Value::Time(_) => 8,
        Value::Guid(_) => 16,
        Value::Text(text) => to_utf16(text).len(),
        Value::Bytes(bytes) => bytes.len(),
    };
    i64::try_from(length).map_or(Value::Null, Value::Int)
}

/// `count` characters or bytes from `start` on, which counts from 0.
fn part(arguments: &[Value], start: i64, count: Option<i64>) -> Value {
    let Some(count) = count else { return Value::Null };
    let end = usize::try_from(start.saturating_add(count)).unwrap_or(0);
    let start = usize::try_from(start).unwrap_or(0);
    let kept = end.saturating_sub(start);
    match &arguments[0] {
        Value::Null => Value::Null,
        Value::Bytes(bytes) => Value::Bytes(bytes.iter().skip(start).take(kept).copied().collect()),
        other => {
            let units: Vec<u16> =
                other.display().unwrap_or_default().encode_utf16().skip(start).take(kept).collect();
            Value::Text(String::from_utf16_lossy(&units))
        }
    }
}

fn right(arguments: &[Value]) -> Value {
    let (Some(text), Some(count)) = (arguments[0].display(), number(&arguments[1])) else {
        return Value::Null;
    };
    let length = i64::try_from(text.encode_utf16().count()).unwrap_or(i64::MAX);
    part(arguments, (length - count).max(0), Some(count.max(0)))
}

/// Counts from 1; a start before that takes from the count, too.
fn substring(arguments: &[Value]) -> Value {
    match number(&arguments[1]) {
        Some(start) => part(arguments, start.saturating_sub(1), number(&arguments[2])),
        None => Value::Null,
    }
}

fn replace(arguments: &[Value]) -> Value {
    let texts: Vec<String> = arguments.iter().filter_map(Value::display).collect();
    match &texts[..] {
        [text, from, to] if !from.is_empty() => Value::Text(text.replace(from.as_str(), to)),
        [text, ..] if texts.len() == 3 => Value::Text(text.clone()),
        _ => Value::Null,
    }
}

fn char_index(arguments: &[Value]) -> Value {
    let (Some(wanted), Some(text)) = (arguments[0].display(), arguments[1].display()) else {
        return Value::Null;
    };
    let text = fold(&text);
    let at = text.find(&wanted.to_lowercase());
    Value::Int(at.and_then(|at| i64::try_from(text[..at].encode_utf16().count()).ok()).map_or(0, |at| at + 1))
}

/// `[name]` with `]` doubled; another quote as the second argument has it.
fn quote_name(arguments: &[Value]) -> Value {
    let Some(name) = arguments[0].display().filter(|name| to_utf16(name).len() <= 256) else {
        return Value::Null;
    };
    let (open, close) = match arguments.get(1).and_then(Value::display).as_deref() {
        None | Some("[" | "]") => ('[', ']'),
        Some("'") => ('\'', '\''),
        Some("\"") => ('"', '"'),
        Some(_) => return Value::Null,
    };
    Value::Text(format!("{open}{}{close}", name.replace(close, &format!("{close}{close}"))))
}
