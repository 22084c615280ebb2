//! Answers that a run's steps ask of a person: a value, the names of those who agreed, going on without a step.

use super::actor::Actor;
use super::asks::not_asked_for;
use super::view::{Offer, Waiting};
use crate::model::arn::KeyArn;
use crate::model::text::{Untrusted, visible};
use crate::runbook::{Next, Outcome, StepKind, Value};

impl Actor {
    /// Takes the value that an `ask` step wants.
    pub(super) async fn take_value(&mut self, value: String) -> Result<(), String> {
        let live = self.under_way()?;
        let (Waiting::Value { question, offers, typed, .. }, Next::Step(_, step)) =
            (live.waiting.clone(), live.run.next(&live.runbook))
        else {
            return Err(not_asked_for(&live.waiting));
        };
        let StepKind::Ask { value: wanted, .. } = step.kind else {
            return Err(not_asked_for(&live.waiting));
        };
        let key = live.run.found.as_ref().map(|found| found.key.clone());
        let value = value.trim().to_owned();
        if let Err(wrong) = fits(wanted, &value, &offers, key.as_ref()) {
            self.wait_for(Waiting::Value { question, offers, typed, wrong: Some(wrong) });
            return Ok(());
        }
        live.learned.insert(wanted, Untrusted::new(value.clone()));
        self.fact(true, format!("{}: {}", wanted.word(), visible(&value)));
        self.answer(Outcome::Answered).await
    }

    /// Takes the names of those who agreed.
    pub(super) async fn take_approval(&mut self, by: Vec<String>, note: String) -> Result<(), String> {
        let requester = self.estate.identity.known().map(|identity| identity.arn.clone());
        let live = self.under_way()?;
        let Waiting::Approval { by: who, people, .. } = live.waiting.clone() else {
            return Err(not_asked_for(&live.waiting));
        };
        match agreed(&by, &note, people, requester.as_deref()) {
            Ok(names) => {
                let told = names.iter().map(|name| visible(name)).collect::<Vec<_>>().join(", ");
                self.fact(
                    true,
                    format!("{told} agreed, as the requester declares: {}", visible(note.trim())),
                );
                let by = names.into_iter().map(Untrusted::new).collect();
                self.answer(Outcome::Approved { by, note: Untrusted::new(note.trim().to_owned()) }).await
            }
            Err(wrong) => {
                self.wait_for(Waiting::Approval { by: who, people, wrong: Some(wrong) });
                Ok(())
            }
        }
    }

    /// Goes on from a step that failed, as its runbook allows.
    pub(super) async fn go_on_without(&mut self) -> Result<(), String> {
        let live = self.under_way()?;
        let Waiting::Failed { reason, otherwise: Some(_), .. } = live.waiting.clone() else {
            return Err(match live.waiting {
                Waiting::Failed { .. } => {
                    "this step is not to be gone on from: try again, or leave".to_owned()
                }
                ref other => not_asked_for(other),
            });
        };
        self.answer(Outcome::WentOn { reason }).await
    }
}

/// Whether a value is what the step wants.
fn fits(wanted: Value, value: &str, offers: &[Offer], key: Option<&KeyArn>) -> Result<(), String> {
    if offers.iter().any(|offer| offer.value == value) {
        return Ok(());
    }
    match wanted {
        Value::Principal if is_principal(value) => Ok(()),
        Value::Principal => Err(format!(
            "`{}` is no ARN of an IAM user or role, such as arn:aws:iam::111122223333:role/app. A session's ARN is not taken: name its role",
            visible(value)
        )),
        Value::NewKey => match value.parse::<KeyArn>() {
            Ok(arn) if Some(&arn) == key => {
                Err("that is the very key that is to be taken over from: name the other one".to_owned())
            }
            Ok(_) => Ok(()),
            Err(why) => Err(why.to_string()),
        },
        Value::Grant | Value::DeniedPrincipal | Value::DbInstance | Value::Material => {
            Err(format!("`{}` is none of those offered", visible(value)))
        }
    }
}

/// Whether this is the ARN of one IAM user or role.
pub(super) fn is_principal(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [head, partition, service, region, account, rest] = parts.as_slice() else { return false };
    let named = rest.strip_prefix("user/").or_else(|| rest.strip_prefix("role/"));
    *head == "arn"
        && partition.starts_with("aws")
        && *service == "iam"
        && region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && named.is_some_and(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_/-".contains(c))
        })
}

/// The distinct people who agreed.
fn agreed(by: &[String], note: &str, people: u8, requester: Option<&str>) -> Result<Vec<String>, String> {
    let mut names: Vec<String> = Vec::new();
    for name in by.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        if requester.is_some_and(|me| is_me(name, me)) {
            return Err(format!("{} asks for this, and cannot be the one who agrees to it", visible(name)));
        }
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name.to_owned());
        }
    }
    if names.len() < usize::from(people) {
        return Err(format!(
            "{people} must agree, and {} named: write NAME, NAME: how you know",
            names.len()
        ));
    }
    if note.trim().is_empty() {
        return Err("say how you know, after a colon: by telephone, in the incident's channel".to_owned());
    }
    Ok(names)
}

/// Whether a name is the requester's: the ARN, or what stands at its end.
fn is_me(name: &str, arn: &str) -> bool {
    let last = arn.rsplit(['/', ':']).next().unwrap_or(arn);
    name.eq_ignore_ascii_case(arn) || name.eq_ignore_ascii_case(last)
}

#[cfg(test)]
mod tests {
    use super::{agreed, is_principal};
    use proptest::prelude::*;

    #[test]
    fn principals_are_users_and_roles_by_their_own_arn() {
        for arn in
            ["arn:aws:iam::111122223333:role/app", "arn:aws-cn:iam::111122223333:user/a/path/anna@b.example"]
        {
            assert!(is_principal(arn), "{arn}");
        }
        for not in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:sts::111122223333:assumed-role/app/i-1",
            "arn:aws:iam::111122223333:role/*",
            "arn:aws:iam::1111:role/app",
            "*",
            "arn:aws:iam::111122223333:role/",
        ] {
            assert!(!is_principal(not), "{not}");
        }
    }

    #[test]
    fn the_requester_and_the_same_person_twice_do_not_count() {
        let me = Some("arn:aws:iam::111122223333:user/oncall-a");
        let by = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert!(agreed(&by(&["OnCall-A"]), "phone", 1, me).unwrap_err().contains("asks for this"));
        assert!(agreed(&by(&["Bea", " bea "]), "phone", 2, me).unwrap_err().contains("1 named"));
        assert!(agreed(&by(&["Bea"]), " ", 1, me).unwrap_err().contains("how you know"));
        assert_eq!(agreed(&by(&[" Bea", "Carl", ""]), "phone", 2, me).unwrap(), ["Bea", "Carl"]);
    }

    proptest! {
        #[test]
        fn no_text_with_a_wildcard_or_a_blank_is_a_principal(text in ".*[*? \n].*") {
            prop_assert!(!is_principal(&text));
        }
    }
}
