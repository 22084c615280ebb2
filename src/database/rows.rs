//! Cells of a result, as the types that the catalog needs.

use jiff::{SignedDuration, Timestamp};
use tiberius::{ColumnData, Row};

use crate::model::text::Untrusted;

/// A cell that is not of the type that the catalog documents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column} of the answer is {found}, where {wanted} was expected")]
pub(super) struct BadCell {
    column: usize,
    wanted: &'static str,
    found: String,
}

fn bad(row: &Row, column: usize, wanted: &'static str) -> BadCell {
    let found = row.columns().get(column).map_or_else(
        || "missing".to_owned(),
        |c| format!("{} ({:?}) or null", crate::model::text::visible(c.name()), c.column_type()),
    );
    BadCell { column, wanted, found }
}

/// Any whole number that fits 32 bits; None where null.
pub(super) fn number(row: &Row, column: usize) -> Result<Option<i32>, BadCell> {
    match row.get_column_data(column) {
        Ok(ColumnData::U8(n)) => Ok(n.map(i32::from)),
        Ok(ColumnData::I16(n)) => Ok(n.map(i32::from)),
        Ok(ColumnData::I32(n)) => Ok(*n),
        Ok(ColumnData::Bit(b)) => Ok(b.map(i32::from)),
        _ => Err(bad(row, column, "a whole number")),
    }
}

/// A whole number that is not null.
pub(super) fn some_number(row: &Row, column: usize) -> Result<i32, BadCell> {
    number(row, column)?.ok_or_else(|| bad(row, column, "a whole number"))
}

/// A bit, null where the version has no such column.
pub(super) fn bit(row: &Row, column: usize) -> Result<Option<bool>, BadCell> {
    Ok(number(row, column)?.map(|n| n != 0))
}

/// A `real` that holds a percentage; None where null.
pub(super) fn percent(row: &Row, column: usize) -> Result<Option<u8>, BadCell> {
    let whole = |percent: f64| {
        // Within 0 and 100 by the clamp; what is no number counts as nothing done.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0–100")]
        let percent = percent.clamp(0.0, 100.0) as u8;
        percent
    };
    match row.get_column_data(column) {
        Ok(ColumnData::F32(percent)) => Ok(percent.map(|percent| whole(percent.into()))),
        Ok(ColumnData::F64(percent)) => Ok(percent.map(whole)),
        _ => Err(bad(row, column, "a percentage")),
    }
}

/// Text; empty where null.
pub(super) fn text(row: &Row, column: usize) -> Result<Untrusted, BadCell> {
    match row.get_column_data(column) {
        Ok(ColumnData::String(text)) => Ok(text.as_deref().unwrap_or_default().into()),
        _ => Err(bad(row, column, "text")),
    }
}

/// Bytes that are not null.
pub(super) fn bytes(row: &Row, column: usize) -> Result<&[u8], BadCell> {
    match row.get_column_data(column) {
        Ok(ColumnData::Binary(Some(bytes))) => Ok(bytes),
        _ => Err(bad(row, column, "binary data")),
    }
}

/// A `datetime` or `datetime2` that is not null, in the server's local time, which is `offset` ahead of UTC.
pub(super) fn time(row: &Row, column: usize, offset: SignedDuration) -> Result<Timestamp, BadCell> {
    let local = match row.get_column_data(column) {
        Ok(ColumnData::DateTime(Some(at))) => since_1900(at.days(), at.seconds_fragments()),
        Ok(ColumnData::DateTime2(Some(at))) => {
            since_year_one(at.date().days(), at.time().increments(), at.time().scale())
        }
        _ => None,
    };
    local.and_then(|local| local.checked_sub(offset).ok()).ok_or_else(|| bad(row, column, "a date and time"))
}

/// 1900-01-01T00:00Z, in seconds since 1970.
const YEAR_1900: i64 = -2_208_988_800;
/// 0001-01-01T00:00Z, in seconds since 1970.
const YEAR_ONE: i64 = -62_135_596_800;

/// `datetime`: days since 1900-01-01 and 300ths of a second since midnight.
fn since_1900(days: i32, fragments: u32) -> Option<Timestamp> {
    at_day(YEAR_1900, days.into(), i64::from(fragments) * 1_000_000_000 / 300)
}

/// `datetime2`: days since 0001-01-01 and increments of 10^-scale seconds since midnight.
fn since_year_one(days: u32, increments: u64, scale: u8) -> Option<Timestamp> {
    let unit = 10_i64.checked_pow(9_u32.checked_sub(u32::from(scale))?)?;
    at_day(YEAR_ONE, days.into(), i64::try_from(increments).ok()?.checked_mul(unit)?)
}

fn at_day(epoch: i64, days: i64, nanoseconds: i64) -> Option<Timestamp> {
    let midnight = Timestamp::from_second(epoch + days * 86_400).ok()?;
    midnight.checked_add(SignedDuration::from_nanos(nanoseconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiberius::ColumnType;
    use tiberius::time::{Date, DateTime, DateTime2, Time};

    fn row(cells: Vec<ColumnData<'static>>) -> Row {
        let builder = Row::builder();
        cells.into_iter().fold(builder, |b, cell| b.column("c", ColumnType::Null, cell)).build()
    }

    #[test]
    fn datetime_and_datetime2_tell_the_same_instant_less_the_offset() {
        // 2024-03-01T12:00:00.500 at UTC+01:00.
        let row = row(vec![
            ColumnData::DateTime(Some(DateTime::new(45_350, 43_200 * 300 + 150))),
            ColumnData::DateTime2(Some(DateTime2::new(Date::new(738_945), Time::new(432_005_000_000, 7)))),
        ]);
        let hour = SignedDuration::from_hours(1);
        let expected: Timestamp = "2024-03-01T11:00:00.5Z".parse().unwrap();
        assert_eq!(time(&row, 0, hour), Ok(expected));
        // 432,005,000,000 × 100 ns = 12:00:00.5.
        assert_eq!(time(&row, 1, hour), Ok(expected));
    }

    #[test]
    fn a_cell_of_another_type_is_an_error_and_not_a_default() {
        let row = row(vec![ColumnData::I32(Some(3)), ColumnData::String(None), ColumnData::DateTime(None)]);
        assert_eq!(number(&row, 0), Ok(Some(3)));
        assert!(text(&row, 0).is_err());
        assert!(number(&row, 1).is_err());
        assert!(time(&row, 2, SignedDuration::ZERO).is_err());
        assert!(bytes(&row, 7).is_err());
    }
}
