//! `TYPE_INFO` and values on the wire, both ways.

use jiff::civil::{Date, DateTime, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use uuid::Uuid;

use super::reader::{Malformed, Reader};
use super::token::COLLATION;
use super::types::{Length, NVARCHAR_MAX, Type, Value, from_codepage, from_utf16, to_codepage, to_utf16};

/// Longest declared length of a string or binary that is not (max), in bytes.
const LONGEST: u16 = 8000;

/// Writes a type as a result column's or output parameter's.
pub fn write_type(out: &mut Vec<u8>, ty: Type) {
    match ty {
        Type::Bit => out.extend([0x68, 1]),
        Type::TinyInt => out.extend([0x26, 1]),
        Type::SmallInt => out.extend([0x26, 2]),
        Type::Int => out.extend([0x26, 4]),
        Type::BigInt => out.extend([0x26, 8]),
        Type::Real => out.extend([0x6D, 4]),
        Type::Float => out.extend([0x6D, 8]),
        Type::NVarChar(length) => {
            write_length(out, 0xE7, length, 2);
            out.extend(COLLATION);
        }
        Type::VarChar(length) => {
            write_length(out, 0xA7, length, 1);
            out.extend(COLLATION);
        }
        Type::VarBinary(length) => write_length(out, 0xA5, length, 1),
        Type::DateTime => out.extend([0x6F, 8]),
        Type::DateTime2(scale) => out.extend([0x2A, scale]),
        Type::UniqueIdentifier => out.extend([0x24, 16]),
        Type::Variant => {
            out.push(0x62);
            out.extend(8009_u32.to_le_bytes());
        }
    }
}

fn write_length(out: &mut Vec<u8>, token: u8, length: Length, width: u16) {
    out.push(token);
    let bytes = match length {
        Length::UpTo(count) => count.saturating_mul(width).clamp(1, LONGEST),
        Length::Max => u16::MAX,
    };
    out.extend(bytes.to_le_bytes());
}

/// Writes a value, NULL included, as this type has it. A value of another type goes out as NULL.
pub fn write_value(out: &mut Vec<u8>, ty: Type, value: &Value) {
    match (ty, value) {
        (Type::NVarChar(length), Value::Text(text)) => write_bytes(out, length, 2, &to_utf16(text)),
        (Type::VarChar(length), Value::Text(text)) => write_bytes(out, length, 1, &to_codepage(text)),
        (Type::VarBinary(length), Value::Bytes(bytes)) => write_bytes(out, length, 1, bytes),
        (Type::NVarChar(Length::Max) | Type::VarChar(Length::Max) | Type::VarBinary(Length::Max), _) => {
            out.extend(u64::MAX.to_le_bytes());
        }
        (Type::NVarChar(_) | Type::VarChar(_) | Type::VarBinary(_), _) => out.extend(u16::MAX.to_le_bytes()),
        (Type::Variant, value) => write_variant(out, value),
        (ty, value) => {
            let bytes = fixed(ty, value).unwrap_or_default();
            out.push(u8::try_from(bytes.len()).unwrap_or(0));
            out.extend(bytes);
        }
    }
}

/// The bytes of a value of a type with a length of one byte; `None` for NULL.
fn fixed(ty: Type, value: &Value) -> Option<Vec<u8>> {
    let whole = match value {
        Value::Bit(on) => i64::from(*on),
        Value::Int(number) => *number,
        _ => 0,
    };
    match (ty, value) {
        (Type::Bit | Type::TinyInt, Value::Bit(_) | Value::Int(_)) => Some(whole.to_le_bytes()[..1].to_vec()),
        (Type::SmallInt, Value::Bit(_) | Value::Int(_)) => Some(whole.to_le_bytes()[..2].to_vec()),
        (Type::Int, Value::Bit(_) | Value::Int(_)) => Some(whole.to_le_bytes()[..4].to_vec()),
        (Type::BigInt, Value::Bit(_) | Value::Int(_)) => Some(whole.to_le_bytes().to_vec()),
        #[expect(clippy::cast_possible_truncation, reason = "real holds fewer digits than float")]
        (Type::Real, Value::Float(number)) => Some((*number as f32).to_le_bytes().to_vec()),
        (Type::Float, Value::Float(number)) => Some(number.to_le_bytes().to_vec()),
        (Type::DateTime, Value::Time(at)) => datetime(*at),
        (Type::DateTime2(scale), Value::Time(at)) => datetime2(*at, scale),
        (Type::UniqueIdentifier, Value::Guid(guid)) => Some(guid.to_bytes_le().to_vec()),
        _ => None,
    }
}

fn write_bytes(out: &mut Vec<u8>, length: Length, width: u16, bytes: &[u8]) {
    match length {
        Length::UpTo(count) => {
            let most = usize::from(count.saturating_mul(width).min(LONGEST));
            let bytes = &bytes[..bytes.len().min(most)];
            out.extend(u16::try_from(bytes.len()).unwrap_or(LONGEST).to_le_bytes());
            out.extend(bytes);
        }
        Length::Max => {
            out.extend((bytes.len() as u64).to_le_bytes());
            // More than one chunk, as the server itself sends a long value.
            for chunk in bytes.chunks(8040) {
                out.extend(u32::try_from(chunk.len()).unwrap_or(0).to_le_bytes());
                out.extend(chunk);
            }
            out.extend(0_u32.to_le_bytes());
        }
    }
}

/// A `sql_variant`: total length, base type, its properties, the value.
fn write_variant(out: &mut Vec<u8>, value: &Value) {
    let body = match value {
        Value::Null => Vec::new(),
        Value::Bit(on) => vec![0x32, 0, u8::from(*on)],
        Value::Int(number) => match i32::try_from(*number) {
            Ok(number) => [&[0x38, 0][..], &number.to_le_bytes()].concat(),
            Err(_) => [&[0x7F, 0][..], &number.to_le_bytes()].concat(),
        },
        Value::Float(number) => [&[0x3E, 0][..], &number.to_le_bytes()].concat(),
        Value::Text(text) => {
            let bytes = &to_utf16(text);
            let bytes = &bytes[..bytes.len().min(LONGEST.into())];
            [&[0xE7, 7][..], &COLLATION, &LONGEST.to_le_bytes(), bytes].concat()
        }
        Value::Bytes(bytes) => {
            let bytes = &bytes[..bytes.len().min(LONGEST.into())];
            [&[0xA5, 2][..], &LONGEST.to_le_bytes(), bytes].concat()
        }
        Value::Time(at) => [&[0x2A, 1, 7][..], &datetime2(*at, 7).unwrap_or_default()].concat(),
        Value::Guid(guid) => [&[0x24, 0][..], &guid.to_bytes_le()].concat(),
    };
    out.extend(u32::try_from(body.len()).unwrap_or(0).to_le_bytes());
    out.extend(body);
}

fn civil(at: Timestamp) -> DateTime {
    TimeZone::UTC.to_datetime(at)
}

fn days_since(day: Date, epoch: Date) -> Option<i32> {
    day.since(epoch).ok().map(|span| span.get_days())
}

/// Nanoseconds since midnight.
fn nanoseconds(at: DateTime) -> u64 {
    let seconds = i64::from(at.hour()) * 3600 + i64::from(at.minute()) * 60 + i64::from(at.second());
    u64::try_from(seconds * 1_000_000_000 + i64::from(at.subsec_nanosecond())).unwrap_or(0)
}

/// Days since 1900, then three-hundredths of a second.
fn datetime(at: Timestamp) -> Option<Vec<u8>> {
    let at = civil(at);
    let ticks = u32::try_from((nanoseconds(at) * 3 + 5_000_000) / 10_000_000).ok()?;
    let days = days_since(at.date(), date(1900, 1, 1))?;
    Some([days.to_le_bytes(), ticks.to_le_bytes()].concat())
}

/// Fractions of a second since midnight in 3 to 5 bytes, then days since year 1 in three.
fn datetime2(at: Timestamp, scale: u8) -> Option<Vec<u8>> {
    let at = civil(at);
    let fractions = nanoseconds(at) / 10_u64.pow(9 - u32::from(scale.min(7)));
    let days = days_since(at.date(), date(1, 1, 1))?;
    let mut bytes = fractions.to_le_bytes()[..time_width(scale)].to_vec();
    bytes.extend(&days.to_le_bytes()[..3]);
    Some(bytes)
}

fn time_width(scale: u8) -> usize {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

/// Reads a parameter's `TYPE_INFO` and value.
pub fn read_parameter(reader: &mut Reader) -> Result<(Type, Value), Malformed> {
    let token = reader.u8()?;
    match token {
        0x1F => Ok((NVARCHAR_MAX, Value::Null)),
        0x30 => Ok((Type::TinyInt, Value::Int(reader.u8()?.into()))),
        0x32 => Ok((Type::Bit, Value::Bit(reader.u8()? != 0))),
        0x34 => Ok((Type::SmallInt, whole(reader.take(2)?))),
        0x38 => Ok((Type::Int, whole(reader.take(4)?))),
        0x7F => Ok((Type::BigInt, whole(reader.take(8)?))),
        0x3B => Ok((Type::Real, float(reader.take(4)?)?)),
        0x3E => Ok((Type::Float, float(reader.take(8)?)?)),
        0x3D => Ok((Type::DateTime, read_datetime(reader.take(8)?)?)),
        0x24 | 0x26 | 0x68 | 0x6D | 0x6F => {
            let width = reader.u8()?;
            let length = reader.u8()?;
            read_sized(token, width, reader.take(length.into())?)
        }
        0x6A | 0x6C => read_decimal(reader),
        0x28 => {
            let length = reader.u8()?;
            read_datetime2(reader.take(length.into())?, None)
        }
        0x2A => {
            let scale = reader.u8()?;
            let length = reader.u8()?;
            read_datetime2(reader.take(length.into())?, Some(scale))
        }
        0xA5 | 0xAD | 0xA7 | 0xAF | 0xE7 | 0xEF => read_long(token, reader),
        0x22 | 0x23 | 0x63 => read_legacy_long(token, reader),
        _ => Err(Malformed("a parameter's type is not supported")),
    }
}

/// A little-endian signed integer of any width.
fn whole(bytes: &[u8]) -> Value {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    Value::Int(bytes.iter().rev().fold(start, |number, byte| (number << 8) | i64::from(*byte)))
}

fn float(bytes: &[u8]) -> Result<Value, Malformed> {
    match (<[u8; 4]>::try_from(bytes), <[u8; 8]>::try_from(bytes)) {
        (Ok(bytes), _) => Ok(Value::Float(f32::from_le_bytes(bytes).into())),
        (_, Ok(bytes)) => Ok(Value::Float(f64::from_le_bytes(bytes))),
        _ => Err(Malformed("a float is neither 4 nor 8 bytes long")),
    }
}

/// A type whose values have a length of one byte, 0 for NULL.
fn read_sized(token: u8, width: u8, bytes: &[u8]) -> Result<(Type, Value), Malformed> {
    let ty = match (token, width) {
        (0x24, _) => Type::UniqueIdentifier,
        (0x26, 1) => Type::TinyInt,
        (0x26, 2) => Type::SmallInt,
        (0x26, 4) => Type::Int,
        (0x26, 8) => Type::BigInt,
        (0x68, _) => Type::Bit,
        (0x6D, 4) => Type::Real,
        (0x6D, 8) => Type::Float,
        (0x6F, 4 | 8) => Type::DateTime,
        _ => return Err(Malformed("a parameter's type has an impossible length")),
    };
    let value = match (ty, bytes) {
        (_, []) => Value::Null,
        (Type::UniqueIdentifier, bytes) => Value::Guid(Uuid::from_bytes_le(
            bytes.try_into().map_err(|_| Malformed("a uniqueidentifier is not 16 bytes long"))?,
        )),
        (Type::Bit, bytes) => Value::Bit(bytes[0] != 0),
        (Type::TinyInt, bytes) => Value::Int(bytes[0].into()),
        (Type::Real | Type::Float, bytes) => float(bytes)?,
        (Type::DateTime, bytes) => read_datetime(bytes)?,
        (_, bytes @ ([_, _] | [_, _, _, _] | [_, _, _, _, _, _, _, _])) => whole(bytes),
        _ => return Err(Malformed("an integer has an impossible length")),
    };
    Ok((ty, value))
}

/// A decimal becomes a float: nothing here needs its exactness.
fn read_decimal(reader: &mut Reader) -> Result<(Type, Value), Malformed> {
    let (_, _, scale) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let length = reader.u8()?;
    let bytes = reader.take(length.into())?;
    let Some((sign, digits)) = bytes.split_first() else { return Ok((Type::Float, Value::Null)) };
    let magnitude = digits.iter().rev().fold(0.0, |number, byte| number * 256.0 + f64::from(*byte));
    let number = magnitude / 10_f64.powi(scale.into());
    Ok((Type::Float, Value::Float(if *sign == 0 { -number } else { number })))
}

/// `datetime` in 8 bytes, or `smalldatetime` in 4.
fn read_datetime(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut reader = Reader::new(bytes);
    let (days, nanoseconds) = if bytes.len() == 4 {
        (i32::from(reader.u16()?), u64::from(reader.u16()?) * 60_000_000_000)
    } else {
        (reader.i32()?, u64::from(reader.u32()?) * 10_000_000 / 3)
    };
    moment(date(1900, 1, 1), days, nanoseconds)
}

/// `datetime2`, or `date` where there is no scale.
fn read_datetime2(bytes: &[u8], scale: Option<u8>) -> Result<(Type, Value), Malformed> {
    let ty = Type::DateTime2(scale.unwrap_or(0).min(7));
    if bytes.is_empty() {
        return Ok((ty, Value::Null));
    }
    let (time, day) =
        bytes.split_at_checked(bytes.len().wrapping_sub(3)).ok_or(Malformed("a date is too short"))?;
    let fold = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let unit = 10_u64.pow(9 - u32::from(scale.unwrap_or(0).min(7)));
    let nanoseconds = if time.len() > 5 {
        Err(Malformed("a time is too long"))
    } else {
        Ok(fold(time).saturating_mul(unit))
    }?;
    let days = i32::try_from(fold(day)).map_err(|_| Malformed("a date is out of range"))?;
    Ok((ty, moment(date(1, 1, 1), days, nanoseconds)?))
}

fn moment(epoch: Date, days: i32, nanoseconds: u64) -> Result<Value, Malformed> {
    let out_of_range = || Malformed("a date is out of range");
    let nanoseconds = i64::try_from(nanoseconds).map_err(|_| out_of_range())?;
    // A span of days has bounds of its own, wider than the calendar's.
    let days = i64::from(days).clamp(-7_000_000, 7_000_000).days();
    epoch
        .checked_add(days)
        .map(|day| day.to_datetime(jiff::civil::Time::midnight()))
        .and_then(|midnight| midnight.checked_add(jiff::SignedDuration::from_nanos(nanoseconds)))
        .and_then(|at| TimeZone::UTC.to_timestamp(at))
        .map(Value::Time)
        .map_err(|_| out_of_range())
}

/// `varbinary`, `binary`, `varchar`, `char`, `nvarchar`, `nchar`, (max) included.
fn read_long(token: u8, reader: &mut Reader) -> Result<(Type, Value), Malformed> {
    let declared = reader.u16()?;
    if !matches!(token, 0xA5 | 0xAD) {
        reader.take(COLLATION.len())?;
    }
    let length = |width| if declared == u16::MAX { Length::Max } else { Length::UpTo(declared / width) };
    let bytes = if declared == u16::MAX {
        read_plp(reader)?
    } else {
        match reader.u16()? {
            u16::MAX => None,
            count => Some(reader.take(count.into())?.to_vec()),
        }
    };
    Ok(match token {
        0xA5 | 0xAD => (Type::VarBinary(length(1)), bytes.map_or(Value::Null, Value::Bytes)),
        0xA7 | 0xAF => {
            (Type::VarChar(length(1)), bytes.map_or(Value::Null, |bytes| Value::Text(from_codepage(&bytes))))
        }
        _ => (Type::NVarChar(length(2)), bytes.map_or(Value::Null, |bytes| Value::Text(from_utf16(&bytes)))),
    })
}

/// A partially length-prefixed value: chunks until an empty one; `None` for NULL.
fn read_plp(reader: &mut Reader) -> Result<Option<Vec<u8>>, Malformed> {
    if reader.u64()? == u64::MAX {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    loop {
        match reader.length32()? {
            0 => return Ok(Some(bytes)),
            count => bytes.extend_from_slice(reader.take(count)?),
        }
    }
}

/// `image`, `text`, `ntext`.
fn read_legacy_long(token: u8, reader: &mut Reader) -> Result<(Type, Value), Malformed> {
    reader.u32()?;
    if token != 0x22 {
        reader.take(COLLATION.len())?;
    }
    let bytes = match reader.u32()? {
        u32::MAX => None,
        count => Some(reader.take(usize::try_from(count).map_err(|_| Malformed("a value is too long"))?)?),
    };
    Ok(match (token, bytes) {
        (0x22, bytes) => {
            (Type::VarBinary(Length::Max), bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.to_vec())))
        }
        (0x23, bytes) => {
            (Type::VarChar(Length::Max), bytes.map_or(Value::Null, |bytes| Value::Text(from_codepage(bytes))))
        }
        (_, bytes) => (NVARCHAR_MAX, bytes.map_or(Value::Null, |bytes| Value::Text(from_utf16(bytes)))),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(ty: Type, value: &Value) -> (Type, Value) {
        let mut bytes = Vec::new();
        write_type(&mut bytes, ty);
        write_value(&mut bytes, ty, value);
        let mut reader = Reader::new(&bytes);
        let read = read_parameter(&mut reader).unwrap();
        assert!(reader.is_empty());
        read
    }

    #[test]
    fn every_type_carries_null() {
        use Length::{Max, UpTo};
        for ty in [
            Type::Bit,
            Type::TinyInt,
            Type::SmallInt,
            Type::Int,
            Type::BigInt,
            Type::Real,
            Type::Float,
            Type::NVarChar(UpTo(10)),
            Type::NVarChar(Max),
            Type::VarChar(UpTo(10)),
            Type::VarChar(Max),
            Type::VarBinary(UpTo(10)),
            Type::VarBinary(Max),
            Type::DateTime,
            Type::DateTime2(3),
            Type::UniqueIdentifier,
        ] {
            assert_eq!(round_trip(ty, &Value::Null), (ty, Value::Null));
        }
    }

    #[test]
    fn times_keep_the_precision_of_their_type() {
        let at: Timestamp = "2026-11-23T19:53:50.1234567Z".parse().unwrap();
        assert_eq!(round_trip(Type::DateTime2(7), &Value::Time(at)).1, Value::Time(at));
        let Value::Time(rounded) = round_trip(Type::DateTime, &Value::Time(at)).1 else { panic!("no time") };
        assert_eq!(format!("{rounded:.3}"), "2026-11-23T19:53:50.123Z");
    }

    proptest! {
        #[test]
        fn arbitrary_parameters_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = read_parameter(&mut Reader::new(&bytes));
        }

        #[test]
        fn integers_and_long_values_survive(number in any::<i32>(), bytes in proptest::collection::vec(any::<u8>(), 0..20_000), text in ".{0,200}") {
            prop_assert_eq!(round_trip(Type::Int, &number.into()).1, Value::from(number));
            let max = Type::VarBinary(Length::Max);
            prop_assert_eq!(round_trip(max, &Value::Bytes(bytes.clone())).1, Value::Bytes(bytes));
            prop_assert_eq!(round_trip(NVARCHAR_MAX, &Value::Text(text.clone())).1, Value::Text(text));
        }
    }
}
