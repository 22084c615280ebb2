//! Time-based one-time passwords as MFA devices show them (RFC 6238: SHA-1, 30 seconds, 6 digits).

use aws_lc_rs::hmac;
use jiff::Timestamp;

/// How long one code stands, in seconds.
const STEP: i64 = 30;

/// The six digits that a device with this seed shows at `at`.
#[must_use]
pub fn code(seed: &[u8], at: Timestamp) -> String {
    code_of_step(seed, step_of(at))
}

/// A seed as authenticator programs take it: base32 (RFC 4648), without padding.
#[must_use]
pub fn base32(seed: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bit = |at: usize| seed.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    let letter = |nth: usize| (nth * 5..nth * 5 + 5).fold(0, |value, at| value << 1 | usize::from(bit(at)));
    (0..(seed.len() * 8).div_ceil(5)).map(|nth| char::from(LETTERS[letter(nth)])).collect()
}

/// The step that a code belongs to, if it is the current one or a neighbour of it.
#[must_use]
pub fn matching_step(seed: &[u8], code: &str, at: Timestamp) -> Option<u64> {
    let now = step_of(at);
    [now, now.saturating_sub(1), now + 1].into_iter().find(|&step| code_of_step(seed, step) == code)
}

/// The number of the 30 seconds that a time lies in.
#[must_use]
pub fn step_of(at: Timestamp) -> u64 {
    u64::try_from(at.as_second() / STEP).unwrap_or(0)
}

fn code_of_step(seed: &[u8], step: u64) -> String {
    format!("{:06}", truncated(seed, step) % 1_000_000)
}

/// RFC 4226's dynamic truncation.
fn truncated(seed: &[u8], step: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, seed);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes[19] & 0x0f);
    let word = [bytes[offset] & 0x7f, bytes[offset + 1], bytes[offset + 2], bytes[offset + 3]];
    u32::from_be_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn shows_the_codes_of_the_rfc() {
        for (second, digits) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let at = Timestamp::from_second(second).expect("a time");
            assert_eq!(code(b"12345678901234567890", at), digits[2..], "at {second}");
        }
    }

    /// RFC 4648, section 10.
    #[test]
    fn writes_seeds_in_base32() {
        for (seed, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(seed.as_bytes()), text);
        }
    }

    #[test]
    fn accepts_the_neighbouring_steps_alone() {
        let at = Timestamp::from_second(1_111_111_109).expect("a time");
        let shift = |seconds| at + jiff::SignedDuration::from_secs(seconds);
        let seed = b"12345678901234567890";
        for seconds in [-30, 0, 30] {
            assert!(matching_step(seed, &code(seed, shift(seconds)), at).is_some());
        }
        assert_eq!(matching_step(seed, &code(seed, shift(90)), at), None);
    }
}
