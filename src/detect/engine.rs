//! Keeps what rules need to know of the events, as they come in.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::finding::{Finding, Muted};
use super::look::{House, Look, Verdict, of_attempt};
use super::rule::{Judge, Rule};
use super::rules::{self, Bearing, ROTATION_OVERDUE};
use super::sight::{Sight, Subject};
use super::watches::{Denials, Uses};
use super::{Context, Detections};
use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Severity};
use crate::model::particulars::Particulars;

/// Takes events in, in any order, and tells what the rules find in all of them. An event may be shown to it again.
#[derive(Debug, Default)]
pub struct Engine {
    house: House,
    /// Events that rules look into, by what they are about, the oldest first.
    subjects: HashMap<Subject, Vec<Judged>>,
    uses: Uses,
    denials: Denials,
}

/// An event, and what the rules say of it.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) sight: Sight,
    verdicts: Vec<(&'static Rule, Verdict)>,
}

impl Engine {
    /// An engine that has seen nothing.
    #[must_use]
    pub fn new(tuning: impl Into<Arc<Detections>>, context: Context) -> Self {
        Self { house: House { tuning: tuning.into(), context }, ..Self::default() }
    }

    /// Takes new circumstances: what was judged in other ones is judged again.
    pub fn learn(&mut self, context: Context) {
        if context != self.house.context {
            self.house.context = context;
            for judged in self.subjects.values_mut() {
                for at in 0..judged.len() {
                    judge(at, judged, &self.house);
                }
            }
        }
    }

    /// What the engine knows beside the events.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.house.context
    }

    /// Takes an event in. `particulars` is asked for the few events that rules look into.
    pub fn see(&mut self, event: &KeyEvent, particulars: impl FnOnce() -> Option<Particulars>) {
        // A dry run changes nothing and uses nothing.
        if event.outcome == Outcome::DryRun {
            return;
        }
        self.uses.see(event);
        self.denials.see(event);
        if !rules::look_into(event) {
            return;
        }
        let sight = Sight { event: event.clone(), particulars: particulars() };
        let judged = self.subjects.entry(sight.subject()).or_default();
        if let Err(place) = judged.binary_search_by(|one| one.sight.order().cmp(&sight.order())) {
            judged.insert(place, Judged { sight, verdicts: Vec::new() });
            judge_from(place, judged, &self.house);
        }
    }

    /// Every finding, the newest first; those that a mute keeps quiet at `now` are marked.
    #[must_use]
    pub fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let mut findings: Vec<Finding> = self.subjects.values().flatten().flat_map(of_judged).collect();
        self.uses.findings(&self.house, &mut findings);
        self.denials.findings(&self.house, &mut findings);
        findings.extend(self.house.context.overdue.iter().map(|overdue| of_overdue(overdue, &self.house)));
        for finding in &mut findings {
            finding.muted = self.mute(finding, now);
        }
        findings.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id)));
        findings
    }

    fn mute(&self, finding: &Finding, now: Timestamp) -> Option<Muted> {
        let keys: Vec<(&KeyArn, &str)> =
            finding.keys.iter().map(|key| (key, self.house.context.name(key))).collect();
        let mute = self.house.tuning.mutes.iter().find(|mute| mute.covers(finding.rule, &keys, now))?;
        Some(Muted { reason: mute.reason.clone(), expires: mute.expires })
    }
}

/// Judges what stands at `place`, and anew what came after it, as far as that looks back to it.
fn judge_from(place: usize, judged: &mut [Judged], house: &House) {
    judge(place, judged, house);
    let sight = &judged[place].sight;
    let Some(bearing) = rules::bearing(sight) else { return };
    for at in place + 1..judged.len() {
        judge(at, judged, house);
        // What comes later looks back to this one first.
        if bearing != Bearing::All && rules::bearing(&judged[at].sight) == Some(bearing) {
            return;
        }
    }
}

fn judge(at: usize, judged: &mut [Judged], house: &House) {
    let (earlier, rest) = judged.split_at_mut(at);
    let one = &mut rest[0];
    let look = Look { sight: &one.sight, earlier, house };
    one.verdicts = rules::on(&look).collect();
}

fn of_judged(judged: &Judged) -> impl Iterator<Item = Finding> {
    let event = &judged.sight.event;
    let attempt = !judged.sight.is_done();
    judged.verdicts.iter().map(move |(rule, verdict)| Finding {
        id: format!("{}/{}", rule.id, event.id),
        rule,
        severity: if attempt { of_attempt(verdict.severity) } else { verdict.severity },
        at: event.at,
        events: vec![(event.at, event.id.clone())],
        keys: match event.keys.as_slice() {
            [] => super::sight::key(event).into_iter().collect(),
            keys => keys.to_vec(),
        },
        who: Some(event.who.clone()),
        from: Some(event.from.clone()),
        region: event.region.clone(),
        reason: verdict.reason.clone(),
        attempt,
        muted: None,
    })
}

fn of_overdue(overdue: &super::Overdue, house: &House) -> Finding {
    let rule = &ROTATION_OVERDUE;
    let name = crate::model::text::visible(house.context.name(&overdue.key)).into_owned();
    Finding {
        id: format!("{}/{}", rule.id, overdue.key.as_str()),
        rule,
        severity: rule.severity,
        at: overdue.since,
        events: Vec::new(),
        keys: vec![overdue.key.clone()],
        who: None,
        from: None,
        region: overdue.key.region().to_owned(),
        reason: format!("the rotation of {name} is overdue: {}", overdue.why),
        attempt: false,
        muted: None,
    }
}

/// How much each event matters that a finding which is not muted rests on.
#[must_use]
pub fn severities(findings: &[Finding]) -> HashMap<&str, (Timestamp, Severity)> {
    let mut worst: HashMap<&str, (Timestamp, Severity)> = HashMap::new();
    for finding in findings.iter().filter(|finding| finding.muted.is_none()) {
        for (at, id) in &finding.events {
            let entry = worst.entry(id).or_insert((*at, finding.severity));
            entry.1 = entry.1.max(finding.severity);
        }
    }
    worst
}

impl Rule {
    /// What the rule says of an event that it looks into.
    pub(super) fn judge(&'static self, look: &Look<'_>) -> Option<(&'static Self, Verdict)> {
        let judge = match self.judge {
            Judge::Calls { judge, .. } | Judge::Hands(judge) => judge,
            Judge::Watch | Judge::Inventory => return None,
        };
        judge(look).map(|verdict| (self, verdict))
    }
}
