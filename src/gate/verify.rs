/// Reads in a row that must agree before a state counts as proved: KMS is eventually consistent.
pub const AGREEING_READS: u8 = 3;
