//! Records as they came, packed: some 60 together, an eighth to a tenth of their size.

use std::cell::RefCell;
use std::sync::Arc;

use libdeflater::{CompressionLvl, Compressor, Decompressor};

/// Records in a pack, at most, and bytes of them.
const RECORDS: usize = 64;
const BYTES: usize = 128 << 10;

/// Some records, deflated together. One of them is had again in about 50 µs.
#[derive(Debug)]
pub struct Pack {
    deflated: Box<[u8]>,
    /// Where each record ends in the text that was deflated.
    ends: Box<[u32]>,
}

/// Where a record lies: its pack, and its place in that.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) pack: Arc<Pack>,
    pub(super) place: u8,
}

thread_local! {
    /// Deflating well needs some memory, which is not to be got anew for each pack.
    static DEFLATE: RefCell<Option<Compressor>> = const { RefCell::new(None) };
}

impl Pack {
    /// Packs these records, a pack for each 64 of them.
    pub(super) fn all<'a>(records: impl IntoIterator<Item = &'a str>) -> Vec<Kept> {
        let mut kept = Vec::new();
        let (mut text, mut ends) = (String::new(), Vec::new());
        let mut close = |text: &mut String, ends: &mut Vec<u32>| {
            let pack = Arc::new(Self { deflated: deflate(text.as_bytes()), ends: ends.as_slice().into() });
            kept.extend((0..).zip(ends.iter()).map(|(place, _)| Kept { pack: Arc::clone(&pack), place }));
            text.clear();
            ends.clear();
        };
        for record in records {
            if ends.len() == RECORDS || text.len() + record.len() > BYTES && !ends.is_empty() {
                close(&mut text, &mut ends);
            }
            text.push_str(record);
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        if !ends.is_empty() {
            close(&mut text, &mut ends);
        }
        kept
    }

    /// The record in that place, as it came.
    pub(super) fn record(&self, place: u8) -> Option<String> {
        let place = usize::from(place);
        let end = *self.ends.get(place)? as usize;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        let mut text = vec![0; *self.ends.last()? as usize];
        Decompressor::new().deflate_decompress(&self.deflated, &mut text).ok()?;
        String::from_utf8(text.get(start..end)?.to_vec()).ok()
    }

    /// Its size in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>() + self.deflated.len() + self.ends.len() * size_of::<u32>()
    }
}

fn deflate(text: &[u8]) -> Box<[u8]> {
    DEFLATE.with_borrow_mut(|deflate| {
        let deflate = deflate.get_or_insert_with(|| {
            // Level 1: the records are so much alike that more costs time and gains little.
            Compressor::new(CompressionLvl::new(1).unwrap_or_default())
        });
        let mut deflated = vec![0; deflate.deflate_compress_bound(text.len())];
        // Within the bound it always fits.
        let size = deflate.deflate_compress(text, &mut deflated).unwrap_or_default();
        deflated.truncate(size);
        deflated.into_boxed_slice()
    })
}

#[cfg(test)]
mod tests {
    use super::Pack;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_record_comes_back_as_it_was(records in prop::collection::vec(".{0,300}", 0..200)) {
            let kept = Pack::all(records.iter().map(String::as_str));
            let back: Vec<_> = kept.iter().map(|kept| kept.pack.record(kept.place).unwrap()).collect();
            prop_assert_eq!(back, records);
        }
    }

    #[test]
    fn records_that_are_alike_take_little_room() {
        let records: Vec<String> =
            (0..64).map(|n| format!("{{\"eventName\":\"Decrypt\",\"number\":{n}}}")).collect();
        let kept = Pack::all(records.iter().map(String::as_str));
        let plain: usize = records.iter().map(String::len).sum();
        assert!(kept[0].pack.deflated.len() < plain / 4, "{} of {plain}", kept[0].pack.deflated.len());
    }

    #[test]
    fn a_record_larger_than_a_pack_has_one_of_its_own() {
        let large = "x".repeat(1 << 20);
        let kept = Pack::all(["a", &large, "b"]);
        assert_eq!(kept[1].pack.record(kept[1].place).as_deref(), Some(large.as_str()));
        assert_eq!(kept[2].pack.record(kept[2].place).as_deref(), Some("b"));
    }
}
