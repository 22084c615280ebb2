use super::short;
use jiff::SignedDuration;

#[test]
fn spans_are_told_in_their_largest_unit() {
    let told = |seconds| short(SignedDuration::from_secs(seconds));
    assert_eq!(
        [told(-5), told(59), told(60), told(3600), told(86_400 * 41)],
        ["0 s", "59 s", "1 m", "1 h", "41 d"]
    );
}
