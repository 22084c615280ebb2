//! Texts kept so that a word is found in 100,000 of them between two key presses.

use std::collections::HashMap;

use memchr::memmem::Finder;

use crate::filter::{BETWEEN, Loose, Test};

/// Texts of which many are the same, each kept once.
#[derive(Clone, Debug, Default)]
pub(super) struct Texts {
    all: Vec<String>,
    known: HashMap<String, u32>,
    ranks: Vec<u32>,
}

impl Texts {
    /// The number of `text`, which is kept in lower case.
    pub fn number(&mut self, text: &str) -> u32 {
        let text = text.to_lowercase();
        if let Some(number) = self.known.get(&text) {
            return *number;
        }
        let number = place(self.all.len());
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
    pub fn rank_of(&self, number: u32) -> Option<u32> {
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

/// Several texts for each row, most of which other rows have too.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    texts: Texts,
    /// The texts' numbers, row after row, and where each row's end.
    numbers: Vec<u32>,
    ends: Vec<u32>,
}

impl Lists {
    pub fn push<'a>(&mut self, own: impl Iterator<Item = &'a str>) {
        for text in own {
            self.numbers.push(self.texts.number(text));
        }
        self.ends.push(place(self.numbers.len()));
    }

    /// Once all are there, what was needed to add some is let go.
    pub fn finish(&mut self) {
        self.texts.known = HashMap::new();
        self.numbers.shrink_to_fit();
    }

    /// The rows of which a text passes.
    pub fn passing(&self, test: &Test) -> Vec<bool> {
        let which = self.texts.which(|text| test.holds_text(text));
        let mut from = 0;
        let holds = |end: &u32| {
            let own = &self.numbers[from..*end as usize];
            from = *end as usize;
            own.iter().any(|number| which[*number as usize])
        };
        self.ends.iter().map(holds).collect()
    }
}

/// Ends a row's text.
const END: u8 = b'\n';

/// A text for each row, one after the other in lower case, so that one search goes through all. Texts from outside are
/// shown without control characters, so that they hold neither [`BETWEEN`] nor [`END`].
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    text: String,
    /// Where each row's ends.
    ends: Vec<u32>,
    /// The letters of each row's text, see [`letters`].
    letters: Vec<u64>,
    /// The rows in the order of their texts, how many bytes each begins with as the one before it does, and each row's
    /// place; equal texts share one.
    order: Vec<u32>,
    common: Vec<u16>,
    ranks: Vec<u32>,
}

impl Lines {
    pub fn push(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(&text.to_lowercase());
        self.letters.push(letters(&self.text[start..]));
        self.ends.push(place(self.text.len()));
        self.text.push(char::from(END));
    }

    /// Puts them in order, once all are there.
    pub fn finish(&mut self) {
        self.text.shrink_to_fit();
        let mut order: Vec<u32> = (0..place(self.len())).collect();
        order.sort_by(|a, b| self.get(*a as usize).cmp(self.get(*b as usize)));
        let mut all_common = Vec::with_capacity(order.len());
        let mut ranks = vec![0; order.len()];
        let (mut before, mut rank) = ("", 0);
        for (at, row) in order.iter().enumerate() {
            let text = self.get(*row as usize);
            let common = text.bytes().zip(before.bytes()).take_while(|(a, b)| a == b).count();
            rank += u32::from(at > 0 && text != before);
            all_common.push(u16::try_from(common).unwrap_or(u16::MAX));
            ranks[*row as usize] = rank;
            before = text;
        }
        (self.order, self.common, self.ranks) = (order, all_common, ranks);
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn get(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before] as usize + 1);
        &self.text[start..self.ends[row] as usize]
    }

    /// A row's place among all, by its text.
    pub fn rank(&self, row: usize) -> u32 {
        self.ranks[row]
    }

    /// The rows that hold `word`; None where none does.
    pub fn holding(&self, word: &str) -> Option<Vec<bool>> {
        let finder = Finder::new(word);
        let (mut found, mut row, mut from) = (None, 0, 0);
        while let Some(at) = finder.find(&self.text.as_bytes()[from..]) {
            row += self.ends[row..].partition_point(|end| (*end as usize) < from + at);
            found.get_or_insert_with(|| vec![false; self.ends.len()])[row] = true;
            from = self.ends[row] as usize + 1;
            row += 1;
        }
        found
    }

    /// The rows with a part, between [`BETWEEN`]s, that passes.
    pub fn passing(&self, test: &Test) -> Option<Vec<bool>> {
        if let Test::Text { text, whole: false } = test {
            return self.holding(text);
        }
        Some(self.which(|text| text.split(BETWEEN).any(|part| test.holds_text(part))))
    }

    /// The rows whose text passes.
    pub fn which(&self, passes: impl Fn(&str) -> bool) -> Vec<bool> {
        (0..self.len()).map(|row| passes(self.get(row))).collect()
    }

    /// How far each row's text is from a word, [`FAR`] where it is not close.
    pub fn distances(&self, word: &str, loose: &Loose) -> Vec<u8> {
        let sought = letters(word);
        let mut distances = vec![FAR; self.len()];
        let mut walk = loose.walk();
        for (row, common) in self.order.iter().zip(&self.common) {
            let (row, common) = (*row as usize, usize::from(*common));
            // A letter that is missing costs at least one keystroke.
            let found = match (sought & !self.letters[row]).count_ones() {
                0 => walk.distance(self.get(row), common),
                some if some <= loose.allowed() => walk.mistyped(self.get(row), common),
                _ => {
                    walk.pass(common);
                    None
                }
            };
            distances[row] = near(found);
        }
        distances
    }
}

/// What is not close.
pub(super) const FAR: u8 = u8::MAX;

/// A distance in a byte.
pub(super) fn near(found: Option<u32>) -> u8 {
    found.and_then(|distance| u8::try_from(distance).ok()).unwrap_or(FAR)
}

/// Which letters and digits a text has, a bit each; all others share one. A word with letters that a text lacks
/// is not close to it, which is quicker to see than how far away it is.
fn letters(text: &str) -> u64 {
    text.bytes().fold(0, |set, byte| {
        set | 1
            << match byte {
                b'a'..=b'z' => byte - b'a',
                b'0'..=b'9' => byte - b'0' + 26,
                _ => 40,
            }
    })
}

/// A place in fewer bytes: there are never 4 billion.
fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Each item's place by name; equal names share one.
pub(super) fn ranks<'a>(len: usize, name: impl Fn(usize) -> &'a str) -> Vec<u32> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|a, b| name(*a).cmp(name(*b)));
    let mut ranks = vec![0; len];
    let mut rank = 0;
    for pair in order.windows(2) {
        rank += u32::from(name(pair[0]) != name(pair[1]));
        ranks[pair[1]] = rank;
    }
    ranks
}
