//! Reading every page of a list without being led in circles.

use std::collections::HashSet;

use super::failure::Failure;

/// More pages than any account has: 100,000 keys come in 1,000 pages of 100.
const MOST_PAGES: usize = 20_000;

/// The markers that a listing has given so far.
#[derive(Debug)]
pub(super) struct Pages {
    operation: &'static str,
    seen: HashSet<String>,
}

impl Pages {
    pub(super) fn of(operation: &'static str) -> Self {
        Self { operation, seen: HashSet::new() }
    }

    /// Where to read on, given an answer's marker; None at the end.
    ///
    /// # Errors
    /// Where the marker came before, so that the listing would go round for ever, or there is no end of pages.
    pub(super) fn next(&mut self, marker: Option<String>) -> Result<Option<String>, Failure> {
        let Some(marker) = marker.filter(|marker| !marker.is_empty()) else { return Ok(None) };
        if self.seen.len() >= MOST_PAGES {
            let why = format!("the list has no end: stopped after {MOST_PAGES} pages");
            return Err(Failure::unreadable(self.operation, why));
        }
        if !self.seen.insert(marker.clone()) {
            let why = "the list goes in circles: a page's marker came a second time";
            return Err(Failure::unreadable(self.operation, why));
        }
        Ok(Some(marker))
    }
}

#[cfg(test)]
mod tests {
    use super::Pages;

    #[test]
    fn a_marker_that_comes_again_ends_the_reading() {
        let mut pages = Pages::of("kms:ListKeys");
        assert_eq!(pages.next(Some("a".into())).unwrap().as_deref(), Some("a"));
        assert_eq!(pages.next(Some("b".into())).unwrap().as_deref(), Some("b"));
        assert!(pages.next(Some("a".into())).is_err());
        assert_eq!(pages.next(None).unwrap(), None);
    }
}
