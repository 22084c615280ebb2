//! Texts kept so that a word is found in 100,000 of them between two key presses.

use std::collections::HashMap;

use memchr::memmem::Finder;

use crate::filter::Test;

/// Texts of which many are the same, each kept once.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    all: Vec<String>,
    known: HashMap<String, u32>,
    ranks: Vec<i64>,
}

impl Texts {
    /// The number of `text`, which is kept in lower case.
    pub fn number(&mut self, text: &str) -> u32 {
        let text = text.to_lowercase();
        if let Some(number) = self.known.get(&text) {
            return *number;
        }
        let number = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(text.clone());
        self.known.insert(text, number);
        number
    }

    /// Makes the ranks, once all are known.
    pub fn rank(&mut self) {
        self.known = HashMap::new();
        self.ranks = ranks(self.all.len(), |at| &self.all[at]);
    }

    pub fn get(&self, number: u32) -> &str {
        self.all.get(number as usize).map_or("", String::as_str)
    }

    /// Its place among all, by name; none for the empty text.
    pub fn rank_of(&self, number: u32) -> Option<i64> {
        self.all.get(number as usize).filter(|text| !text.is_empty())?;
        self.ranks.get(number as usize).copied()
    }

    /// What `tell` says of each.
    pub fn each(&self, tell: impl Fn(&str) -> u8) -> Vec<u8> {
        self.all.iter().map(|text| tell(text)).collect()
    }

    /// Which of them pass.
    pub fn which(&self, passes: impl Fn(&str) -> bool) -> Vec<bool> {
        self.all.iter().map(|text| passes(text)).collect()
    }
}

/// Separates what must not be found as one. Texts from outside are shown without control characters.
pub(super) const BETWEEN: char = '\t';
/// Ends a row's text.
const END: u8 = b'\n';

/// A text for each row, one after the other in lower case, so that one search goes through all.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    text: String,
    /// Where each row's ends.
    ends: Vec<usize>,
    /// The letters of each row's text, see [`letters`].
    letters: Vec<u64>,
}

impl Lines {
    pub fn push(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(&text.to_lowercase());
        self.letters.push(letters(&self.text[start..]));
        self.ends.push(self.text.len());
        self.text.push(char::from(END));
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        &self.text[start..self.ends[row]]
    }

    /// The letters of a row's text.
    pub fn letters(&self, row: usize) -> u64 {
        self.letters[row]
    }

    /// The rows that hold `word`; None where none does.
    pub fn holding(&self, word: &str) -> Option<Vec<bool>> {
        let finder = Finder::new(word);
        let (mut found, mut row, mut from) = (None, 0, 0);
        while let Some(at) = finder.find(&self.text.as_bytes()[from..]) {
            row += self.ends[row..].partition_point(|end| *end < from + at);
            found.get_or_insert_with(|| vec![false; self.ends.len()])[row] = true;
            from = self.ends[row] + 1;
            row += 1;
        }
        found
    }

    /// The rows with a part, between [`BETWEEN`]s, that passes.
    pub fn passing(&self, test: &Test) -> Option<Vec<bool>> {
        if let Test::Text { text, whole: false } = test {
            return self.holding(text);
        }
        let passes = |row| self.get(row).split(BETWEEN).any(|part| test.holds_text(part));
        Some((0..self.len()).map(passes).collect())
    }
}

/// Which letters and digits a text has, a bit each; all others share one. A word with letters that a text lacks
/// is not close to it, which is quicker to see than how far away it is.
pub(super) fn letters(text: &str) -> u64 {
    text.bytes().fold(0, |set, byte| {
        set | 1
            << match byte {
                b'a'..=b'z' => byte - b'a',
                b'0'..=b'9' => byte - b'0' + 26,
                _ => 40,
            }
    })
}

/// Each item's place by name; equal names share one.
pub(super) fn ranks<'a>(len: usize, name: impl Fn(usize) -> &'a str) -> Vec<i64> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|a, b| name(*a).cmp(name(*b)));
    let mut ranks = vec![0; len];
    let mut rank = 0;
    for pair in order.windows(2) {
        rank += i64::from(name(pair[0]) != name(pair[1]));
        ranks[pair[1]] = rank;
    }
    ranks
}
