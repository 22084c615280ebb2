//! What the format takes, and every mistake with its line.

use std::path::Path;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::{
    Attests, Change, Check, Circumstance, Library, Mistake, OnFailure, Retry, Runbook, StepKind, Then, Value,
    Verify,
};
use crate::model::duty::Duty;
use crate::model::key::KeyState;

const FRONT: &str = "+++\nid = \"x\"\ntitle = \"X\"\nsummary = \"s\"\n+++\n";

fn reading(body: &str) -> Result<Runbook, (usize, String)> {
    read_all(body).map_err(|mut mistakes| mistakes.remove(0))
}

/// Every mistake, by line.
fn read_all(body: &str) -> Result<Runbook, Vec<(usize, String)>> {
    let told = |mistake: Mistake| (mistake.line.unwrap(), mistake.reason);
    Runbook::read(&format!("{FRONT}{body}"), Path::new("x.md"))
        .map_err(|mistakes| mistakes.into_iter().map(told).collect())
}

/// The step that a block makes.
fn step(block: &str) -> Result<StepKind, (usize, String)> {
    reading(&format!("## One\ntext\n```step\n{block}\n```\n")).map(|mut runbook| runbook.steps.remove(0).kind)
}

#[test]
fn the_built_in_runbooks_have_no_mistake() {
    for (path, document) in Library::built_in_documents() {
        Runbook::read(document, path).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    }
    assert_eq!(Library::built_in().iter().count(), Library::built_in_documents().count());
}

#[test]
fn each_built_in_runbook_says_all_that_a_person_needs() {
    let library = Library::built_in();
    for runbook in library.iter() {
        let told = [
            &runbook.when_to_use,
            &runbook.when_not_to_use,
            &runbook.prerequisites,
            &runbook.tell,
            &runbook.afterwards,
            &runbook.controls,
        ];
        assert!(told.iter().all(|list| !list.is_empty()) && !runbook.intro.is_empty(), "{}", runbook.id);
        assert!(runbook.role.is_some(), "{}", runbook.id);
        // A deadline wherever a person is waited for.
        for step in &runbook.steps {
            let waits = matches!(
                step.kind,
                StepKind::Manual { .. } | StepKind::Change(_) | StepKind::Approval { .. }
            );
            assert!(!waits || step.deadline.is_some(), "{}: {}", runbook.id, step.title);
        }
    }
}

#[test]
fn whatever_a_built_in_runbook_promises_to_undo_another_one_does() {
    let library = Library::built_in();
    for runbook in library.iter() {
        let Some(undo) = &runbook.undone_by else { continue };
        let undo = library.get(undo).unwrap();
        // Letting somebody in again is taken back by a containment of its own.
        let changes = runbook.changes().filter(|change| *change != Change::AllowPrincipal);
        let promised = changes.filter_map(Change::undo).collect::<Vec<_>>();
        assert!(!promised.is_empty());
        for word in promised {
            assert!(undo.changes().any(|change| change.word() == word), "{}: {word}", runbook.id);
        }
    }
}

#[test]
fn headings_make_steps_and_text_loses_only_the_block() {
    let runbook = reading("Intro {key}.\n\n## One\nbefore\n```step\ncheck = \"key-state\"\nexpect = [\"Enabled\"]\n```\nafter\n\n## Two\nDo it.\n```sh\n## no heading\n```\n").unwrap();
    assert_eq!(runbook.intro.source(), "Intro {key}.");
    assert_eq!(runbook.steps[0].text.source(), "before\n\nafter");
    assert_eq!(runbook.steps[0].kind, StepKind::Check(Check::State { expect: vec![KeyState::Enabled] }));
    assert_eq!(runbook.steps[1].kind, StepKind::Manual { attests: Attests::Done });
    assert!(runbook.steps[1].text.source().contains("## no heading"));
    assert_eq!(runbook.steps.len(), 2);
}

#[test]
fn each_kind_is_read() {
    let disabled = vec![KeyState::Disabled];
    for (block, kind) in [
        ("manual = \"clients-restarted\"", StepKind::Manual { attests: Attests::ClientsRestarted }),
        ("check = \"administrable\"", StepKind::Check(Check::Administrable)),
        ("change = \"disable-key\"\nundo = \"enable-key\"", StepKind::Change(Change::DisableKey)),
        (
            "verify = \"key-state\"\nexpect = [\"Disabled\"]",
            StepKind::Verify(Verify::State { expect: disabled.clone(), reads: 3 }),
        ),
        (
            "verify = \"key-state\"\nexpect = [\"Disabled\"]\nreads = 5",
            StepKind::Verify(Verify::State { expect: disabled, reads: 5 }),
        ),
        ("notify = \"alert-topic\"", StepKind::Notify),
        ("audit = \"sql\"", StepKind::Audit),
        ("wait = \"90s\"", StepKind::Wait { time: SignedDuration::from_secs(90) }),
        (
            "check = \"grants\"\nsince = \"7d\"",
            StepKind::Check(Check::Grants { since: SignedDuration::from_hours(168) }),
        ),
        ("check = \"users\"", StepKind::Check(Check::Users { since: SignedDuration::from_hours(24) })),
        ("approval = \"the owner\"\npeople = 2", StepKind::Approval { by: "the owner".into(), people: 2 }),
        ("assume-role = \"key-recovery-admin\"", StepKind::AssumeRole { duty: Duty::KeyRecoveryAdmin }),
        ("change = \"schedule-key-deletion\"", StepKind::Change(Change::ScheduleKeyDeletion { days: 30 })),
        (
            "change = \"schedule-key-deletion\"\ndays = 7",
            StepKind::Change(Change::ScheduleKeyDeletion { days: 7 }),
        ),
        (
            "change = \"enable-key-rotation\"\nperiod_days = 365",
            StepKind::Change(Change::EnableKeyRotation { period_days: 365 }),
        ),
        (
            "verify = \"rotated\"\nsince = \"92d\"",
            StepKind::Verify(Verify::Rotated { since: SignedDuration::from_hours(92 * 24) }),
        ),
        (
            "ask = \"grant\"\nquestion = \"Which?\"",
            StepKind::Ask { value: Value::Grant, question: "Which?".into() },
        ),
    ] {
        assert_eq!(step(block), Ok(kind), "{block}");
    }
}

#[test]
fn a_choice_leads_forward_by_title() {
    let runbook = reading("## One\n```step\nchoose = \"Which?\"\noptions = [{ text = \"a\", then = \"Three\" }, { text = \"b\", then = \"finish\" }, { text = \"c\", then = \"next\" }]\n```\n## Two\nt\n## Three\nt\n").unwrap();
    let StepKind::Choose { options, .. } = &runbook.steps[0].kind else { panic!("a choice") };
    assert_eq!((options[0].then, options[1].then), (Then::Step(2), Then::Finish));
}

#[test]
fn preconditions_deadlines_and_failure_are_read() {
    let runbook = reading("## One\n```step\nnotify = \"alert-topic\"\nonly_if_state = [\"PendingDeletion\"]\ndeadline = \"15m\"\non_failure = \"go-on\"\n```\n").unwrap();
    let step = &runbook.steps[0];
    assert_eq!(step.only_if_state, Some(vec![KeyState::PendingDeletion]));
    assert_eq!(step.deadline, Some(SignedDuration::from_mins(15)));
    assert_eq!(step.on_failure, OnFailure::GoOn(Then::Next));
}

#[test]
fn branches_retries_and_circumstances_are_read() {
    let runbook = reading("## One\nt\n```step\ncheck = \"rds-storage\"\nonly_if = [\"stores-rds\", \"not multi-region\"]\nretries = 3\nretry_after = \"2m\"\nthen = \"Three\"\non_failure = \"ask\"\notherwise = \"Two\"\n```\n## Two\nt\n## Three\n```step\nchoose = \"?\"\noptions = [{ text = \"a\", then = \"One\" }, { text = \"b\", then = \"next\" }]\n```\n").unwrap();
    let step = &runbook.steps[0];
    let held: Vec<_> = step.only_if.iter().map(|only| (only.circumstance, only.holds)).collect();
    assert_eq!(held, [(Circumstance::StoresRds, true), (Circumstance::MultiRegion, false)]);
    assert_eq!(step.retry, Some(Retry { times: 3, after: SignedDuration::from_mins(2) }));
    assert_eq!((step.then, step.on_failure), (Then::Step(2), OnFailure::Ask(Then::Step(1))));
    let StepKind::Choose { options, .. } = &runbook.steps[2].kind else { panic!("a choice") };
    assert_eq!(options[0].then, Then::Step(0), "a choice may lead back");
}

#[test]
fn every_mistake_is_told_and_not_only_the_first() {
    let body = "intro {nope}\n## One\n```step\nwait = \"soon\"\ndeadline = \"never\"\non_failure = \"Nowhere\"\n```\n##Two\nt {nor}\n## Three\n```step\nchek = 1\n```\n";
    let lines: Vec<usize> = read_all(body).unwrap_err().iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [6, 9, 10, 11, 13, 14, 17]);
}

#[test]
fn a_mistake_among_several_steps_is_told_with_its_line() {
    let check = "check = \"key-state\"\nexpect = [\"Enabled\"]";
    for (body, line, word) in [
        ("## One\n```step\nchange = \"revoke-grant\"\n```\n".to_owned(), 8, "`ask = \"grant\"` before it"),
        ("## One\n```step\nverify = \"new-material\"\n```\n".to_owned(), 8, "key-material"),
        (format!("## One\n```step\n{check}\nthen = \"Three\"\n```\n## Two\nt\n## Three\nt\n"), 12, "nothing leads to"),
        (format!("## One\nt\n## Two\n```step\n{check}\nthen = \"One\"\n```\n"), 12, "no later step"),
        ("## next\nt\n".to_owned(), 6, "no step can be called `next`"),
        (
            "## One\nt\n## Two\n```step\nchoose = \"?\"\noptions = [{ text = \"a\", then = \"One\" }, { text = \"b\", then = \"One\" }]\n```\n".to_owned(),
            11,
            "one option must lead forward",
        ),
        ("## One\n```step\nchoose = \"?\"\nthen = \"next\"\noptions = [{ text = \"a\", then = \"next\" }, { text = \"b\", then = \"finish\" }]\n```\n".to_owned(), 9, "belongs into each of them"),
    ] {
        let (at, reason) = reading(&body).expect_err(&body);
        assert_eq!(at, line, "{body}: {reason}");
        assert!(reason.contains(word), "{body}: {reason}");
    }
}

#[test]
fn a_mistake_in_a_block_is_told_with_its_line() {
    // FRONT has 5 lines; the block's first line is line 9.
    for (block, line, word) in [
        ("chek = \"key-state\"", 9, "unknown field `chek`"),
        ("check = \"key-state\"\nexpect = [\"Enabeld\"]", 10, "`Enabeld`"),
        ("check = \"key-state\"", 9, "needs `expect"),
        ("check = \"key-state\"\nexpect = []", 10, "names no state"),
        ("check = \"administrable\"\nexpect = [\"Enabled\"]", 10, "belongs to"),
        ("change = \"delete-key\"", 9, "no change that the gate knows"),
        ("change = \"disable-key\"\n\nundo = \"cancel-key-deletion\"", 11, "taken back by enable-key"),
        ("change = \"cancel-key-deletion\"\nundo = \"enable-key\"", 10, "nothing takes"),
        ("change = \"disable-key\"\non_failure = \"go-on\"", 10, "a person has to decide"),
        ("change = \"disable-key\"\nnotify = \"alert-topic\"", 10, "not both"),
        ("deadline = \"15m\"", 9, "one of manual"),
        ("notify = \"alert-topic\"\nexpect = [\"Enabled\"]", 10, "`expect` belongs to check or verify"),
        ("check = \"rotation\"\nsince = \"1h\"", 10, "`since` belongs to"),
        ("check = \"users\"\nsince = \"91d\"", 10, "90 days"),
        ("change = \"schedule-key-deletion\"\ndays = 6", 10, "from 7 to 30"),
        ("change = \"enable-key-rotation\"\nperiod_days = 89", 10, "from 90 to 2560"),
        ("change = \"disable-key\"\ndays = 7", 10, "means nothing to disable-key"),
        ("approval = \"x\"\npeople = 0", 10, "from 1 to 9"),
        ("approval = \"{key}\"", 9, "takes no placeholder"),
        ("assume-role = \"root\"", 9, "`assume-role` takes"),
        ("ask = \"password\"", 9, "`ask` takes"),
        ("ask = \"key-material\"", 9, "`ask` takes"),
        ("manual = \"attest\"\nretries = 2", 10, "`retries` belongs to"),
        ("check = \"users\"\nretries = 0", 10, "from 1 to 60"),
        ("check = \"users\"\nretry_after = \"1m\"", 10, "needs `retries`"),
        ("check = \"users\"\nonly_if = [\"lucky\"]", 10, "`only_if` takes"),
        ("check = \"users\"\notherwise = \"next\"", 10, "belongs to `on_failure"),
        ("check = \"users\"\non_failure = \"retry\"", 10, "a later step's title"),
        ("verify = \"key-state\"\nexpect = [\"Enabled\"]\nreads = 0", 11, "from 1 to 9"),
        ("wait = \"soon\"", 9, "no time"),
        ("wait = \"-5m\"", 9, "no time"),
        ("manual = \"attest\"\ndeadline = 5", 10, "invalid type"),
        ("choose = \"?\"", 9, "needs `options"),
        ("choose = \"?\"\noptions = [{ text = \"a\", then = \"next\" }]", 10, "at least two"),
        (
            "choose = \"?\"\noptions = [{ text = \"a\", then = \"One\" }, { text = \"b\", then = \"next\" }]",
            10,
            "no other step is called `One`",
        ),
        ("manual = attest", 9, ""),
    ] {
        let (at, reason) = step(block).expect_err(block);
        assert_eq!(at, line, "{block}: {reason}");
        assert!(reason.contains(word), "{block}: {reason}");
    }
}

#[test]
fn a_mistake_in_the_document_is_told_with_its_line() {
    for (body, line, word) in [
        ("no step\n", 6, "at least one step"),
        ("## One\ntext {passwrd}\n", 7, "`{passwrd}`"),
        ("## One\n```step\nnotify = \"alert-topic\"\n```\ntext {nope}\n", 10, "`{nope}`"),
        ("intro {nope}\n## One\nt\n", 6, "`{nope}`"),
        ("## One\nt\n## One\nt\n", 8, "two steps"),
        ("##One\nt\n", 6, "blank after"),
        ("## \nt\n", 6, "needs a title"),
        ("## Drop {key}\nt\n", 6, "no placeholder"),
        ("## One\n\n", 6, "what is a person to do"),
        ("```step\nmanual = \"attest\"\n```\n## One\nt\n", 6, "under its `##` heading"),
        ("## One\n- list\n\n      ```step\n      change = \"disable-key\"\n      ```\n", 9, "at the margin"),
        ("## One\n> ```step\n", 7, "at the margin"),
        ("## One\nt\n  ## Two\n", 8, "at the margin"),
        ("## One\n<!-- hidden -->\n", 7, "paper and screen"),
        ("## One\n```step\nmanual = \"attest\"\n", 7, "never closed"),
        (
            "## One\nt\n```step\nmanual = \"attest\"\n```\n```step\nmanual = \"attest\"\n```\n",
            11,
            "heading of its own",
        ),
    ] {
        let told = read_all(body).expect_err(body);
        let meant = told.iter().any(|(at, reason)| *at == line && reason.contains(word));
        assert!(meant, "{body}: {told:?}");
    }
}

#[test]
fn a_mistake_in_the_front_matter_is_told_with_its_line() {
    for (document, line, word) in [
        ("# x\n", 1, "begins with its front matter"),
        ("+++\nid = \"x\"\n", 1, "not closed"),
        ("+++\nid = \"x\"\ntitle = \"X\"\n+++\n## S\nt\n", 2, "missing field `summary`"),
        (
            "+++\nid = \"x\"\ntitle = \"X\"\nsummary = \"s\"\nrol = \"r\"\n+++\n## S\nt\n",
            5,
            "unknown field `rol`",
        ),
        ("+++\ntitle = \"X\"\nsummary = \"s\"\nid = \"../x\"\n+++\n## S\nt\n", 4, "lower-case"),
        (
            "+++\nid = \"x\"\ntitle = \"X\"\nsummary = \"s\"\nrole = \"admin\"\n+++\n## S\nt\n",
            5,
            "`role` takes",
        ),
        ("+++\nid = \"x\"\ntitle = \"X\"\nsummary = \"s\"\nreplaces = \"y\"\n+++\n## S\nt\n", 5, "own id"),
        ("+++\nid = \"x\"\ntitle = \" \"\nsummary = \"s\"\n+++\n## S\nt\n", 3, "empty"),
    ] {
        let mistake = Runbook::read(document, Path::new("x.md")).expect_err(document).remove(0);
        assert_eq!(mistake.line, Some(line), "{document}: {mistake}");
        assert!(mistake.reason.contains(word), "{document}: {mistake}");
    }
}

#[test]
fn carriage_returns_change_nothing_but_the_digest() {
    let unix = format!("{FRONT}## One\nt\n```step\nmanual = \"attest\"\n```\n");
    let dos = unix.replace('\n', "\r\n");
    let read = |document: &str| Runbook::read(document, Path::new("x.md")).unwrap();
    assert_eq!(read(&unix).steps, read(&dos).steps);
    assert_ne!(read(&unix).digest, read(&dos).digest);
}

#[test]
fn a_users_document_stands_in_the_place_of_ours_only_where_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let ours = FRONT.replace("\"x\"", "\"key-recovery\"") + "## Mine\nt\n";
    write("a.md", &ours);
    write("b.md", &ours.replace("+++\n##", "replaces = \"key-recovery\"\n+++\n##"));
    write("c.md", &ours);
    write("d.md", &format!("{FRONT}## One\n```step\nchek = 1\n```\n"));
    let (library, mistakes) = Library::load(&[dir.path().to_owned()]);
    assert_eq!(library.get("key-recovery").unwrap().steps[0].title, "Mine");
    let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("a.md: the id `key-recovery` is that of a built-in runbook"), "{told:?}");
    assert!(
        told[1].contains("c.md: the id `key-recovery` is taken by") && told[1].contains("b.md"),
        "{told:?}"
    );
    assert!(told[2].contains("d.md:8: unknown field `chek`"), "{told:?}");
    assert!(library.get("emergency-revocation").is_some());
}

#[test]
fn a_folder_that_cannot_be_read_is_told() {
    let (_, mistakes) = Library::load(&["no-such-folder".into()]);
    assert_eq!(mistakes.len(), 1);
    assert!(mistakes[0].to_string().starts_with("no-such-folder: "));
}

proptest! {
    #[test]
    fn reading_never_panics(body in "(\\PC|\n){0,200}") {
        let _ = reading(&body);
    }

    #[test]
    fn reading_what_is_almost_a_runbook_never_panics(
        lines in prop::collection::vec(
            "## [A-C]{0,2}|```step|```|~~~|[a-z]{1,6} = \"[a-z-]{0,9}\"|change = \"disable-key\"|\\{key\\}|é \\{|    ```step",
            0..20,
        ),
    ) {
        for (line, reason) in read_all(&lines.join("\n")).err().into_iter().flatten() {
            prop_assert!(line <= lines.len().max(1) + 5, "{line}: {reason}");
            prop_assert!(!reason.is_empty());
        }
    }
}
