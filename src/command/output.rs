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
    Csv,
}

/// Prints records. Cells of a table are made visible (see [`visible`]); JSON and CSV carry text as it came,
/// but for CSV cells that a spreadsheet would run as a formula, which get a leading quote.
///
/// # Errors
/// When writing fails.
pub fn print<R: Serialize>(
    out: &mut impl Write,
    format: Format,
    records: &[R],
    head: &[&str],
    cells: impl Fn(&R) -> Vec<String>,
) -> io::Result<()> {
    match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, records)?;
            writeln!(out)
        }
        Format::Csv => print_csv(out, records),
        Format::Table => {
            let mut table = Table::new();
            table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
            table.set_header(head.iter().map(|word| word.to_uppercase()));
            for record in records {
                table.add_row(cells(record).iter().map(|cell| visible(cell).into_owned()));
            }
            for line in table.lines() {
                writeln!(out, "{}", line.trim_end())?;
            }
            Ok(())
        }
    }
}

/// Every field of the records under its JSON name.
fn print_csv<R: Serialize>(out: &mut impl Write, records: &[R]) -> io::Result<()> {
    let mut plain = csv::Writer::from_writer(Vec::new());
    for record in records {
        plain.serialize(record)?;
    }
    let plain = plain.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    let mut writer = csv::Writer::from_writer(out);
    for row in csv::ReaderBuilder::new().has_headers(false).from_reader(plain.as_slice()).records() {
        writer.write_record(row?.iter().map(inert))?;
    }
    writer.flush()
}

/// A cell that no spreadsheet takes for a formula.
fn inert(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Format, print};

    fn printed(format: Format) -> String {
        #[derive(serde::Serialize)]
        struct Record {
            name: &'static str,
            days: u8,
        }
        let mut out = Vec::new();
        let records = [Record { name: "buzz\u{1b}[2J", days: 41 }, Record { name: "=cmd()", days: 7 }];
        print(&mut out, format, &records, &["name", "days"], |r| vec![r.name.to_owned(), r.days.to_string()])
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_shows_what_would_deceive() {
        let table = printed(Format::Table);
        assert!(table.contains("buzz␛[2J") && table.contains("NAME"), "{table}");
    }

    #[test]
    fn csv_names_its_fields_and_holds_no_formulas() {
        assert_eq!(printed(Format::Csv), "name,days\nbuzz\u{1b}[2J,41\n'=cmd(),7\n");
    }

    #[test]
    fn json_is_an_array() {
        let value: serde_json::Value = serde_json::from_str(&printed(Format::Json)).unwrap();
        assert_eq!(value.as_array().unwrap().len(), 2);
    }
}
