//! What a person types to see fewer rows.

/// A filter, parsed. Words are AND-ed; each is a part of a row's text, whatever its case. `field:value`
/// (`state:`, `db:`, `cek:`, `cmk:`, `key:`) looks in that field alone, and a word that begins with `-` must
/// not be found. A word before a colon that is no field is text like any other, so that an ARN can be pasted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) terms: Vec<Term>,
}

/// One word of a filter, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    /// None looks everywhere.
    pub field: Option<Field>,
    pub text: String,
    pub absent: bool,
}

/// The part of a row that a word looks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    State,
    Database,
    ColumnKey,
    MasterKey,
    Key,
}

impl Filter {
    /// Reads what was typed. Every text is a filter; a field without a value yet asks for nothing.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let terms = text.split_whitespace().map(Term::parse).filter(|term| !term.text.is_empty());
        Self { terms: terms.collect() }
    }

    /// Whether it lets every row through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}

impl Term {
    fn parse(word: &str) -> Self {
        let word = word.to_lowercase();
        let (absent, word) = word.strip_prefix('-').map_or((false, word.as_str()), |rest| (true, rest));
        let named = word.split_once(':').and_then(|(field, value)| Some((Field::named(field)?, value)));
        let (field, text) = named.map_or((None, word), |(field, value)| (Some(field), value));
        Self { field, text: text.to_owned(), absent }
    }
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "state" => Self::State,
            "db" => Self::Database,
            "cek" => Self::ColumnKey,
            "cmk" => Self::MasterKey,
            "key" => Self::Key,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Field, Filter};
    use proptest::prelude::*;

    #[test]
    fn fields_and_words_are_told_apart() {
        let filter = Filter::parse("  state:Disabled arn:aws:kms -db:ARCH cek: - ");
        let told: Vec<_> = filter.terms.iter().map(|t| (t.field, t.text.as_str(), t.absent)).collect();
        assert_eq!(
            told,
            [
                (Some(Field::State), "disabled", false),
                (None, "arn:aws:kms", false),
                (Some(Field::Database), "arch", true)
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter(text in any::<String>()) {
            let _ = Filter::parse(&text);
        }
    }
}
