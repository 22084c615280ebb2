//! Finding the records in a stream of JSON without parsing it: brackets and quotes, 64 bytes at a time.
//!
//! Takes `{"Records": [{…}, …]}` as trail files have it, `{"Events": […]}` as LookupEvents answers, an array, and
//! objects one after another, a line each or not. What is no record is handed on too, as such: nothing is lost. After
//! a record that is cut short it goes on with the next one, where that can be told.

use memchr::memmem::Finder;
use wide::u8x16;

/// A record larger than this is not waited for, in bytes.
pub(super) const LARGEST: usize = 16 << 20;

/// Something found.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// What looks like a record: an object where one is expected.
    Record(Skimmed<'a>),
    /// Anything else where a record is expected; one that is cut short.
    Garbage(&'a [u8]),
}

/// A record's text, and where in it the record's own fields stand, rather than those of objects in it.
#[derive(Debug, PartialEq, Eq)]
pub struct Skimmed<'a> {
    pub text: &'a [u8],
    /// The ranges outside of inner brackets.
    own: &'a [(usize, usize)],
}

impl<'a> Skimmed<'a> {
    /// The record's own `eventID`, `eventTime` and `eventName`, where they are plain texts: no escapes. `event` finds
    /// [`EVENT`].
    #[must_use]
    pub fn glance(&self, event: &Finder<'_>) -> Option<Glance<'a>> {
        let (mut id, mut time, mut name) = (None, None, None);
        for (from, to) in self.own {
            let mut left = &self.text[*from..*to];
            while let Some(place) = event.find(left) {
                left = &left[place + EVENT.len()..];
                let field = match left {
                    [b'I', b'D', b'"', ..] => &mut id,
                    [b'T', b'i', b'm', b'e', b'"', ..] => &mut time,
                    [b'N', b'a', b'm', b'e', b'"', ..] => &mut name,
                    _ => continue,
                };
                left = &left[2..];
                *field = field.or_else(|| plain(left));
            }
            if let (Some(id), Some(time), Some(name)) = (id, time, name) {
                return Some(Glance { id, time, name });
            }
        }
        None
    }
}

/// How the names of the fields begin that a glance is at.
pub const EVENT: &[u8] = b"\"event";

/// What a glance at a record sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance<'a> {
    pub id: &'a [u8],
    pub time: &'a [u8],
    pub name: &'a [u8],
}

/// The text that a field has, from within its name on; None where it has none, or one with escapes.
fn plain(field: &[u8]) -> Option<&[u8]> {
    let after = memchr::memchr(b'"', field)? + 1;
    let value =
        field[after..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', value)?;
    (value[end] == b'"').then_some(&value[..end])
}

/// Finds records in text that comes in chunks.
#[derive(Debug, Default)]
pub struct Splitter {
    buffer: Vec<u8>,
    scan: Scan,
}

/// Where a scan stands. Places are in the text that is being scanned.
#[derive(Debug, Default)]
struct Scan {
    at: usize,
    in_string: bool,
    /// Whether the next byte follows a backslash.
    escaped: bool,
    depth: usize,
    /// The depth at which records stand: 0, or within the list of a trail file.
    level: usize,
    /// Where the record under way begins.
    start: Option<usize>,
    /// From where on what stands between records has not been looked at.
    gap: usize,
    /// Whether the list of records is over, and what closes it is still to come.
    tail: bool,
    own: Vec<(usize, usize)>,
    /// Where the record's own fields go on, at the depth just within it.
    own_from: usize,
}

/// The bytes of interest among 64: a bit each.
struct Marks {
    quotes: u64,
    backslashes: u64,
    /// Brackets, and a few other bytes that only strings have.
    brackets: u64,
    line_ends: u64,
}

impl Splitter {
    /// Takes more text, and hands on what is complete. False where a record is larger than 16 MiB: no more is
    /// to be had from this text.
    pub fn push(&mut self, chunk: &[u8], emit: &mut impl FnMut(Piece<'_>)) -> bool {
        self.buffer.extend_from_slice(chunk);
        self.scan.run(&self.buffer, emit);
        let done = self.scan.done();
        self.buffer.drain(..done);
        self.scan.move_back(done);
        self.buffer.len() <= LARGEST
    }

    /// The text is over; what is left is handed on. True where it ended as it should.
    pub fn finish(mut self, emit: &mut impl FnMut(Piece<'_>)) -> bool {
        self.scan.finish(&self.buffer, emit)
    }

    /// Finds the records of a text that is all there. True where it ended as it should.
    pub fn whole(text: &[u8], emit: &mut impl FnMut(Piece<'_>)) -> bool {
        let mut scan = Scan::default();
        scan.run(text, emit);
        scan.finish(text, emit)
    }
}

impl Scan {
    fn run(&mut self, text: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        while self.at < text.len() {
            let base = self.at;
            let rest = &text[base..];
            if let Some(block) = rest.first_chunk::<64>() {
                self.block(text, base, &Marks::of(block), 64, emit);
            } else {
                let mut block = [b' '; 64];
                block[..rest.len()].copy_from_slice(rest);
                self.block(text, base, &Marks::of(&block), rest.len(), emit);
            }
        }
    }

    /// Goes through a block of `length` bytes at `base`.
    fn block(
        &mut self,
        text: &[u8],
        base: usize,
        marks: &Marks,
        length: usize,
        emit: &mut impl FnMut(Piece<'_>),
    ) {
        let escaped = self.escapes(marks.backslashes, length);
        let quotes = marks.quotes & !escaped;
        let strings = within(quotes) ^ if self.in_string { u64::MAX } else { 0 };
        // A line cannot end within a string: the record is broken, and the next line begins anew.
        let broken = marks.line_ends & strings;
        let length = if broken == 0 { length } else { broken.trailing_zeros() as usize };
        let mut brackets = marks.brackets & !strings & up_to(length);
        while brackets != 0 {
            let place = base + brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            match text[place] {
                b'{' | b'[' => self.opens(text, place, emit),
                b'}' | b']' => self.closes(text, place, emit),
                _ => {}
            }
        }
        self.at = base + length;
        self.in_string = strings >> 63 == 1;
        if broken != 0 {
            self.give_up(text, self.at, emit);
        }
    }

    /// The bytes that follow a backslash which does not itself.
    fn escapes(&mut self, backslashes: u64, length: usize) -> u64 {
        let mut escaped = u64::from(std::mem::take(&mut self.escaped));
        let mut left = backslashes & !escaped;
        while left != 0 {
            let place = left.trailing_zeros() as usize;
            left &= left - 1;
            if place + 1 == length {
                self.escaped = true;
            } else {
                let next = 1 << (place + 1);
                escaped |= next;
                left &= !next;
            }
        }
        escaped
    }

    fn opens(&mut self, text: &[u8], place: usize, emit: &mut impl FnMut(Piece<'_>)) {
        if self.tail {
            self.depth += 1;
            self.level_of_list(text, place);
        } else if self.depth == self.level {
            Self::look_at_gap(&text[self.gap..place], emit);
            if self.level == 0 && text[place] == b'[' {
                (self.depth, self.level, self.gap) = (1, 1, place + 1);
            } else {
                self.begin(place);
            }
        } else if text[place] == b'{' && !matches!(before(text, place), Some(b':' | b',' | b'[')) {
            // No object can stand here: the record before it is cut short.
            if let Some(start) = self.start.take() {
                emit(Piece::Garbage(&text[start..place]));
            }
            self.depth = self.level;
            self.begin(place);
        } else {
            if self.depth == self.level + 1 {
                self.own.push((self.own_from, place));
            }
            self.depth += 1;
            self.level_of_list(text, place);
        }
    }

    fn begin(&mut self, place: usize) {
        self.start = Some(place);
        self.depth += 1;
        self.own.clear();
        self.own_from = place;
    }

    /// Where this bracket opens the list of records, they stand within it.
    fn level_of_list(&mut self, text: &[u8], place: usize) {
        let opens_list = self.level == 0 && self.depth == 2 && text[place] == b'[';
        if opens_list && is_list_of_records(&text[..place]) {
            (self.level, self.start, self.tail, self.gap) = (2, None, false, place + 1);
        }
    }

    fn closes(&mut self, text: &[u8], place: usize, emit: &mut impl FnMut(Piece<'_>)) {
        if self.depth > self.level || self.tail {
            self.depth -= 1;
            if self.depth == self.level + 1 {
                self.own_from = place + 1;
            }
            if self.depth == self.level && !self.tail {
                self.ends(text, place + 1, emit);
            } else if self.depth == 0 {
                (self.tail, self.gap) = (false, place + 1);
            }
        } else if self.level > 0 {
            Self::look_at_gap(&text[self.gap..place], emit);
            // A list within an object has that object's end still to come.
            self.depth = self.level - 1;
            self.tail = self.depth > 0;
            self.level = 0;
            self.gap = place + 1;
        }
    }

    /// A record ends before `end`.
    fn ends(&mut self, text: &[u8], end: usize, emit: &mut impl FnMut(Piece<'_>)) {
        self.gap = end;
        let Some(start) = self.start.take() else { return };
        self.own.push((self.own_from, end));
        for (from, to) in &mut self.own {
            (*from, *to) = (*from - start, *to - start);
        }
        emit(Piece::Record(Skimmed { text: &text[start..end], own: &self.own }));
    }

    /// Hands on what stands between two records and should not.
    fn look_at_gap(gap: &[u8], emit: &mut impl FnMut(Piece<'_>)) {
        if gap.len() <= 1 {
            return;
        }
        let gap = gap.strip_prefix(b"\xef\xbb\xbf").unwrap_or(gap);
        for line in gap.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            let line = line.strip_prefix(b",").unwrap_or(line);
            let line = line.strip_suffix(b",").unwrap_or(line).trim_ascii();
            if !line.is_empty() {
                emit(Piece::Garbage(line));
            }
        }
    }

    /// Leaves what is under way at `place`, and begins anew there.
    fn give_up(&mut self, text: &[u8], place: usize, emit: &mut impl FnMut(Piece<'_>)) {
        match self.start.take() {
            Some(start) => emit(Piece::Garbage(text[start..place].trim_ascii())),
            None if !self.tail => Self::look_at_gap(&text[self.gap..place], emit),
            None => {}
        }
        let own = std::mem::take(&mut self.own);
        *self = Self { at: place, gap: place, own, ..Self::default() };
    }

    fn finish(&mut self, text: &[u8], emit: &mut impl FnMut(Piece<'_>)) -> bool {
        let whole = self.depth == 0 && !self.in_string;
        self.give_up(text, text.len(), emit);
        whole
    }

    /// How much of the text is not needed any more.
    fn done(&self) -> usize {
        let waits = if self.tail { self.at } else { self.gap };
        self.start.unwrap_or(waits).min(self.at)
    }

    fn move_back(&mut self, by: usize) {
        self.at -= by;
        self.gap = self.gap.saturating_sub(by);
        self.own_from = self.own_from.saturating_sub(by);
        self.start = self.start.map(|start| start - by);
        for (from, to) in &mut self.own {
            (*from, *to) = (from.saturating_sub(by), to.saturating_sub(by));
        }
    }
}

/// The last byte before `place` that is no blank.
fn before(text: &[u8], place: usize) -> Option<u8> {
    text[..place].iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied()
}

/// Whether what comes after this text is the value of `Records` or `Events`.
fn is_list_of_records(text: &[u8]) -> bool {
    let Some(text) = text.trim_ascii_end().strip_suffix(b":") else { return false };
    let text = text.trim_ascii_end();
    text.ends_with(b"\"Records\"") || text.ends_with(b"\"Events\"")
}

impl Marks {
    #[inline]
    fn of(block: &[u8; 64]) -> Self {
        let (chunks, _) = block.as_chunks::<16>();
        let chunks = [0, 1, 2, 3].map(|at: usize| u8x16::new(chunks[at]));
        let (quotes, brackets) = (bits(chunks.map(is_quote)), bits(chunks.map(is_bracket)));
        // Most blocks have neither, and four bit masks less are to be made.
        let [backslash, line_end] = [b'\\', b'\n'].map(u8x16::splat);
        let rare = chunks.map(|bytes| bytes.simd_eq(backslash) | bytes.simd_eq(line_end));
        if (rare[0] | rare[1] | rare[2] | rare[3]).to_bitmask() == 0 {
            return Self { quotes, backslashes: 0, brackets, line_ends: 0 };
        }
        let backslashes = bits(chunks.map(|bytes| bytes.simd_eq(backslash)));
        let line_ends = bits(chunks.map(|bytes| bytes.simd_eq(line_end)));
        Self { quotes, backslashes, brackets, line_ends }
    }
}

/// A bit for each byte that was found.
#[inline]
fn bits(found: [u8x16; 4]) -> u64 {
    let [a, b, c, d] = found.map(|bytes| u64::from(bytes.to_bitmask()));
    a | b << 16 | c << 32 | d << 48
}

#[inline]
fn is_quote(bytes: u8x16) -> u8x16 {
    bytes.simd_eq(u8x16::splat(b'"'))
}

/// [ and ] become { and } with one bit, and nothing else that stands outside of strings does.
#[inline]
fn is_bracket(bytes: u8x16) -> u8x16 {
    let folded = bytes | u8x16::splat(0x20);
    folded.simd_eq(u8x16::splat(b'{')) | folded.simd_eq(u8x16::splat(b'}'))
}

/// From each quote that opens up to the one that closes, that one not included.
fn within(quotes: u64) -> u64 {
    [1, 2, 4, 8, 16, 32].into_iter().fold(quotes, |bits, shift| bits ^ bits << shift)
}

/// The lowest `length` bits.
fn up_to(length: usize) -> u64 {
    if length >= 64 { u64::MAX } else { (1 << length) - 1 }
}

#[cfg(test)]
mod tests;
