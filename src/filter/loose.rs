//! What comes closest to a word that nothing holds.

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
        self.mistyped(text).or_else(|| Some(self.allowed + self.stretch(text.as_bytes())?))
    }

    /// The same by keystrokes alone: all that can be close where a letter of the word is missing.
    #[must_use]
    pub fn mistyped(&self, text: &str) -> Option<u32> {
        Some(self.edits(text.as_bytes())).filter(|edits| *edits <= self.allowed)
    }

    /// The fewest keystrokes (a letter more, less, other, or two the other way round) that make the word of some part
    /// of `text`. Myers' bit-vector algorithm with Hyyrö's transpositions: a column of the table at a time.
    fn edits(&self, text: &[u8]) -> u32 {
        let length = u32::try_from(self.word.len()).unwrap_or(u32::MAX);
        let last = 1_u64 << (self.word.len() - 1);
        let (mut rises, mut falls) = (u64::MAX, 0_u64);
        let (mut diagonal, mut before) = (0_u64, 0_u64);
        let (mut distance, mut fewest) = (length, length);
        for byte in text {
            let here = self.places[usize::from(*byte)];
            let swapped = ((!diagonal & here) << 1) & before;
            diagonal = ((here & rises).wrapping_add(rises) ^ rises) | here | falls | swapped;
            let (more, less) = (falls | !(diagonal | rises), diagonal & rises);
            distance = (distance + u32::from(more & last != 0)) - u32::from(less & last != 0);
            fewest = fewest.min(distance);
            // The part may begin anywhere in the text: nothing is carried into the first row.
            let (more, less) = (more << 1, less << 1);
            rises = less | !(diagonal | more);
            falls = more & diagonal;
            before = here;
        }
        fewest
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
        self.edits(text.as_bytes())
    }
}
