//! Every rule against its own examples, and the engine against time and order.

mod examples;
mod ordinary;
mod seeded;

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::{Context, Detections, Engine, Finding, RULES, rule, severities};
use crate::model::event::{KeyEvent, Severity};
use crate::model::particulars::Particulars;
use crate::trail::{parse, particulars};
use examples::{Example, MOMENT, all};

/// An engine that has seen these records.
fn engine<'a>(tuning: Detections, context: Context, records: impl IntoIterator<Item = &'a Value>) -> Engine {
    let mut engine = Engine::new(tuning, context);
    for record in records {
        show(&mut engine, &record.to_string());
    }
    engine
}

fn show(engine: &mut Engine, raw: &str) {
    let event = parse(raw).unwrap();
    engine.see(&event, || particulars(&event, raw));
}

fn found(example: &Example) -> Vec<Finding> {
    engine(example.tuning.clone(), example.context.clone(), &example.records)
        .findings(MOMENT.parse().unwrap())
}

#[test]
fn each_rule_finds_what_it_should_and_nothing_else_speaks() {
    let mut wrong = Vec::new();
    for example in all() {
        let found = found(&example);
        let mut rules: Vec<&str> = found.iter().map(|finding| finding.rule.id).collect();
        rules.sort_unstable();
        rules.dedup();
        if rules != example.expected() {
            wrong.push(format!(
                "{} – {}: {rules:?} instead of {:?}",
                example.rule,
                example.say,
                example.expected()
            ));
        }
        wrong.extend(found.iter().filter_map(|finding| example.misfit(finding, &found)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_rule_has_examples_of_both_kinds_and_words_for_people() {
    let examples = all();
    for rule in RULES {
        let of =
            |fires: bool| examples.iter().filter(|one| one.rule == rule.id && one.fires == fires).count();
        assert!(of(true) > 0 && of(false) > 0, "{} lacks examples", rule.id);
        assert!(!rule.references.is_empty() && !rule.why.is_empty(), "{}", rule.id);
        assert!(rule.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", rule.id);
        assert_eq!(super::rule(rule.id).map(|found| found.title), Some(rule.title), "two rules share an id");
    }
    assert!(examples.iter().all(|example| rule(&example.rule).is_some()), "examples of a rule that is not");
    assert!(rule("kms-none").is_none());
}

#[test]
fn the_runbooks_that_rules_name_are_there() {
    for runbook in RULES.iter().filter_map(|rule| rule.next.runbook) {
        let text =
            std::fs::read_to_string(format!("{}/runbooks/{runbook}.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
        assert!(text.contains(&format!("id = \"{runbook}\"")));
    }
}

/// All examples' records in one heap, their ids made distinct.
static HEAP: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut heap = Vec::new();
    for (place, example) in all().into_iter().enumerate() {
        for mut record in example.records {
            record["eventID"] = format!("{place}-{}", record["eventID"].as_str().unwrap()).into();
            heap.push(record);
        }
    }
    heap
});

/// The same, read.
static READ: LazyLock<Vec<(KeyEvent, Option<Particulars>)>> = LazyLock::new(|| {
    let read = |record: &Value| {
        let raw = record.to_string();
        let event = parse(&raw).unwrap();
        let particulars = particulars(&event, &raw);
        (event, particulars)
    };
    HEAP.iter().map(read).collect()
});

fn of_order(order: impl IntoIterator<Item = usize>) -> Vec<Finding> {
    let mut engine = Engine::default();
    for (event, particulars) in order.into_iter().map(|at| &READ[at]) {
        engine.see(event, || particulars.clone());
    }
    engine.findings(MOMENT.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_same_events_in_any_order_and_number_give_the_same_findings(
        order in Just((0..READ.len()).collect::<Vec<_>>()).prop_shuffle(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let straight = of_order(0..READ.len());
        prop_assert!(straight.len() > 30);
        let again: Vec<usize> = again.iter().map(|index| index.index(READ.len())).collect();
        prop_assert_eq!(straight, of_order(order.into_iter().chain(again)));
    }

    #[test]
    fn no_record_makes_a_rule_panic(at in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), put in "[\\x00-\\x7f{}\",:\\[\\]]{0,4}") {
        let mut text = at.get(HEAP.as_slice()).to_string();
        let place = text.floor_char_boundary(cut.index(text.len()));
        text.insert_str(place, &put);
        if let Ok(event) = parse(&text) {
            let mut engine = Engine::default();
            engine.see(&event, || particulars(&event, &text));
            for finding in engine.findings(MOMENT.parse().unwrap()) {
                prop_assert!(!finding.reason.contains(char::is_control), "{:?}", finding.reason);
            }
        }
    }
}

#[test]
fn new_circumstances_judge_old_events_anew() {
    let example = all()
        .into_iter()
        .find(|one| one.rule == "kms-key-disabled" && one.say.contains("open incident"))
        .unwrap();
    let now = MOMENT.parse().unwrap();
    let mut engine = engine(Detections::default(), Context::default(), &example.records);
    assert_eq!(engine.findings(now)[0].severity, Severity::High);
    engine.learn(example.context);
    assert_eq!(engine.findings(now)[0].severity, Severity::Notice);
}

#[test]
fn a_mute_keeps_a_rule_quiet_about_its_key_until_it_expires() {
    use super::Mute;
    let example = all().into_iter().find(|one| one.rule == "kms-key-disabled" && one.fires).unwrap();
    let now: jiff::Timestamp = MOMENT.parse().unwrap();
    let mute = |key: Option<&str>| Mute {
        rule: "kms-key-disabled".into(),
        key: key.map(str::to_owned),
        reason: "it is being retired".into(),
        expires: now + jiff::SignedDuration::from_hours(1),
        line: 0,
    };
    let of = |mute: Mute, at| {
        let tuning = Detections { mutes: vec![mute], ..Detections::default() };
        let findings = engine(tuning, Context::default(), &example.records).findings(at);
        assert_eq!(findings.len(), 1, "a muted finding is marked, not lost");
        (findings[0].muted.is_some(), severities(&findings).len())
    };
    assert_eq!(of(mute(None), now), (true, 0));
    assert_eq!(of(mute(Some("1234abcd-12ab-34cd-56ef-1234567890ab")), now), (true, 0));
    assert_eq!(of(mute(Some("another")), now), (false, 1));
    assert_eq!(of(mute(None), now + jiff::SignedDuration::from_hours(1)), (false, 1), "it has expired");
}

/// What all examples' rules find.
pub(super) fn every_finding() -> Vec<Finding> {
    all().iter().flat_map(found).collect()
}
