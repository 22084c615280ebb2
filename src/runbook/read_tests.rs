//! What the format takes, and every mistake with its line.

use std::path::Path;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::super::{Attests, Check, Library, OnFailure, Runbook, StepKind, Then};
use crate::model::key::KeyState;
use crate::model::plan::Operation;

const FRONT: &str = "+++\nid = \"x\"\ntitle = \"X\"\nsummary = \"s\"\n+++\n";

fn reading(body: &str) -> Result<Runbook, (usize, String)> {
    Runbook::read(&format!("{FRONT}{body}"), Path::new("x.md"))
        .map_err(|mistake| (mistake.line.unwrap(), mistake.reason))
}

/// The step that a block makes.
fn step(block: &str) -> Result<StepKind, (usize, String)> {
    reading(&format!("## One\ntext\n```step\n{block}\n```\n")).map(|mut runbook| runbook.steps.remove(0).kind)
}

#[test]
fn the_built_in_runbooks_have_no_mistake() {
    for (path, document) in Library::built_in_documents() {
        Runbook::read(document, path).unwrap_or_else(|mistake| panic!("{mistake}"));
    }
    assert_eq!(Library::built_in().iter().count(), Library::built_in_documents().count());
}

#[test]
fn the_built_in_runbooks_undo_each_other() {
    let library = Library::built_in();
    for runbook in library.iter() {
        let undo = library.get(runbook.undone_by.as_deref().unwrap()).unwrap();
        let last = runbook.changes().last().unwrap();
        assert!(undo.changes().any(|change| Some(change) == last.undo()), "{}", runbook.id);
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
        (
            "change = \"disable-key\"\nundo = \"enable-key\"",
            StepKind::Change { operation: Operation::DisableKey },
        ),
        (
            "verify = \"key-state\"\nexpect = [\"Disabled\"]",
            StepKind::Verify { expect: disabled.clone(), reads: 3 },
        ),
        (
            "verify = \"key-state\"\nexpect = [\"Disabled\"]\nreads = 5",
            StepKind::Verify { expect: disabled, reads: 5 },
        ),
        ("notify = \"alert-topic\"", StepKind::Notify),
        ("audit = \"sql\"", StepKind::Audit),
        ("wait = \"90s\"", StepKind::Wait { time: SignedDuration::from_secs(90) }),
    ] {
        assert_eq!(step(block), Ok(kind), "{block}");
    }
}

#[test]
fn a_choice_leads_forward_by_title() {
    let runbook = reading("## One\n```step\nchoose = \"Which?\"\noptions = [{ text = \"a\", then = \"Three\" }, { text = \"b\", then = \"finish\" }]\n```\n## Two\nt\n## Three\nt\n").unwrap();
    let StepKind::Choose { options, .. } = &runbook.steps[0].kind else { panic!("a choice") };
    assert_eq!((options[0].then, options[1].then), (Then::Step(2), Then::Finish));
}

#[test]
fn preconditions_deadlines_and_failure_are_read() {
    let runbook = reading("## One\n```step\nnotify = \"alert-topic\"\nonly_if_state = [\"PendingDeletion\"]\ndeadline = \"15m\"\non_failure = \"go-on\"\n```\n").unwrap();
    let step = &runbook.steps[0];
    assert_eq!(step.only_if_state, Some(vec![KeyState::PendingDeletion]));
    assert_eq!(step.deadline, Some(SignedDuration::from_mins(15)));
    assert_eq!(step.on_failure, OnFailure::GoOn);
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
        ("verify = \"key-state\"\nexpect = [\"Enabled\"]\nreads = 0", 11, "from 1 to 9"),
        ("wait = \"soon\"", 9, "no time"),
        ("wait = \"-5m\"", 9, "no time"),
        ("manual = \"attest\"\ndeadline = 5", 10, "invalid type"),
        ("choose = \"?\"", 9, "needs `options"),
        ("choose = \"?\"\noptions = [{ text = \"a\", then = \"next\" }]", 10, "at least two"),
        (
            "choose = \"?\"\noptions = [{ text = \"a\", then = \"One\" }, { text = \"b\", then = \"next\" }]",
            10,
            "no later step is called `One`",
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
        let (at, reason) = reading(body).expect_err(body);
        assert_eq!(at, line, "{body}: {reason}");
        assert!(reason.contains(word), "{body}: {reason}");
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
        ("+++\nid = \"x\"\ntitle = \" \"\nsummary = \"s\"\n+++\n## S\nt\n", 3, "empty"),
    ] {
        let mistake = Runbook::read(document, Path::new("x.md")).expect_err(document);
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
fn a_users_document_takes_the_place_of_ours_and_a_second_one_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let document = FRONT.replace("\"x\"", "\"key-recovery\"") + "## Mine\nt\n";
    for name in ["a.md", "b.md"] {
        std::fs::write(dir.path().join(name), &document).unwrap();
    }
    std::fs::write(dir.path().join("c.md"), format!("{FRONT}## One\n```step\nchek = 1\n```\n")).unwrap();
    let (library, mistakes) = Library::load(&[dir.path().to_owned()]);
    assert_eq!(library.get("key-recovery").unwrap().steps[0].title, "Mine");
    let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("b.md: the id `key-recovery` is taken"), "{told:?}");
    assert!(told[1].contains("c.md:8: unknown field `chek`"), "{told:?}");
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
        if let Err((line, reason)) = reading(&lines.join("\n")) {
            prop_assert!(line <= lines.len().max(1) + 5, "{line}: {reason}");
            prop_assert!(!reason.is_empty());
        }
    }
}
