//! One language for finding rows, whatever the screen: what a person types becomes an [`Expr`] that the screen
//! turns into its own quick test.
//!
//! ```text
//! state:disabled age:>80 db:prod            all three
//! overdue or is:gone                        either
//! not alias:test     -alias:test            without those
//! (db:prod or db:arch) cmk:"My Key"         brackets, quotes for blanks
//! ```
//!
//! Words stand beside one another and must all hold; `or` binds weaker than that. A screen declares its fields
//! once, as a [`Language`]; parsing, the complaint about a wrong value, the help overlay and `--help` all come
//! from that declaration. What is only half typed (`age:>`, `not`, `state:`) asks for nothing yet. A word before a
//! colon that is no field is text, so that an ARN can be pasted. Quotes are doubled inside quotes.

mod expr;
mod loose;
mod moment;
mod parse;
mod value;

use std::ops::Range;

pub use expr::Expr;
pub use loose::{BETWEEN, Loose, Walk};
pub use moment::Stretch;
pub use value::{Bounds, Kind, Test};

use crate::model::text::visible;

/// The fields that rows of one screen can be asked for. `F` names them: an enum of the screen's own.
#[derive(Debug)]
pub struct Language<F: 'static> {
    pub fields: &'static [Field<F>],
}

/// A field, declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<F> {
    pub id: F,
    /// As it stands before the colon, in lower case.
    pub name: &'static str,
    pub kind: Kind,
    /// What it looks in, in a few words.
    pub help: &'static str,
}

/// What one row has to say to one condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term<F> {
    /// Somewhere in what the row shows. In lower case. One in quotes is meant to the letter.
    Word { text: String, quoted: bool },
    /// In that field.
    Field { field: F, test: Test },
}

/// Why a text is no filter. It says what the field takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{term}`: {takes}")]
pub struct Mistake {
    /// What was typed, fit to be shown.
    term: String,
    takes: String,
    /// Where it stands in the text, in bytes.
    pub at: Range<usize>,
}

impl Mistake {
    /// A complaint about the part of `text` at `at`, for what only the screen can know to be wrong.
    #[must_use]
    pub fn new(text: &str, at: Range<usize>, takes: impl Into<String>) -> Self {
        let term = visible(text.get(at.clone()).unwrap_or(text)).into_owned();
        Self { term, takes: takes.into(), at }
    }
}

impl<F: Copy> Language<F> {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`Mistake`] where a field was given a value that it does not take, or brackets go deeper than 16.
    pub fn parse(&self, text: &str) -> Result<Expr<Term<F>>, Mistake> {
        parse::parse(self, text)
    }

    /// The field of that name, upper and lower case alike.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field<F>> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// A line for each field: how it is typed, and what it looks in and takes.
    pub fn help(&self) -> impl Iterator<Item = (String, String)> {
        self.fields.iter().map(|field| {
            let takes = match field.kind {
                Kind::Text => String::new(),
                _ => format!(": {}", field.kind.takes()),
            };
            (format!("{}:", field.name), format!("{}{takes}", field.help))
        })
    }
}

/// What is so for every screen: a line for each form, for the help.
pub const FORMS: [(&str, &str); 6] = [
    ("word word", "both, anywhere in the row; where no row has a word, what comes closest"),
    ("field:value", "in that field; =value for the whole of it; > >= < <= for numbers and times"),
    ("a or b", "either; weaker than standing beside one another"),
    ("not a   -a", "without it"),
    ("(a or b) c", "brackets"),
    ("\"two words\"", "quotes for blanks, colons and or"),
];

#[cfg(test)]
mod tests;
