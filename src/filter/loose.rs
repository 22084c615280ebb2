//! What comes closest to a word that nothing holds.

/// Separates the parts of a text: nothing is found across one.
pub const BETWEEN: char = '\t';

/// A word that may have been typed wrong or short, to be held against many texts quickly.
///
/// Two things count as close: a part of the text that a few keystrokes would make into the word (one for words of
/// three or four letters, two up to eight, three beyond), and the word's letters in their order within a stretch at
/// most twice as long.
#[derive(Clone, Debug)]
pub struct Loose {
    word: Vec<u8>,
    /// For each byte, where it stands in the word: a bit a place.
    places: Box<[u64; 256]>,
    allowed: u32,
}

impl Loose {
    /// `word`, in lower case. None where it is shorter than three bytes, when nearly everything is close to it, or
    /// longer than 64, when a typo is not what is wrong with it.
    #[must_use]
    pub fn new(word: &str) -> Option<Self> {
        let word = word.as_bytes().to_vec();
        let allowed = match word.len() {
            3..=4 => 1,
            5..=8 => 2,
            9..=64 => 3,
            _ => return None,
        };
        let mut places = Box::new([0; 256]);
        for (place, byte) in word.iter().enumerate() {
            places[usize::from(*byte)] |= 1 << place;
        }
        Some(Self { word, places, allowed })
    }

    /// How many keystrokes a part of a text may be away.
    #[must_use]
    pub fn allowed(&self) -> u32 {
        self.allowed
    }

    /// How far `text` (in lower case) is from holding the word: 0 where it does; None where it is not close.
    #[must_use]
    pub fn distance(&self, text: &str) -> Option<u32> {
        self.walk().distance(text, 0)
    }

    /// Begins to hold the word against texts in their order.
    #[must_use]
    pub fn walk(&self) -> Walk<'_> {
        Walk { loose: self, columns: Vec::new() }
    }

    /// How many other letters stand among the word's, where they come in their order.
    fn stretch(&self, text: &[u8]) -> Option<u32> {
        if text.len() < self.word.len() {
            return None;
        }
        let most = self.word.len() * 2;
        (0..text.len())
            .filter(|start| text[*start] == self.word[0])
            .filter_map(|start| {
                let mut sought = self.word.iter().peekable();
                let end = text[start..].iter().take(most).position(|byte| {
                    sought.next_if(|next| *next == byte);
                    sought.peek().is_none()
                })?;
                u32::try_from(end + 1 - self.word.len()).ok()
            })
            .min()
    }

    #[cfg(test)]
    pub(super) fn edits_of(&self, text: &str) -> u32 {
        let mut walk = self.walk();
        walk.go_on(text.as_bytes(), 0);
        walk.here().fewest
    }
}

/// A word being held against texts, one after the other. What a text has in common with the one before is not gone
/// through again, so that texts in alphabetical order cost little more than the ends in which they differ.
#[derive(Debug)]
pub struct Walk<'a> {
    loose: &'a Loose,
    /// After each byte of the last text that was gone through.
    columns: Vec<Column>,
}

/// A column of the table of edits, and what was found up to there.
#[derive(Clone, Copy, Debug)]
struct Column {
    rises: u64,
    falls: u64,
    diagonal: u64,
    before: u64,
    distance: u32,
    fewest: u32,
    /// How many of the word's letters came in their order so far; all of them once they have.
    in_order: usize,
}

impl Walk<'_> {
    /// How far `text` (in lower case) is from holding the word; None where it is not close. `common` is how many bytes
    /// it begins with that the text before, passed over or not, begins with too.
    pub fn distance(&mut self, text: &str, common: usize) -> Option<u32> {
        let mistyped = self.mistyped(text, common);
        if mistyped.is_some() || self.here().in_order < self.loose.word.len() {
            return mistyped;
        }
        let stretches = text.split(BETWEEN).filter_map(|part| self.loose.stretch(part.as_bytes()));
        Some(self.loose.allowed + stretches.min()?)
    }

    /// The same by keystrokes alone: all that can be close where a letter of the word is missing.
    pub fn mistyped(&mut self, text: &str, common: usize) -> Option<u32> {
        self.go_on(text.as_bytes(), common);
        Some(self.here().fewest).filter(|edits| *edits <= self.loose.allowed)
    }

    /// Passes over a text.
    pub fn pass(&mut self, common: usize) {
        self.columns.truncate(common);
    }

    fn go_on(&mut self, text: &[u8], common: usize) {
        self.pass(common);
        let mut column = self.here();
        for byte in &text[self.columns.len()..] {
            column = column.next(self.loose, *byte);
            self.columns.push(column);
        }
    }

    fn here(&self) -> Column {
        self.columns.last().copied().unwrap_or_else(|| Column::first(self.loose))
    }
}

impl Column {
    fn first(loose: &Loose) -> Self {
        let length = u32::try_from(loose.word.len()).unwrap_or(u32::MAX);
        Self {
            rises: u64::MAX,
            falls: 0,
            diagonal: 0,
            before: 0,
            distance: length,
            fewest: length,
            in_order: 0,
        }
    }

    /// The fewest keystrokes (a letter more, less, other, or two the other way round) that make the word of some part
    /// of the text. Myers' bit-vector algorithm with Hyyrö's transpositions: a column of the table at a time.
    fn next(self, loose: &Loose, byte: u8) -> Self {
        let length = loose.word.len();
        if char::from(byte) == BETWEEN {
            let in_order = if self.in_order == length { length } else { 0 };
            return Self { fewest: self.fewest, in_order, ..Self::first(loose) };
        }
        let last = 1_u64 << (length - 1);
        let Self { rises, falls, before, .. } = self;
        let here = loose.places[usize::from(byte)];
        let swapped = ((!self.diagonal & here) << 1) & before;
        let diagonal = ((here & rises).wrapping_add(rises) ^ rises) | here | falls | swapped;
        let (more, less) = (falls | !(diagonal | rises), diagonal & rises);
        let distance = (self.distance + u32::from(more & last != 0)) - u32::from(less & last != 0);
        // The part may begin anywhere in the text: nothing is carried into the first row.
        let (more, less) = (more << 1, less << 1);
        Self {
            rises: less | !(diagonal | more),
            falls: more & diagonal,
            diagonal,
            before: here,
            distance,
            fewest: self.fewest.min(distance),
            in_order: self.in_order + usize::from(loose.word.get(self.in_order) == Some(&byte)),
        }
    }
}
