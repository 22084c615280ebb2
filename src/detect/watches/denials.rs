//! Who is refused again and again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::super::finding::Finding;
use super::super::look::House;
use super::super::rules::DENIED_BURST;
use super::super::sight::{called, identity, key, words};
use super::super::tuning::any_fits;
use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::model::text::{Untrusted, visible};

/// Events that a finding names, at most.
const NAMED: usize = 50;

/// Denied calls, by who made them.
#[derive(Debug, Default)]
pub(in crate::detect) struct Denials(HashMap<String, BTreeMap<(Timestamp, String), Denial>>);

#[derive(Clone, Debug)]
struct Denial {
    call: Untrusted,
    /// Whether it was only to look: to list, to describe. Whoever keeps an inventory is refused such calls all the time.
    is_look: bool,
    key: Option<KeyArn>,
    who: Who,
    from: Untrusted,
    region: String,
}

impl Denials {
    pub(in crate::detect) fn see(&mut self, event: &KeyEvent) {
        if !matches!(event.outcome, Outcome::Denied { .. }) || event.who.is_service() {
            return;
        }
        let denial = Denial {
            call: event.name.clone(),
            is_look: event.read_only == Some(true) && !event.is_use(),
            key: key(event),
            who: event.who.clone(),
            from: event.from.clone(),
            region: event.region.clone(),
        };
        let of_whom = self.0.entry(identity(&event.who).to_owned()).or_default();
        of_whom.insert((event.at, event.id.clone()), denial);
    }

    pub(in crate::detect) fn findings(&self, house: &House, findings: &mut Vec<Finding>) {
        for (whom, denials) in &self.0 {
            let first_of = |run: &[(&(Timestamp, String), &Denial)]| {
                any_fits(&house.tuning.principals, called(&run[0].1.who))
            };
            let runs = runs(denials, house);
            findings
                .extend(runs.iter().filter(|run| !first_of(run)).filter_map(|run| burst(whom, run, house)));
        }
    }
}

type Run<'a> = Vec<(&'a (Timestamp, String), &'a Denial)>;

/// Denials with no pause between them longer than the window.
fn runs<'a>(denials: &'a BTreeMap<(Timestamp, String), Denial>, house: &House) -> Vec<Run<'a>> {
    let mut runs: Vec<Run<'a>> = Vec::new();
    for one in denials {
        match runs.last_mut() {
            Some(run)
                if run
                    .last()
                    .is_some_and(|last| one.0.0.duration_since(last.0.0) <= house.tuning.burst_window) =>
            {
                run.push(one);
            }
            _ => runs.push(vec![one]),
        }
    }
    runs
}

/// The finding of a run, where enough of it came within the window.
fn burst(whom: &str, run: &Run<'_>, house: &House) -> Option<Finding> {
    let (rule, count) = (&DENIED_BURST, house.tuning.burst_count.max(1));
    let dense = |few: &&[(&(Timestamp, String), &Denial)]| {
        few[few.len() - 1].0.0.duration_since(few[0].0.0) <= house.tuning.burst_window
    };
    let tried: Run<'_> = run.iter().filter(|(_, denial)| !denial.is_look).copied().collect();
    let (became, severity) = match tried.windows(count).find(dense) {
        Some(became) => (became, rule.severity),
        None => (run.windows(count).find(dense)?, Severity::Notice),
    };
    let (first, last) = (run.first()?, run.last()?);
    let keys: BTreeSet<&KeyArn> = run.iter().filter_map(|(_, denial)| denial.key.as_ref()).collect();
    let calls: BTreeSet<&str> = run.iter().map(|(_, denial)| denial.call.raw()).collect();
    let calls: Vec<String> = calls.into_iter().take(4).map(|call| visible(call).into_owned()).collect();
    let on = match keys.first() {
        None => String::new(),
        Some(key) if keys.len() == 1 => format!(" on {}", visible(house.context.name(key))),
        Some(_) => format!(" on {} keys", keys.len()),
    };
    let seconds = last.0.0.duration_since(first.0.0).as_secs();
    let took = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
    Some(Finding {
        id: format!("{}/{whom}/{}", rule.id, first.0.1),
        rule,
        severity,
        at: became[became.len() - 1].0.0,
        events: run.iter().take(NAMED).map(|(event, _)| (event.0, event.1.clone())).collect(),
        keys: keys.into_iter().cloned().collect(),
        who: Some(first.1.who.clone()),
        from: Some(first.1.from.clone()),
        region: first.1.region.clone(),
        reason: format!(
            "{} was refused {} times within {took}{on}: {}",
            words(&first.1.who),
            run.len(),
            calls.join(", ")
        ),
        attempt: true,
        muted: None,
    })
}
