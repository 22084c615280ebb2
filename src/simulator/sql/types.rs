//! Values, their types, and how one becomes another.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::errors::{Result, SqlError};

/// How long a string or binary may be: characters for strings, bytes for binaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    UpTo(u16),
    Max,
}

/// A column's, parameter's or expression's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Real,
    Float,
    NVarChar(Length),
    VarChar(Length),
    VarBinary(Length),
    DateTime,
    /// With its fraction digits, 0 to 7.
    DateTime2(u8),
    UniqueIdentifier,
    Variant,
}

/// `sysname`: nvarchar(128).
pub const SYSNAME: Type = Type::NVarChar(Length::UpTo(128));
/// `nvarchar(max)`.
pub const NVARCHAR_MAX: Type = Type::NVarChar(Length::Max);

/// One value; its type stands beside it, in the column or the expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bit(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    /// Every date-and-time type; the server runs in UTC.
    Time(Timestamp),
    Guid(Uuid),
}

impl Value {
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What `CONVERT(nvarchar, …)` in its default style says; `None` for NULL.
    pub fn display(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Bit(on) => Some(u8::from(*on).to_string()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Bytes(bytes) => Some(from_utf16(bytes)),
            Self::Time(at) => Some(format_time(*at, 121)),
            Self::Guid(guid) => Some(guid.hyphenated().to_string().to_uppercase()),
        }
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(on: bool) -> Self {
        Self::Bit(on)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

impl Type {
    /// The name as error messages and `sys.types` have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bit => "bit",
            Self::TinyInt => "tinyint",
            Self::SmallInt => "smallint",
            Self::Int => "int",
            Self::BigInt => "bigint",
            Self::Real => "real",
            Self::Float => "float",
            Self::NVarChar(_) => "nvarchar",
            Self::VarChar(_) => "varchar",
            Self::VarBinary(_) => "varbinary",
            Self::DateTime => "datetime",
            Self::DateTime2(_) => "datetime2",
            Self::UniqueIdentifier => "uniqueidentifier",
            Self::Variant => "sql_variant",
        }
    }

    /// `sys.types.system_type_id`.
    pub fn system_type_id(self) -> i32 {
        match self {
            Self::Bit => 104,
            Self::TinyInt => 48,
            Self::SmallInt => 52,
            Self::Int => 56,
            Self::BigInt => 127,
            Self::Real => 59,
            Self::Float => 62,
            Self::NVarChar(_) => 231,
            Self::VarChar(_) => 167,
            Self::VarBinary(_) => 165,
            Self::DateTime => 61,
            Self::DateTime2(_) => 42,
            Self::UniqueIdentifier => 36,
            Self::Variant => 98,
        }
    }

    /// `max_length` in bytes, −1 for max, as `sys.columns` and `COL_LENGTH` have it.
    pub fn max_length(self) -> i32 {
        match self {
            Self::Bit | Self::TinyInt => 1,
            Self::SmallInt => 2,
            Self::Int | Self::Real => 4,
            Self::BigInt | Self::Float | Self::DateTime | Self::DateTime2(5..) => 8,
            Self::NVarChar(Length::UpTo(characters)) => 2 * i32::from(characters),
            Self::VarChar(Length::UpTo(bytes)) | Self::VarBinary(Length::UpTo(bytes)) => bytes.into(),
            Self::NVarChar(Length::Max) | Self::VarChar(Length::Max) | Self::VarBinary(Length::Max) => -1,
            Self::DateTime2(0..=2) => 6,
            Self::DateTime2(3 | 4) => 7,
            Self::UniqueIdentifier => 16,
            Self::Variant => 8016,
        }
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::NVarChar(_) | Self::VarChar(_))
    }

    fn is_whole(self) -> bool {
        matches!(self, Self::Bit | Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// Data type precedence: the higher wins where two types meet.
    fn precedence(self) -> u8 {
        match self {
            Self::VarBinary(_) => 0,
            Self::VarChar(_) => 1,
            Self::NVarChar(_) => 2,
            Self::UniqueIdentifier => 3,
            Self::Bit => 4,
            Self::TinyInt => 5,
            Self::SmallInt => 6,
            Self::Int => 7,
            Self::BigInt => 8,
            Self::Real => 9,
            Self::Float => 10,
            Self::DateTime => 11,
            Self::DateTime2(_) => 12,
            Self::Variant => 13,
        }
    }

    /// The type of an expression that is one or the other.
    pub fn common(self, other: Self) -> Self {
        let winner = if other.precedence() > self.precedence() { other } else { self };
        match (self, other, winner) {
            (a, b, Self::NVarChar(_)) => Self::NVarChar(longer(a, b)),
            (a, b, Self::VarChar(_)) => Self::VarChar(longer(a, b)),
            (a, b, Self::VarBinary(_)) => Self::VarBinary(longer(a, b)),
            (Self::DateTime2(a), Self::DateTime2(b), _) => Self::DateTime2(a.max(b)),
            _ => winner,
        }
    }

    /// How long a string or binary of this type may be; 30 where another type is made one.
    pub fn length(self) -> Length {
        match self {
            Self::NVarChar(length) | Self::VarChar(length) | Self::VarBinary(length) => length,
            _ => Length::UpTo(30),
        }
    }
}

fn longer(a: Type, b: Type) -> Length {
    match (a.length(), b.length()) {
        (Length::UpTo(a), Length::UpTo(b)) => Length::UpTo(a.max(b)),
        _ => Length::Max,
    }
}

/// Converts a value of one type to another, as CAST does.
///
/// # Errors
/// The server's conversion errors: 241, 245, 8114, 8115, 8169, 529.
pub fn cast(value: Value, from: Type, to: Type) -> Result<Value> {
    match to {
        _ if value.is_null() => Ok(Value::Null),
        Type::Variant => Ok(value),
        Type::Bit => to_bit(&value, from).map(Value::Bit),
        Type::TinyInt => to_whole(&value, from, to, 0, 255),
        Type::SmallInt => to_whole(&value, from, to, i16::MIN.into(), i16::MAX.into()),
        Type::Int => to_whole(&value, from, to, i32::MIN.into(), i32::MAX.into()),
        Type::BigInt => to_whole(&value, from, to, i64::MIN, i64::MAX),
        Type::Real | Type::Float => to_float(&value, from, to),
        Type::NVarChar(length) => {
            let text = match &value {
                Value::Bytes(bytes) => from_utf16(bytes),
                other => other.display().unwrap_or_default(),
            };
            Ok(Value::Text(shorten(text, length)))
        }
        Type::VarChar(length) => {
            let text = match &value {
                Value::Bytes(bytes) => from_codepage(bytes),
                other => to_codepage_text(&other.display().unwrap_or_default()),
            };
            Ok(Value::Text(shorten(text, length)))
        }
        Type::VarBinary(length) => to_bytes(value, from, length),
        Type::DateTime | Type::DateTime2(_) => to_time(value, from, to),
        Type::UniqueIdentifier => to_guid(&value, from),
    }
}

fn refused(from: Type, to: Type) -> SqlError {
    SqlError::new(
        529,
        format!("Explicit conversion from data type {} to {} is not allowed.", from.name(), to.name()),
    )
}

fn conversion_failed(from: Type, text: &str, to: Type) -> SqlError {
    SqlError::new(
        245,
        format!(
            "Conversion failed when converting the {} value '{text}' to data type {}.",
            from.name(),
            to.name()
        ),
    )
}

fn to_bit(value: &Value, from: Type) -> Result<bool> {
    match value {
        Value::Bit(on) => Ok(*on),
        Value::Int(number) => Ok(*number != 0),
        Value::Float(number) => Ok(*number != 0.0),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Value::Text(text) => text
            .trim()
            .parse::<i64>()
            .map(|number| number != 0)
            .map_err(|_| conversion_failed(from, text, Type::Bit)),
        _ => Err(refused(from, Type::Bit)),
    }
}

fn to_whole(value: &Value, from: Type, to: Type, low: i64, high: i64) -> Result<Value> {
    let number = match value {
        Value::Bit(on) => i64::from(*on),
        Value::Int(number) => *number,
        Value::Float(number) => whole_part(*number).ok_or_else(|| overflow(to))?,
        Value::Text(text) if text.trim().is_empty() => 0,
        Value::Text(text) => text.trim().parse().map_err(|_| conversion_failed(from, text, to))?,
        Value::Bytes(bytes) => {
            let tail = &bytes[bytes.len().saturating_sub(8)..];
            tail.iter().fold(0_i64, |number, byte| (number << 8) | i64::from(*byte))
        }
        _ => return Err(refused(from, to)),
    };
    if (low..=high).contains(&number) { Ok(Value::Int(number)) } else { Err(overflow(to)) }
}

/// The whole part, where it fits 64 bits.
fn whole_part(number: f64) -> Option<i64> {
    format!("{:.0}", number.trunc()).parse().ok()
}

pub fn overflow(to: Type) -> SqlError {
    SqlError::new(
        8115,
        format!("Arithmetic overflow error converting expression to data type {}.", to.name()),
    )
    .state(2)
}

fn to_float(value: &Value, from: Type, to: Type) -> Result<Value> {
    let text = match value {
        Value::Float(number) => return Ok(Value::Float(*number)),
        Value::Bytes(_) | Value::Time(_) | Value::Guid(_) => return Err(refused(from, to)),
        other => other.display().unwrap_or_default(),
    };
    text.trim().parse().map(Value::Float).map_err(|_| {
        SqlError::new(8114, format!("Error converting data type {} to {}.", from.name(), to.name())).state(5)
    })
}

fn to_bytes(value: Value, from: Type, length: Length) -> Result<Value> {
    let mut bytes = match value {
        Value::Bytes(bytes) => bytes,
        Value::Text(text) if matches!(from, Type::VarChar(_)) => to_codepage(&text),
        Value::Text(text) => to_utf16(&text),
        Value::Bit(on) => vec![u8::from(on)],
        Value::Int(number) if from.is_whole() => {
            let width = usize::try_from(from.max_length()).unwrap_or(8);
            number.to_be_bytes()[8 - width..].to_vec()
        }
        Value::Guid(guid) => guid.to_bytes_le().to_vec(),
        _ => return Err(refused(from, Type::VarBinary(length))),
    };
    if let Length::UpTo(most) = length {
        bytes.truncate(most.into());
    }
    Ok(Value::Bytes(bytes))
}

fn to_time(value: Value, from: Type, to: Type) -> Result<Value> {
    match value {
        Value::Time(_) => Ok(value),
        Value::Text(text) => parse_time(&text).map(Value::Time).ok_or_else(|| {
            SqlError::new(
                241,
                "Conversion failed when converting date and/or time from character string.".to_owned(),
            )
        }),
        _ => Err(refused(from, to)),
    }
}

fn to_guid(value: &Value, from: Type) -> Result<Value> {
    let failed = || {
        SqlError::new(8169, "Conversion failed when converting from a character string to uniqueidentifier.")
            .state(2)
    };
    match value {
        Value::Guid(guid) => Ok(Value::Guid(*guid)),
        Value::Text(text) => Uuid::parse_str(text.trim()).map(Value::Guid).map_err(|_| failed()),
        Value::Bytes(bytes) => <[u8; 16]>::try_from(bytes.as_slice())
            .map(|bytes| Value::Guid(Uuid::from_bytes_le(bytes)))
            .map_err(|_| failed()),
        _ => Err(refused(from, Type::UniqueIdentifier)),
    }
}

fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim().trim_end_matches('Z');
    let at: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}

/// A time in one of CONVERT's styles: 120, 121, 126, 127 or, for any other, 121.
pub fn format_time(at: Timestamp, style: i64) -> String {
    let pattern = match style {
        120 => "%Y-%m-%d %H:%M:%S",
        126 => "%Y-%m-%dT%H:%M:%S%.3f",
        127 => "%Y-%m-%dT%H:%M:%S%.3fZ",
        _ => "%Y-%m-%d %H:%M:%S%.3f",
    };
    at.strftime(pattern).to_string()
}

fn shorten(text: String, length: Length) -> String {
    match length {
        Length::UpTo(most) if text.encode_utf16().count() > most.into() => {
            let units: Vec<u16> = text.encode_utf16().take(most.into()).collect();
            String::from_utf16_lossy(&units)
        }
        _ => text,
    }
}

/// Compares two values as `=` and `<` do; `None` where either is NULL.
///
/// # Errors
/// A conversion error where the two do not go together.
pub fn compare(a: &Value, b: &Value) -> Result<Option<Ordering>> {
    use Value::{Bit, Bytes, Float, Guid, Int, Null, Text, Time};
    let text = Type::NVarChar(Length::Max);
    Ok(match (a, b) {
        (Null, _) | (_, Null) => None,
        (Text(a), Text(b)) => Some(fold(a).cmp(&fold(b))),
        (Bytes(a), Bytes(b)) => Some(a.cmp(b)),
        (Time(a), Time(b)) => Some(a.cmp(b)),
        (Guid(a), Guid(b)) => Some(a.cmp(b)),
        (Bit(_) | Int(_), Bit(_) | Int(_)) => Some(whole(a)?.cmp(&whole(b)?)),
        (Float(_), Bit(_) | Int(_) | Float(_)) | (Bit(_) | Int(_), Float(_)) => {
            let (Float(a), Float(b)) =
                (to_float(a, Type::Float, Type::Float)?, to_float(b, Type::Float, Type::Float)?)
            else {
                return Ok(None);
            };
            a.partial_cmp(&b)
        }
        (Text(_), _) => compare(&cast(a.clone(), text, kind(b))?, b)?,
        (_, Text(_)) => compare(a, &cast(b.clone(), text, kind(a))?)?,
        _ => {
            return Err(SqlError::new(
                206,
                format!("Operand type clash: {} is incompatible with {}", kind(a).name(), kind(b).name()),
            ));
        }
    })
}

fn whole(value: &Value) -> Result<i64> {
    match value {
        Value::Bit(on) => Ok((*on).into()),
        Value::Int(number) => Ok(*number),
        _ => Err(overflow(Type::BigInt)),
    }
}

/// The widest type of the family that a value belongs to.
fn kind(value: &Value) -> Type {
    match value {
        Value::Null | Value::Text(_) => NVARCHAR_MAX,
        Value::Bit(_) => Type::Bit,
        Value::Int(_) => Type::BigInt,
        Value::Float(_) => Type::Float,
        Value::Bytes(_) => Type::VarBinary(Length::Max),
        Value::Time(_) => Type::DateTime2(7),
        Value::Guid(_) => Type::UniqueIdentifier,
    }
}

/// A string as the server's collation (case-insensitive, trailing spaces aside) compares it.
pub fn fold(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}

/// UTF-16LE bytes.
pub fn to_utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Reads UTF-16LE; what is no valid text becomes U+FFFD.
pub fn from_utf16(bytes: &[u8]) -> String {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units)
}

/// Code page 1252 from 0x80 to 0x9F; five places are empty and stand for themselves.
const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";

/// A string as varchar keeps it: what code page 1252 lacks becomes `?`.
pub fn to_codepage(text: &str) -> Vec<u8> {
    text.chars()
        .map(|character| match u8::try_from(character) {
            Ok(byte) if !(0x80..0xA0).contains(&byte) => byte,
            _ => HIGH
                .chars()
                .position(|high| high == character)
                .and_then(|place| u8::try_from(place).ok())
                .map_or(b'?', |place| 0x80 + place),
        })
        .collect()
}

/// Reads code page 1252.
pub fn from_codepage(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            0x80..=0x9F => HIGH.chars().nth(usize::from(byte - 0x80)).unwrap_or('?'),
            _ => char::from(*byte),
        })
        .collect()
}

/// A string after a stay in a varchar.
pub fn to_codepage_text(text: &str) -> String {
    from_codepage(&to_codepage(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varchar_loses_what_code_page_1252_lacks() {
        assert_eq!(to_codepage_text("café — 10 € ключ"), "café — 10 € ????");
    }

    #[test]
    fn strings_compare_without_case_and_trailing_spaces() {
        assert_eq!(compare(&"CEK_User ".into(), &"cek_user".into()), Ok(Some(Ordering::Equal)));
        assert_eq!(compare(&Value::Null, &1.into()), Ok(None));
    }

    #[test]
    fn text_that_is_no_number_is_error_245() {
        let error = cast("abc".into(), Type::VarChar(Length::UpTo(3)), Type::Int).unwrap_err();
        assert_eq!(error.number, 245);
        assert_eq!(cast(300.into(), Type::Int, Type::TinyInt).unwrap_err().number, 8115);
    }

    #[test]
    fn times_are_written_and_read_again() {
        let at: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let text = Value::Time(at).display().unwrap();
        assert_eq!(text, "2026-01-02 03:04:05.678");
        assert_eq!(cast(text.as_str().into(), NVARCHAR_MAX, Type::DateTime2(7)), Ok(Value::Time(at)));
    }
}
