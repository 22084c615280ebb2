//! Replay: any prefix of a run's journal leads to a state from which going on is possible.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;

use super::super::record::{
    Aim, Fact, Found, Outcome, RunFinished, RunLeft, RunRecord, RunResumed, RunStarted, StepDone, StepFailed,
    StepOverdue, TargetFound,
};
use super::super::{Library, Runbook, StepKind};
use super::{Misfit, Moment, Next, Run, StepState};
use crate::journal::Entry;

const ID: u64 = 3;

fn key() -> crate::model::arn::KeyArn {
    "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap()
}

fn started(runbook: &Runbook) -> RunStarted {
    RunStarted {
        runbook: runbook.id.clone(),
        title: runbook.title.clone(),
        digest: runbook.digest.clone(),
        aim: Aim::Key { key: key() },
        reason: "drill".into(),
        requester: None,
    }
}

fn target() -> RunRecord {
    let found = Found { key: key(), key_name: "buzz".into(), cek: None, database: None };
    RunRecord::TargetFound(TargetFound { run: ID, found, evidence: vec![Fact::good(at(0), "found")] })
}

fn done(run: &Run, runbook: &Runbook, outcome: Outcome) -> RunRecord {
    let step = &runbook.steps[run.current];
    let title = step.title.clone();
    let learned = match (&outcome, step.kind.learns()) {
        (Outcome::Answered, Some(value)) => [(value, "v".into())].into(),
        _ => BTreeMap::new(),
    };
    RunRecord::StepDone(StepDone { run: ID, step: run.current, title, outcome, evidence: vec![], learned })
}

fn failed(run: &Run) -> RunRecord {
    RunRecord::StepFailed(StepFailed {
        run: ID,
        step: run.current,
        title: String::new(),
        reason: "no".into(),
        next: "again".into(),
        unknown: false,
        evidence: vec![],
    })
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn moment(seq: u64) -> Moment {
    Moment { seq, at: at(i64::try_from(seq).unwrap()) }
}

fn entry(seq: u64, record: RunRecord) -> Entry {
    let (kind, body) = record.into_entry().unwrap();
    let at = at(i64::try_from(seq).unwrap());
    Entry { seq, at, kind: kind.into(), body, prev: String::new(), hash: String::new() }
}

/// A document of any shape: each letter is a step's kind.
///
/// `c` change, `v` verify with retries, `w` wait, `o` a choice that may go back, `q` a question, `a` approval, `f` a
/// check that goes on to the last step where it fails, `k` one that asks, `t` a step that goes to the last one.
fn runbook(shape: &str) -> Runbook {
    let mut document = "+++\nid = \"x\"\ntitle = \"X\"\nsummary = \"s\"\n+++\n".to_owned();
    let last = shape.len() - 1;
    for (index, letter) in shape.chars().enumerate() {
        let far = if index == last { "next".to_owned() } else { format!("S{last}") };
        let check = "check = \"key-state\"\nexpect = [\"Disabled\"]";
        let block = match letter {
            'c' => "change = \"disable-key\"\ndeadline = \"5m\"".to_owned(),
            'v' => "verify = \"key-state\"\nexpect = [\"Disabled\"]\nretries = 2".to_owned(),
            'w' => "wait = \"1m\"".to_owned(),
            'o' => {
                let back = if index == 0 { "finish" } else { "S0" };
                format!(
                    "choose = \"?\"\noptions = [{{ text = \"a\", then = \"next\" }}, {{ text = \"b\", then = \"{far}\" }}, {{ text = \"c\", then = \"{back}\" }}]"
                )
            }
            'q' => "ask = \"principal\"".to_owned(),
            'a' => "approval = \"the owner\"".to_owned(),
            'f' if index < last => format!("{check}\non_failure = \"S{last}\""),
            'f' => format!("{check}\non_failure = \"go-on\""),
            'k' => format!("{check}\non_failure = \"ask\"\notherwise = \"{far}\""),
            _ => "manual = \"attest\"".to_owned(),
        };
        write!(document, "## S{index}\ntext\n```step\n{block}\n```\n").unwrap();
    }
    Runbook::read(&document, Path::new("x.md")).unwrap()
}

/// The outcomes with which a step may be done.
fn outcomes(kind: &StepKind) -> Vec<Outcome> {
    match kind {
        StepKind::Choose { options, .. } => {
            options.iter().map(|o| Outcome::Chose { option: o.text.clone() }).collect()
        }
        StepKind::Ask { .. } => vec![Outcome::Answered],
        StepKind::Approval { .. } => vec![Outcome::Approved { by: vec!["Bea".into()], note: "n".into() }],
        _ => vec![Outcome::Done],
    }
}

/// A record that may come next, picked by `pick`.
fn some_record(run: &Run, runbook: &Runbook, pick: Index) -> Option<RunRecord> {
    let mut may = match run.next(runbook) {
        Next::Nothing => return None,
        Next::Target => vec![target()],
        Next::Finish => {
            vec![RunRecord::RunFinished(RunFinished { run: ID, summary: "over".into() })]
        }
        Next::Step(index, step) => {
            let mut may = vec![failed(run), done(run, runbook, Outcome::Skipped { reason: "not so".into() })];
            may.extend(outcomes(&step.kind).into_iter().map(|outcome| done(run, runbook, outcome)));
            if run.way_on(runbook).is_some() {
                may.push(done(run, runbook, Outcome::WentOn { reason: "no".into() }));
            }
            if let Some(deadline) = run.deadline(runbook).filter(|_| !run.overdue) {
                let title = step.title.clone();
                may.push(RunRecord::StepOverdue(StepOverdue { run: ID, step: index, title, deadline }));
            }
            may
        }
    };
    may.push(if run.left {
        RunRecord::RunResumed(RunResumed { run: ID })
    } else {
        RunRecord::RunLeft(RunLeft { run: ID, reason: "esc".into() })
    });
    Some(may.swap_remove(pick.index(may.len())))
}

/// A run's journal, walked at random.
fn walk(runbook: &Runbook, picks: Vec<Index>) -> (Run, Vec<Entry>) {
    let mut run = Run::begin(runbook, moment(ID), started(runbook)).unwrap();
    let mut entries = vec![entry(ID, RunRecord::RunStarted(started(runbook)))];
    for pick in picks {
        let Some(record) = some_record(&run, runbook, pick) else { break };
        let entry = entry(ID + entries.len() as u64, record.clone());
        run.apply(runbook, (&entry).into(), record).unwrap();
        entries.push(entry);
    }
    (run, entries)
}

proptest! {
    #[test]
    fn any_prefix_replays_and_can_be_gone_on_from(
        shape in "[cvwoqafkm]{1,7}",
        picks in prop::collection::vec(any::<Index>(), 0..40),
        cut in any::<Index>(),
    ) {
        let runbook = runbook(&shape);
        let (_, entries) = walk(&runbook, picks);
        let prefix = &entries[..=cut.index(entries.len())];
        let mut run = Run::replay(&runbook, ID, prefix).unwrap();
        // With nothing but success from here, the end is reached in as many records as there are steps left.
        let mut records = 0;
        loop {
            let record = match run.next(&runbook) {
                Next::Nothing => break,
                Next::Target => target(),
                Next::Finish => RunRecord::RunFinished(RunFinished { run: ID, summary: String::new() }),
                // The first option of a choice leads forward.
                Next::Step(_, step) => done(&run, &runbook, outcomes(&step.kind).remove(0)),
            };
            run.apply(&runbook, moment(1000), record).unwrap();
            records += 1;
            prop_assert!(records <= shape.len() + 2);
        }
        prop_assert!(run.finished.is_some());
    }

    #[test]
    fn replaying_is_the_same_as_having_been_there(
        shape in "[cvwoqafkm]{1,7}",
        picks in prop::collection::vec(any::<Index>(), 0..40),
    ) {
        let runbook = runbook(&shape);
        let (lived, mut entries) = walk(&runbook, picks);
        // The gate's entries, and those of other runs, stand between.
        let mut other = entries[0].clone();
        other.seq = 99;
        entries.insert(1, other);
        let gate = serde_json::json!({ "run": ID });
        entries.insert(1, Entry { kind: "intent".into(), body: gate, ..entries[0].clone() });
        prop_assert_eq!(Run::replay(&runbook, ID, &entries).unwrap(), lived);
    }

    #[test]
    fn a_step_is_never_done_twice_nor_ahead_of_its_turn(
        shape in "[cvwfkm]{1,6}",
        picks in prop::collection::vec(any::<Index>(), 0..20),
        step in 0usize..8,
    ) {
        let runbook = runbook(&shape);
        let (mut run, _) = walk(&runbook, picks);
        let before = run.clone();
        let record = RunRecord::StepDone(StepDone {
            run: ID, step, title: String::new(), outcome: Outcome::Done, evidence: vec![], learned: BTreeMap::new(),
        });
        let fits = matches!(run.next(&runbook), Next::Step(at, _) if at == step);
        let taken = run.apply(&runbook, moment(50), record);
        prop_assert_eq!(taken.is_ok(), fits);
        if !fits {
            prop_assert_eq!(run, before);
        }
    }
}

#[test]
fn a_failed_step_is_asked_for_again() {
    let runbook = runbook("cm");
    let mut run = Run::begin(&runbook, moment(ID), started(&runbook)).unwrap();
    run.apply(&runbook, moment(1), target()).unwrap();
    run.apply(&runbook, moment(2), failed(&run)).unwrap();
    assert!(matches!(run.next(&runbook), Next::Step(0, _)));
    assert_eq!(run.failure().unwrap().reason, "no");
    run.apply(&runbook, moment(3), done(&run, &runbook, Outcome::Done)).unwrap();
    assert!(matches!(run.steps[0], StepState::Done { .. }));
    assert_eq!(run.failure(), None);
}

#[test]
fn a_step_is_tried_again_as_often_as_it_says_and_a_change_never() {
    let book = runbook("vc");
    let mut run = Run::begin(&book, moment(ID), started(&book)).unwrap();
    run.apply(&book, moment(1), target()).unwrap();
    for time in [2_u32, 3] {
        run.apply(&book, moment(u64::from(time)), failed(&run)).unwrap();
        assert_eq!(run.next_try(&book), Some((at(i64::from(time) + 30), time - 1, 2)));
    }
    run.apply(&book, moment(4), failed(&run)).unwrap();
    assert_eq!(run.next_try(&book), None);
    run.apply(&book, moment(5), done(&run, &book, Outcome::Done)).unwrap();
    run.apply(&book, moment(6), failed(&run)).unwrap();
    assert_eq!((run.next_try(&book), run.way_on(&book)), (None, None));
    let went_on = done(&run, &book, Outcome::WentOn { reason: "no".into() });
    assert!(matches!(run.apply(&book, moment(7), went_on), Err(Misfit::OutOfPlace(_))));
}

#[test]
fn a_failure_leads_where_the_runbook_says_unless_nobody_knows_what_happened() {
    for (shape, leads_to) in [("fmm", 2), ("kmm", 2), ("mf", 2)] {
        let book = runbook(shape);
        let mut run = Run::begin(&book, moment(ID), started(&book)).unwrap();
        run.apply(&book, moment(1), target()).unwrap();
        while !matches!(book.steps[run.current].kind, StepKind::Check(_)) {
            run.apply(&book, moment(2), done(&run, &book, Outcome::Done)).unwrap();
        }
        assert_eq!(run.way_on(&book), None, "it has not failed yet");
        let RunRecord::StepFailed(failure) = failed(&run) else { unreachable!() };
        let mut unknown = run.clone();
        let unsure = StepFailed { unknown: true, ..failure.clone() };
        unknown.apply(&book, moment(3), RunRecord::StepFailed(unsure)).unwrap();
        assert_eq!((unknown.way_on(&book), unknown.next_try(&book)), (None, None));
        run.apply(&book, moment(3), RunRecord::StepFailed(failure)).unwrap();
        assert_eq!(run.way_on(&book), Some(leads_to), "{shape}");
    }
}

#[test]
fn a_choice_may_lead_back_and_what_is_found_out_stays() {
    let book = runbook("mqom");
    let mut run = Run::begin(&book, moment(ID), started(&book)).unwrap();
    run.apply(&book, moment(1), target()).unwrap();
    run.apply(&book, moment(2), done(&run, &book, Outcome::Done)).unwrap();
    assert!(run.clone().apply(&book, moment(3), done(&run, &book, Outcome::Done)).is_err(), "no value");
    run.apply(&book, moment(3), done(&run, &book, Outcome::Answered)).unwrap();
    run.apply(&book, moment(4), done(&run, &book, Outcome::Chose { option: "c".into() })).unwrap();
    assert_eq!((run.current, run.entered), (0, moment(4)));
    assert!(run.steps.iter().all(|step| *step == StepState::ToCome));
    assert_eq!(run.values.values().map(crate::model::text::Untrusted::raw).collect::<Vec<_>>(), ["v"]);
}

#[test]
fn a_deadline_passes_once_for_each_time_that_a_step_is_taken() {
    let book = runbook("cm");
    let mut run = Run::begin(&book, moment(ID), started(&book)).unwrap();
    assert_eq!(run.deadline(&book), None, "the clock starts with the step");
    run.apply(&book, moment(10), target()).unwrap();
    let deadline = run.deadline(&book).unwrap();
    assert_eq!(deadline, at(10 + 300));
    let late = RunRecord::StepOverdue(StepOverdue { run: ID, step: 0, title: "S0".into(), deadline });
    run.apply(&book, moment(400), late.clone()).unwrap();
    assert!(run.overdue && run.evidence.last().is_some_and(|fact| !fact.good));
    assert!(matches!(run.apply(&book, moment(401), late), Err(Misfit::OutOfPlace(_))));
    run.apply(&book, moment(402), done(&run, &book, Outcome::Done)).unwrap();
    assert!(!run.overdue);
}

#[test]
fn a_choice_passes_over_what_it_leaps() {
    let runbook = runbook("ommm");
    let mut run = Run::begin(&runbook, moment(ID), started(&runbook)).unwrap();
    run.apply(&runbook, moment(1), target()).unwrap();
    run.apply(&runbook, moment(2), done(&run, &runbook, Outcome::Chose { option: "b".into() })).unwrap();
    assert_eq!(run.current, 3);
    assert!(matches!(run.steps[1..3], [StepState::PassedOver { .. }, StepState::PassedOver { .. }]));
}

#[test]
fn a_run_cannot_be_taken_up_on_another_text() {
    let library = Library::built_in();
    let runbook = library.get("key-recovery").unwrap();
    let mut older = started(runbook);
    older.digest = "0".repeat(64);
    let entries = [entry(ID, RunRecord::RunStarted(older))];
    let refused = Run::replay(runbook, ID, &entries).unwrap_err();
    assert!(matches!(refused, Misfit::OtherText { .. }), "{refused}");
    assert_eq!(Run::replay(runbook, 77, &entries), Err(Misfit::NoSuchRun(77)));
}

#[test]
fn an_entry_of_another_version_is_told_and_not_passed_over() {
    let runbook = runbook("m");
    let mut entries = vec![entry(ID, RunRecord::RunStarted(started(&runbook)))];
    entries.push(Entry {
        kind: "step-done".into(),
        body: serde_json::json!({ "run": ID }),
        ..entries[0].clone()
    });
    assert!(matches!(Run::replay(&runbook, ID, &entries), Err(Misfit::Unreadable { .. })));
}

#[test]
fn what_a_wait_counts_from_survives_a_replay() {
    let runbook = runbook("w");
    let entries = [
        entry(ID, RunRecord::RunStarted(started(&runbook))),
        entry(ID + 1, target()),
        entry(ID + 2, RunRecord::RunLeft(RunLeft { run: ID, reason: "esc".into() })),
        entry(ID + 9, RunRecord::RunResumed(RunResumed { run: ID })),
    ];
    let run = Run::replay(&runbook, ID, &entries).unwrap();
    assert_eq!(run.entered, Moment::from(&entries[1]));
}
