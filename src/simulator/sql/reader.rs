//! Reads the little-endian fields of a TDS message; runs out with an error, never with a panic.

use super::types::from_utf16;

/// A message that is not what the protocol says it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed TDS message: {0}")]
pub struct Malformed(pub &'static str);

/// What is left of a message.
#[derive(Clone, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u16_be(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    /// A length that counts bytes.
    pub fn length32(&mut self) -> Result<usize, Malformed> {
        usize::try_from(self.u32()?).map_err(|_| Malformed("a length is out of range"))
    }

    /// `B_VARCHAR`: a count of UTF-16 units in one byte, then the units.
    pub fn b_varchar(&mut self) -> Result<String, Malformed> {
        let units = self.u8()?;
        self.take(2 * usize::from(units)).map(from_utf16)
    }

    /// `US_VARCHAR`: a count of UTF-16 units in two bytes, then the units.
    pub fn us_varchar(&mut self) -> Result<String, Malformed> {
        let units = self.u16()?;
        self.take(2 * usize::from(units)).map(from_utf16)
    }

    /// Skips `ALL_HEADERS`, with which batches, RPCs and transaction requests begin.
    pub fn skip_all_headers(&mut self) -> Result<(), Malformed> {
        let total = self.clone().length32()?;
        if total < 4 {
            return Err(Malformed("ALL_HEADERS is shorter than its own length"));
        }
        self.take(total).map(drop)
    }
}
