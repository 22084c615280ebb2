//! Sixteen thousand events by column. A text stands once in a segment's dictionary, and two bytes name it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::columns::{self, COLUMNS, Column, Flags};
use super::packed::{Kept, Pack};
use crate::model::event::{KeyEvent, Severity};

/// Events in a segment, at most.
pub(super) const ROWS: usize = 1 << 14;
/// Stands for no text.
const NONE: u16 = u16::MAX;

/// An event's id as 16 bytes: a UUID's own value; a short text's bytes; a hash of a longer text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(u128);

impl EventKey {
    /// The key of an `eventID`, and whether it says all: whether the text follows from it.
    pub(super) fn of(id: &str) -> (Self, bool) {
        use std::hash::{DefaultHasher, Hash as _, Hasher as _};
        if let Ok(uuid) = uuid::Uuid::try_parse(id) {
            let mut text = uuid::Uuid::encode_buffer();
            return (Self(uuid.as_u128()), uuid.hyphenated().encode_lower(&mut text) == id);
        }
        let mut bytes = [0; 16];
        if let Some(short) = bytes.get_mut(..id.len()) {
            short.copy_from_slice(id.as_bytes());
            return (Self(u128::from_be_bytes(bytes)), false);
        }
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, id).hash(&mut hasher);
            u128::from(hasher.finish())
        };
        (Self(half(1) << 64 | half(2)), false)
    }

    /// The key of an `eventID`.
    #[must_use]
    pub fn from_id(id: &str) -> Self {
        uuid::Uuid::try_parse(id).map_or_else(|_| Self::of(id).0, |uuid| Self(uuid.as_u128()))
    }

    /// Its high and its low bits.
    pub(in crate::trail) fn halves(self) -> (u64, u64) {
        uuid::Uuid::from_u128(self.0).as_u64_pair()
    }

    /// A number below `shards`, for keys to be spread by.
    pub(in crate::trail) fn shard(self, shards: usize) -> usize {
        // The low bytes of a UUID are random.
        usize::from(self.0.to_le_bytes()[0]) % shards
    }

    fn uuid(self) -> String {
        uuid::Uuid::from_u128(self.0).hyphenated().to_string()
    }
}

/// Texts, each once, end to end, a line end after each.
#[derive(Clone, Debug, Default)]
pub(super) struct Dictionary {
    text: String,
    ends: Vec<u32>,
}

impl Dictionary {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, id: u16) -> Option<&str> {
        let id = usize::from(id);
        let end = *self.ends.get(id)? as usize;
        self.text.get(self.start(id)..end - 1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|id| &self.text[self.start(id)..self.ends[id] as usize - 1])
    }

    /// All texts, a line end after each.
    pub(super) fn whole(&self) -> &str {
        &self.text
    }

    /// The text at a place of [`Self::whole`], where it begins, and where the next one does.
    pub(super) fn at(&self, place: usize) -> (usize, usize, usize) {
        let id = self.ends.partition_point(|end| *end as usize <= place);
        (id, self.start(id), self.ends.get(id).map_or(self.text.len(), |end| *end as usize))
    }

    fn start(&self, id: usize) -> usize {
        id.checked_sub(1).map_or(0, |before| self.ends[before] as usize)
    }

    fn push(&mut self, text: &str) -> u16 {
        self.text.push_str(text);
        self.text.push('\n');
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        // There are at most as many as rows.
        u16::try_from(self.ends.len() - 1).unwrap_or(NONE)
    }

    fn size(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

/// Events, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Segment {
    /// In microseconds since 1970.
    at: Vec<i64>,
    keys: Vec<EventKey>,
    /// Ids that do not follow from their keys.
    odd_ids: BTreeMap<u16, Box<str>>,
    severities: Vec<Severity>,
    flags: Vec<Flags>,
    texts: [Vec<u16>; COLUMNS],
    dictionaries: [Dictionary; COLUMNS],
    packs: Vec<Arc<Pack>>,
    /// The pack of each row, and its place in it.
    kept: Vec<(u16, u8)>,
}

/// Where texts stand in a segment's dictionaries. Only the segment that is being filled needs it.
#[derive(Debug)]
pub(super) struct Words {
    ids: [HashMap<Box<str>, u16>; COLUMNS],
}

impl Default for Words {
    fn default() -> Self {
        Self { ids: std::array::from_fn(|_| HashMap::new()) }
    }
}

impl Segment {
    pub(super) fn len(&self) -> usize {
        self.at.len()
    }

    /// Takes an event in as the last row.
    pub(super) fn push(&mut self, words: &mut Words, event: &KeyEvent, kept: &Kept) {
        let row = u16::try_from(self.len()).unwrap_or(NONE);
        let (key, is_all) = EventKey::of(&event.id);
        if !is_all {
            self.odd_ids.insert(row, event.id.as_str().into());
        }
        self.at.push(event.at.as_microsecond());
        self.keys.push(key);
        self.severities.push(event.severity);
        self.flags.push(Flags::of(event));
        for (column, text) in columns::texts(event).into_iter().enumerate() {
            let id = text.map_or(NONE, |text| self.word(words, column, &text));
            self.texts[column].push(id);
        }
        if !self.packs.last().is_some_and(|last| Arc::ptr_eq(last, &kept.pack)) {
            self.packs.push(Arc::clone(&kept.pack));
        }
        self.kept.push((u16::try_from(self.packs.len() - 1).unwrap_or(NONE), kept.place));
    }

    fn word(&mut self, words: &mut Words, column: usize, text: &str) -> u16 {
        let ids = &mut words.ids[column];
        if let Some(id) = ids.get(text) {
            return *id;
        }
        let id = self.dictionaries[column].push(text);
        ids.insert(text.into(), id);
        id
    }

    /// Gives back what growing took too much; for a segment that is full.
    pub(super) fn seal(&mut self) {
        self.at.shrink_to_fit();
        self.keys.shrink_to_fit();
        self.severities.shrink_to_fit();
        self.flags.shrink_to_fit();
        self.packs.shrink_to_fit();
        self.kept.shrink_to_fit();
        for ids in &mut self.texts {
            ids.shrink_to_fit();
        }
        for dictionary in &mut self.dictionaries {
            dictionary.text.shrink_to_fit();
            dictionary.ends.shrink_to_fit();
        }
    }

    pub(super) fn micros(&self) -> &[i64] {
        &self.at
    }

    pub(super) fn at(&self, row: usize) -> Timestamp {
        // It was one when it came in.
        Timestamp::from_microsecond(self.at[row]).unwrap_or_default()
    }

    /// What rows are sorted by: time, then id.
    pub(super) fn order(&self, row: usize) -> (std::cmp::Reverse<i64>, EventKey) {
        (std::cmp::Reverse(self.at[row]), self.keys[row])
    }

    pub(super) fn key(&self, row: usize) -> EventKey {
        self.keys[row]
    }

    pub(super) fn set_severity(&mut self, row: usize, severity: Severity) {
        self.severities[row] = severity;
    }

    pub(super) fn severities(&self) -> &[Severity] {
        &self.severities
    }

    pub(super) fn flags(&self) -> &[Flags] {
        &self.flags
    }

    pub(super) fn ids(&self, column: Column) -> &[u16] {
        &self.texts[column as usize]
    }

    pub(super) fn dictionary(&self, column: Column) -> &Dictionary {
        &self.dictionaries[column as usize]
    }

    pub(super) fn text(&self, row: usize, column: Column) -> Option<&str> {
        self.dictionary(column).get(self.ids(column)[row])
    }

    pub(super) fn event(&self, row: usize) -> KeyEvent {
        let odd = u16::try_from(row).ok().and_then(|row| self.odd_ids.get(&row));
        let id = odd.map_or_else(|| self.keys[row].uuid(), |id| (**id).to_owned());
        columns::event(id, self.at(row), self.severities[row], self.flags[row], |column| {
            self.text(row, column)
        })
    }

    pub(super) fn kept(&self, row: usize) -> Kept {
        let (pack, place) = self.kept[row];
        Kept { pack: Arc::clone(&self.packs[usize::from(pack)]), place }
    }

    /// Its size in memory without the packs, and that of the packs, in bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let odd: usize = self.odd_ids.values().map(|id| id.len() + 32).sum();
        let texts: usize = self.texts.iter().map(|ids| ids.capacity() * size_of::<u16>()).sum();
        let words: usize = self.dictionaries.iter().map(Dictionary::size).sum();
        let plain = self.at.capacity() * size_of::<i64>()
            + self.keys.capacity() * size_of::<EventKey>()
            + self.severities.capacity()
            + self.flags.capacity()
            + self.kept.capacity() * size_of::<(u16, u8)>()
            + self.packs.capacity() * size_of::<Arc<Pack>>();
        (size_of::<Self>() + odd + texts + words + plain, self.packs.iter().map(|pack| pack.size()).sum())
    }
}
