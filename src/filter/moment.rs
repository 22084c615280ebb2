//! Times as people write them, in UTC: a day (`2026-11-23`), a minute or second of one (`2026-11-23T14:02`), a time of
//! day, which is the last one that there was (`14:02`, `14`), and spans of them (`14:00..14:30`, `>14:00`).

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// A stretch of time, from its beginning, or from ever, to its end, or for ever. What is meant by a time of day
/// depends on when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    from: Option<Moment>,
    to: Option<Moment>,
}

/// A time, as long as what was written: a second, a minute, an hour or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Moment {
    start: Start,
    length: SignedDuration,
    /// Whether its end is meant, or its beginning.
    to_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    At(Timestamp),
    OfDay(Time),
}

/// Reads a stretch, in lower case. None while it is only half typed.
pub(super) fn read(text: &str) -> Result<Option<Stretch>, ()> {
    let whole = |moment| Stretch { from: Some(moment), to: Some(Moment { to_end: true, ..moment }) };
    if let Some((from, to)) = text.split_once("..") {
        let (from, to) = (maybe(from)?, maybe(to)?);
        let to = to.map(|moment| Moment { to_end: true, ..moment });
        return Ok((from.is_some() || to.is_some()).then_some(Stretch { from, to }));
    }
    let (sign, rest) = text.split_at(text.len() - text.trim_start_matches(['<', '>', '=']).len());
    let Some(moment) = maybe(rest)? else { return Ok(None) };
    Ok(Some(match sign {
        "" | "=" => whole(moment),
        ">" | ">=" => Stretch { from: Some(moment), to: None },
        "<" => Stretch { from: None, to: Some(moment) },
        "<=" => Stretch { from: None, to: Some(Moment { to_end: true, ..moment }) },
        _ => return Err(()),
    }))
}

/// A moment, if there is one to be read already.
fn maybe(text: &str) -> Result<Option<Moment>, ()> {
    let text = text.trim().trim_end_matches('z').trim_end_matches([':', 't', '-']);
    // A date is typed digit by digit.
    let is_begun = text.len() < 10 && text.len() > 2 && text.chars().all(|c| c.is_ascii_digit() || c == '-');
    if text.is_empty() || is_begun {
        return Ok(None);
    }
    moment(text).map(Some).ok_or(())
}

fn moment(text: &str) -> Option<Moment> {
    let hour = SignedDuration::from_hours(1);
    let (start, length) = match text.split_once(['t', ' ']) {
        Some((date, time)) => {
            let (time, length) = time_of_day(time)?;
            (Start::At(utc(date.parse::<Date>().ok()?.to_datetime(time))?), length)
        }
        None if text.len() == 10 => {
            (Start::At(utc(text.parse::<Date>().ok()?.to_datetime(Time::midnight()))?), hour * 24)
        }
        None => {
            let (time, length) = time_of_day(text)?;
            (Start::OfDay(time), length)
        }
    };
    Some(Moment { start, length, to_end: false })
}

/// `14`, `14:02` or `14:02:31`, and how long that is.
fn time_of_day(text: &str) -> Option<(Time, SignedDuration)> {
    let mut numbers = [0_i8; 3];
    let parts: Vec<&str> = text.trim().split(':').collect();
    let length = match parts.len() {
        1 => SignedDuration::from_hours(1),
        2 => SignedDuration::from_mins(1),
        3 => SignedDuration::from_secs(1),
        _ => return None,
    };
    for (number, part) in numbers.iter_mut().zip(parts) {
        *number = part.parse().ok()?;
    }
    Some((Time::new(numbers[0], numbers[1], numbers[2], 0).ok()?, length))
}

fn utc(at: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(at).ok()
}

impl Stretch {
    /// Its first and its last microsecond, as of `now`.
    #[must_use]
    pub fn between(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let from = self.from.and_then(|from| from.start.last(now));
        let to = self.to.and_then(|to| {
            let start = to.start.last(now)?;
            // From before midnight to after it.
            let over = from.is_some_and(|from| start < from) && matches!(to.start, Start::OfDay(_));
            let start = if over { start.checked_add(SignedDuration::from_hours(24)).ok()? } else { start };
            let end = if to.to_end { start.checked_add(to.length).ok()? } else { start };
            end.checked_sub(SignedDuration::from_micros(1)).ok()
        });
        (from.unwrap_or(Timestamp::MIN), to.unwrap_or(Timestamp::MAX))
    }
}

impl Start {
    /// The last time that it was.
    fn last(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(at),
            Self::OfDay(time) => {
                let today = TimeZone::UTC.to_datetime(now).date();
                let at = utc(today.to_datetime(time))?;
                if at <= now { Some(at) } else { at.checked_sub(SignedDuration::from_hours(24)).ok() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn between(text: &str) -> (String, String) {
        let now: Timestamp = "2026-11-23T15:00:00Z".parse().unwrap();
        let (from, to) = read(text).unwrap().unwrap().between(now);
        (from.strftime("%m-%d %H:%M:%S").to_string(), to.strftime("%m-%d %H:%M:%S").to_string())
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.to_owned(), to.to_owned())
    }

    #[test]
    fn a_time_is_as_long_as_it_is_written() {
        assert_eq!(between("2026-11-20"), pair("11-20 00:00:00", "11-20 23:59:59"));
        assert_eq!(between("2026-11-20t14:02z"), pair("11-20 14:02:00", "11-20 14:02:59"));
        assert_eq!(between("14:02:31"), pair("11-23 14:02:31", "11-23 14:02:31"));
        assert_eq!(between("14"), pair("11-23 14:00:00", "11-23 14:59:59"));
    }

    #[test]
    fn a_time_of_day_is_the_last_one() {
        assert_eq!(between("15:01"), pair("11-22 15:01:00", "11-22 15:01:59"));
        assert_eq!(between("14:00..14:30"), pair("11-23 14:00:00", "11-23 14:30:59"));
        assert_eq!(between("23:50..0:10"), pair("11-22 23:50:00", "11-23 00:10:59"));
    }

    #[test]
    fn signs_leave_an_end_open() {
        assert_eq!(between(">14:00").0, "11-23 14:00:00");
        assert_eq!(between("<14:00").1, "11-23 13:59:59");
        assert_eq!(between("<=14:00").1, "11-23 14:00:59");
        assert_eq!(between("..14:00").1, "11-23 14:00:59");
    }

    #[test]
    fn what_is_half_typed_asks_for_nothing_and_nonsense_is_refused() {
        for half in ["", ">", "2026", "2026-11-", ".."] {
            assert_eq!(read(half), Ok(None), "{half}");
        }
        for bad in ["noon", "25", "14:60", "2026-13-01", "<>14", "1:2:3:4"] {
            assert_eq!(read(bad), Err(()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9<>=.:tz -]{0,24}|\\PC{0,12}", second in -377_000_000_000_i64..253_000_000_000) {
            if let Ok(Some(stretch)) = read(&text) {
                let _ = stretch.between(Timestamp::from_second(second).unwrap());
            }
        }
    }
}
