//! Printing answers: a table for people, JSON and comma-separated values for programs.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::model::text::visible;

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Table,
    Json,
    /// An object a line.
    Jsonl,
    Csv,
}

/// Prints records as a JSON array, text as it came.
///
/// # Errors
/// When writing fails.
pub fn json<R: Serialize>(out: &mut impl Write, records: &[R]) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, records)?;
    writeln!(out)
}

/// Prints records as JSON, one a line, text as it came.
///
/// # Errors
/// When writing fails.
pub fn jsonl<R: Serialize>(out: &mut impl Write, records: impl IntoIterator<Item = R>) -> io::Result<()> {
    for record in records {
        serde_json::to_writer(&mut *out, &record)?;
        writeln!(out)?;
    }
    Ok(())
}

/// Prints rows as comma-separated values. A cell that a spreadsheet would run as a formula gets a leading quote.
///
/// # Errors
/// When writing fails.
pub fn csv(
    out: &mut impl Write,
    fields: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(fields)?;
    for row in rows {
        writer.write_record(row.into_iter().map(inert))?;
    }
    writer.flush()
}

/// Prints rows as a table for a terminal, its cells made visible (see [`visible`]).
///
/// # Errors
/// When writing fails.
pub fn table(
    out: &mut impl Write,
    head: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(head.iter().map(|word| word.to_uppercase()));
    for row in rows {
        table.add_row(row.into_iter().map(|cell| visible(&cell).into_owned()));
    }
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}

/// A cell that no spreadsheet takes for a formula.
fn inert(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::{csv, json, table};

    const ROWS: [[&str; 2]; 2] = [["buzz\u{1b}[2J", "41"], ["=cmd()", "7"]];

    fn printed(print: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_shows_what_would_deceive() {
        let table = printed(|out| table(out, &["name", "days"], ROWS.map(|row| row.map(str::to_owned))));
        assert!(table.contains("buzz␛[2J") && table.contains("NAME"), "{table}");
    }

    #[test]
    fn csv_names_its_fields_and_holds_no_formulas() {
        let csv = printed(|out| csv(out, &["name", "days"], ROWS.map(|row| row.map(str::to_owned))));
        assert_eq!(csv, "name,days\nbuzz\u{1b}[2J,41\n'=cmd(),7\n");
    }

    #[test]
    fn json_is_an_array() {
        let value: serde_json::Value = serde_json::from_str(&printed(|out| json(out, &ROWS))).unwrap();
        assert_eq!(value.as_array().unwrap().len(), 2);
    }
}
