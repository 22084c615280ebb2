//! A `step` block: its keys, read and judged.

use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::mistake::Wrong;
use super::read::{from_toml, newlines_before};
use super::text::Text;
use super::{Attests, Check, Choice, OnFailure, Step, StepKind, Then};
use crate::model::key::KeyState;
use crate::model::plan::Operation;

/// The words that a `verify` without `reads` stands for.
const AGREEING_READS: u8 = 3;
/// More would only tire KMS.
const MOST_READS: u8 = 9;

type Word = Spanned<String>;
type Words = Spanned<Vec<Word>>;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    manual: Option<Word>,
    check: Option<Word>,
    change: Option<Word>,
    verify: Option<Word>,
    notify: Option<Word>,
    audit: Option<Word>,
    wait: Option<Word>,
    choose: Option<Word>,
    expect: Option<Words>,
    reads: Option<Spanned<u8>>,
    undo: Option<Word>,
    options: Option<Spanned<Vec<OptionKeys>>>,
    only_if_state: Option<Words>,
    deadline: Option<Word>,
    on_failure: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionKeys {
    text: String,
    then: Word,
}

/// A block, with what is needed to tell lines.
pub(super) struct Block {
    keys: Keys,
    source: String,
    first: usize,
}

impl Block {
    /// Reads the inside of a fence, of which `first` is the first line.
    pub fn read(lines: &[&str], first: usize) -> Result<Self, Wrong> {
        Ok(Self { keys: from_toml(lines, first)?, source: lines.join("\n"), first })
    }

    /// What a heading without a block stands for.
    pub fn manual(heading: usize) -> Self {
        Self {
            keys: Keys { manual: Some(Spanned::new(0..0, "attest".to_owned())), ..Keys::default() },
            source: String::new(),
            first: heading,
        }
    }

    fn wrong<T>(&self, at: &Spanned<T>, reason: impl Into<String>) -> Wrong {
        Wrong::new(self.first + newlines_before(&self.source, at.span().start), reason)
    }

    /// Which of the kinds' keys the block holds: exactly one.
    fn kind(&self) -> Result<(&'static str, &Word), Wrong> {
        let keys = &self.keys;
        let kinds = [
            ("manual", &keys.manual),
            ("check", &keys.check),
            ("change", &keys.change),
            ("verify", &keys.verify),
            ("notify", &keys.notify),
            ("audit", &keys.audit),
            ("wait", &keys.wait),
            ("choose", &keys.choose),
        ];
        let mut given = kinds.iter().filter_map(|(name, key)| Some((*name, key.as_ref()?)));
        let Some(first) = given.next() else {
            let names: Vec<_> = kinds.iter().map(|(name, _)| *name).collect();
            let reason = format!("a `step` block says what happens by one of {}", names.join(", "));
            return Err(Wrong::new(self.first, reason));
        };
        match given.next() {
            None => Ok(first),
            Some((second, at)) => {
                Err(self.wrong(at, format!("a step is one thing: `{}` or `{second}`, not both", first.0)))
            }
        }
    }

    /// Refuses keys that mean nothing to a step of this kind.
    fn refuse_strays(&self, kind: &str) -> Result<(), Wrong> {
        let keys = &self.keys;
        let strays = [
            ("expect", "check verify", keys.expect.as_ref().map(Spanned::span)),
            ("reads", "verify", keys.reads.as_ref().map(Spanned::span)),
            ("undo", "change", keys.undo.as_ref().map(Spanned::span)),
            ("options", "choose", keys.options.as_ref().map(Spanned::span)),
        ];
        for (name, belongs, span) in strays {
            if let Some(span) = span
                && !belongs.split(' ').any(|word| word == kind)
            {
                let belongs = belongs.replace(' ', " or ");
                return Err(self.wrong(
                    &Spanned::new(span, ()),
                    format!("`{name}` belongs to {belongs}, not to {kind}"),
                ));
            }
        }
        Ok(())
    }

    fn states(&self, words: Option<&Words>, key: &str, needed_by: &str) -> Result<Vec<KeyState>, Wrong> {
        let Some(words) = words else {
            return Err(Wrong::new(self.first, format!("`{needed_by}` needs `{key} = [\"…\"]`")));
        };
        if words.get_ref().is_empty() {
            return Err(self.wrong(words, format!("`{key}` names no state")));
        }
        words.get_ref().iter().map(|word| self.state(word)).collect()
    }

    fn state(&self, word: &Word) -> Result<KeyState, Wrong> {
        match KeyState::from(word.get_ref().as_str()) {
            KeyState::Other(_) => Err(self.wrong(word, format!("KMS has no key state `{}`", word.get_ref()))),
            state => Ok(state),
        }
    }

    fn time(&self, word: &Word) -> Result<SignedDuration, Wrong> {
        match word.get_ref().parse::<SignedDuration>() {
            Ok(time) if time > SignedDuration::ZERO => Ok(time),
            _ => {
                Err(self.wrong(word, format!("`{}` is no time such as `90s`, `15m` or `2h`", word.get_ref())))
            }
        }
    }

    fn only(&self, word: &Word, kind: &str, takes: &[&str]) -> Result<(), Wrong> {
        if takes.contains(&word.get_ref().as_str()) {
            return Ok(());
        }
        let takes: Vec<_> = takes.iter().map(|word| format!("`{word}`")).collect();
        Err(self.wrong(word, format!("`{kind}` takes {}, not `{}`", takes.join(" or "), word.get_ref())))
    }
}

/// Makes a step of its parts. `later` are the titles of the steps after it, of which the first has index `next`.
pub(super) fn build(
    block: &Block,
    title: &str,
    text: Text,
    later: &[String],
    next: usize,
) -> Result<Step, Wrong> {
    let (kind, word) = block.kind()?;
    block.refuse_strays(kind)?;
    let kind = match kind {
        "check" => StepKind::Check(check(block, word)?),
        "change" => change(block, word)?,
        "verify" => verify(block, word)?,
        "notify" => block.only(word, "notify", &["alert-topic"]).map(|()| StepKind::Notify)?,
        "audit" => block.only(word, "audit", &["sql"]).map(|()| StepKind::Audit)?,
        "wait" => StepKind::Wait { time: block.time(word)? },
        "choose" => choose(block, word, later, next)?,
        _ => manual(block, word)?,
    };
    let only_if_state = match &block.keys.only_if_state {
        Some(words) => Some(block.states(Some(words), "only_if_state", "step")?),
        None => None,
    };
    let deadline = block.keys.deadline.as_ref().map(|word| block.time(word)).transpose()?;
    let on_failure = on_failure(block, &kind)?;
    Ok(Step { title: title.to_owned(), text, kind, only_if_state, deadline, on_failure })
}

fn manual(block: &Block, word: &Word) -> Result<StepKind, Wrong> {
    block.only(word, "manual", &["attest", "clients-restarted"])?;
    let attests = if word.get_ref() == "attest" { Attests::Done } else { Attests::ClientsRestarted };
    Ok(StepKind::Manual { attests })
}

fn check(block: &Block, word: &Word) -> Result<Check, Wrong> {
    block.only(word, "check", &["key-state", "administrable"])?;
    if word.get_ref() == "key-state" {
        let expect = block.states(block.keys.expect.as_ref(), "expect", "check")?;
        return Ok(Check::State { expect });
    }
    match &block.keys.expect {
        Some(expect) => Err(block.wrong(expect, "`expect` belongs to `check = \"key-state\"`")),
        None => Ok(Check::Administrable),
    }
}

fn change(block: &Block, word: &Word) -> Result<StepKind, Wrong> {
    let operation: Operation = word.get_ref().parse().map_err(|reason: String| block.wrong(word, reason))?;
    if let Some(undo) = &block.keys.undo
        && operation.undo().as_ref().map(Operation::word) != Some(undo.get_ref().as_str())
    {
        let right = operation.undo().map_or_else(
            || format!("nothing takes {operation} back"),
            |undo| format!("{operation} is taken back by {undo}"),
        );
        return Err(block.wrong(undo, right));
    }
    Ok(StepKind::Change { operation })
}

fn verify(block: &Block, word: &Word) -> Result<StepKind, Wrong> {
    block.only(word, "verify", &["key-state"])?;
    let expect = block.states(block.keys.expect.as_ref(), "expect", "verify")?;
    let reads = match &block.keys.reads {
        Some(reads) if !(1..=MOST_READS).contains(reads.get_ref()) => {
            return Err(block.wrong(reads, format!("`reads` goes from 1 to {MOST_READS}")));
        }
        Some(reads) => *reads.get_ref(),
        None => AGREEING_READS,
    };
    Ok(StepKind::Verify { expect, reads })
}

fn choose(block: &Block, question: &Word, later: &[String], next: usize) -> Result<StepKind, Wrong> {
    let Some(options) = &block.keys.options else {
        return Err(
            block.wrong(question, "`choose` needs `options = [{ text = \"…\", then = \"next\" }, …]`")
        );
    };
    if options.get_ref().len() < 2 {
        return Err(block.wrong(options, "a choice needs at least two options"));
    }
    let mut choices: Vec<Choice> = Vec::new();
    for OptionKeys { text, then } in options.get_ref() {
        let leads = match then.get_ref().as_str() {
            "next" => Then::Next,
            "finish" => Then::Finish,
            title => later_step(block, then, title, later, next)?,
        };
        if text.trim().is_empty() || choices.iter().any(|choice| choice.text == *text) {
            return Err(block.wrong(then, "each option needs a text of its own"));
        }
        choices.push(Choice { text: text.clone(), then: leads });
    }
    Ok(StepKind::Choose { question: question.get_ref().clone(), options: choices })
}

fn later_step(block: &Block, then: &Word, title: &str, later: &[String], next: usize) -> Result<Then, Wrong> {
    later.iter().position(|step| step == title).map(|at| Then::Step(next + at)).ok_or_else(|| {
        let takes = "`then` takes `next`, `finish` or a later step's title";
        block.wrong(then, format!("{takes}; no later step is called `{title}`"))
    })
}

fn on_failure(block: &Block, kind: &StepKind) -> Result<OnFailure, Wrong> {
    let Some(word) = &block.keys.on_failure else { return Ok(OnFailure::Stop) };
    block.only(word, "on_failure", &["stop", "go-on"])?;
    match (word.get_ref().as_str(), kind) {
        ("go-on", StepKind::Change { .. }) => {
            Err(block.wrong(word, "a change that failed stops the run: a person has to decide"))
        }
        ("go-on", _) => Ok(OnFailure::GoOn),
        _ => Ok(OnFailure::Stop),
    }
}
