//! Words that every telling of dependents uses.

use jiff::Timestamp;

use crate::model::policy::Principal;
use crate::model::text::visible;

/// `1 column`, `4,112 columns`.
pub(super) fn counted(count: usize, word: &str) -> String {
    format!("{} {word}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// `4,112`.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `once`, `4,112 times`.
pub(super) fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{} times", grouped(count)) }
}

/// A time, with its date where that is not today: `13:02Z`, `2026-11-30 14:02Z`.
pub(super) fn moment(at: Timestamp, now: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    if day(at) == day(now) {
        at.strftime("%H:%MZ").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%MZ").to_string()
    }
}

/// The part of a principal by which people know it: of an ARN what comes after `role/` and the like, with the
/// account where it is not `home`.
pub(super) fn principal(arn: &str, home: &str) -> String {
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4);
    let name = match (account, parts.next()) {
        (Some(account), Some(resource)) if arn.starts_with("arn:") => {
            let foreign = if account == home || account.is_empty() {
                String::new()
            } else {
                format!(" of account {account}")
            };
            let resource = if resource == "root" { "the account" } else { resource };
            let resource = resource.split_once('/').map_or(resource, |(_, name)| name);
            format!("{resource}{foreign}")
        }
        _ => arn.to_owned(),
    };
    visible(&name).into_owned()
}

/// Whom a policy names, with the account where it is not `home` and not said already.
pub(super) fn of_account(who: &Principal, home: &str) -> String {
    match who.account() {
        Some(account) if account != home && !matches!(who, Principal::Account { .. }) => {
            format!("{who} of account {account}")
        }
        _ => who.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{grouped, moment, principal};

    #[test]
    fn figures_are_grouped_by_thousands() {
        assert_eq!(
            [0, 7, 999, 1000, 4112, 1_234_567].map(grouped),
            ["0", "7", "999", "1,000", "4,112", "1,234,567"]
        );
    }

    #[test]
    fn a_time_has_its_date_where_it_is_not_today() {
        let now = "2026-11-23T14:02:31Z".parse().unwrap();
        assert_eq!(moment("2026-11-23T13:02:00Z".parse().unwrap(), now), "13:02Z");
        assert_eq!(moment("2026-11-30T14:02:00Z".parse().unwrap(), now), "2026-11-30 14:02Z");
    }

    #[test]
    fn principals_go_by_their_names_and_foreign_ones_by_their_account_too() {
        let told = |arn| principal(arn, "111122223333");
        assert_eq!(told("arn:aws:iam::111122223333:role/app/Decryptor"), "app/Decryptor");
        assert_eq!(told("arn:aws:iam::444455556666:role/Import"), "Import of account 444455556666");
        assert_eq!(told("arn:aws:iam::444455556666:root"), "the account of account 444455556666");
        assert_eq!(told("rds.eu-west-1.amazonaws.com"), "rds.eu-west-1.amazonaws.com");
        assert_eq!(told("evil\u{1b}[2J"), "evil␛[2J");
    }
}
