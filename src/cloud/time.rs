//! The SDK's times and ours.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::failure::Failure;

/// The SDK's time as ours, to the microsecond: AWS sends a decimal fraction, and reading it as binary leaves
/// nanoseconds that nobody meant.
pub(super) fn instant(operation: &'static str, time: &DateTime) -> Result<Timestamp, Failure> {
    // Less than a second's worth of nanoseconds always fits.
    let nanos = i32::try_from(time.subsec_nanos()).unwrap_or_default();
    Timestamp::new(time.secs(), nanos)
        .and_then(|time| time.round(jiff::Unit::Microsecond))
        .map_err(|_| Failure::unreadable(operation, format!("the answer holds an impossible time: {time}")))
}

/// Our time as the SDK's.
pub(super) fn sdk(time: Timestamp) -> DateTime {
    DateTime::from_secs(time.as_second())
}
