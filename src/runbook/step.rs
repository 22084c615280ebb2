//! A step, made of its block: each key judged by itself, so that every mistake is told and not only the first.

use jiff::SignedDuration;
use toml::Spanned;

use super::block::{Block, Word};
use super::kind::{Attests, Change, Check, Choice, Circumstance, StepKind, Then, Value, Verify};
use super::mistake::Wrong;
use super::text::Text;
use super::{OnFailure, Precondition, Retry, Step};
use crate::model::duty::Duty;
use crate::model::operation::{DELETION_DAYS, ROTATION_DAYS};

/// The reads of a `verify` that does not say how many.
const AGREEING_READS: u8 = 3;
/// More would only tire KMS, and more people could not be found at night.
const MOST: u8 = 9;
/// Tries again by itself: more than an hour of them is a person's decision.
const MOST_RETRIES: u32 = 60;
/// Between two tries where the step does not say.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// How far back a check looks where it does not say.
const LATELY: SignedDuration = SignedDuration::from_hours(24);
/// Further back than this CloudTrail's events cannot be looked up.
const TRAIL_REACHES: SignedDuration = SignedDuration::from_hours(24 * 90);

/// Words of `then` and `on_failure`, which no step may be called.
pub(super) const RESERVED: [&str; 5] = ["next", "finish", "stop", "go-on", "ask"];

/// Where a step stands among the others.
pub(super) struct Place<'a> {
    pub index: usize,
    pub titles: &'a [String],
}

/// Makes a step of its parts; where it cannot, the mistakes are in `wrongs`.
pub(super) fn build(block: &Block, text: Text, place: &Place<'_>, wrongs: &mut Vec<Wrong>) -> Option<Step> {
    let before = wrongs.len();
    let mut judge = Judge { block, place, wrongs };
    let kind = judge.kind();
    let only_if_state = judge.only_if_state();
    let only_if = judge.only_if();
    let deadline = block.keys.deadline.as_ref().and_then(|word| judge.take(block.time(word)));
    let then = judge.then(kind.as_ref());
    let retry = judge.retry();
    let on_failure = judge.on_failure(kind.as_ref(), then);
    let title = place.titles[place.index].clone();
    let kind = kind.filter(|_| wrongs.len() == before)?;
    Some(Step { title, text, kind, only_if_state, only_if, deadline, then, retry, on_failure })
}

struct Judge<'a, 'w> {
    block: &'a Block,
    place: &'a Place<'a>,
    wrongs: &'w mut Vec<Wrong>,
}

impl Judge<'_, '_> {
    /// What was read, or None with the mistake kept.
    fn take<T>(&mut self, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.wrongs.push(wrong)).ok()
    }

    fn kind(&mut self) -> Option<StepKind> {
        let block = self.block;
        let (kind, word) = self.take(block.kind())?;
        self.wrongs.extend(block.strays(kind));
        let read = match kind {
            "check" => check(block, word).map(StepKind::Check),
            "approval" => approval(block, word),
            "assume-role" => assume_role(block, word),
            "change" => change(block, word).map(StepKind::Change),
            "verify" => verify(block, word).map(StepKind::Verify),
            "notify" => block.one_of(word, "notify", &["alert-topic"]).map(|()| StepKind::Notify),
            "audit" => block.one_of(word, "audit", &["sql"]).map(|()| StepKind::Audit),
            "wait" => block.time(word).map(|time| StepKind::Wait { time }),
            "choose" => return self.choose(word),
            "ask" => ask(block, word),
            _ => manual(block, word),
        };
        self.take(read)
    }

    fn choose(&mut self, question: &Word) -> Option<StepKind> {
        let block = self.block;
        let Some(options) = &block.keys.options else {
            let needs = "`choose` needs `options = [{ text = \"…\", then = \"next\" }, …]`";
            self.wrongs.push(block.wrong(question, needs));
            return None;
        };
        if options.get_ref().len() < 2 {
            self.wrongs.push(block.wrong(options, "a choice needs at least two options"));
        }
        let mut choices: Vec<Choice> = Vec::new();
        for option in options.get_ref() {
            let then = self.leads(&option.then, true);
            let text = self.take(block.plain(&option.text, "text"));
            if choices.iter().any(|choice| Some(&choice.text) == text.as_ref()) {
                self.wrongs.push(block.wrong(&option.text, "each option needs a text of its own"));
            }
            choices.extend(text.zip(then).map(|(text, then)| Choice { text, then }));
        }
        let forward = |choice: &Choice| !matches!(choice.then, Then::Step(at) if at <= self.place.index);
        if !choices.is_empty() && !choices.iter().any(forward) {
            self.wrongs
                .push(block.wrong(options, "one option must lead forward, or the run could never end"));
        }
        let question = self.take(block.plain(question, "choose"))?;
        Some(StepKind::Choose { question, options: choices })
    }

    /// Reads where something leads: to the next step, the end, or a step by its title.
    fn leads(&mut self, word: &Word, backwards_too: bool) -> Option<Then> {
        let title = word.get_ref().as_str();
        let place = self.place;
        let found = place.titles.iter().position(|step| step == title);
        match (title, found) {
            ("next", _) => Some(Then::Next),
            ("finish", _) => Some(Then::Finish),
            (_, Some(at)) if at > place.index || (backwards_too && at < place.index) => Some(Then::Step(at)),
            _ => {
                let (which, none) = if backwards_too {
                    ("another step's title", format!("no other step is called `{title}`"))
                } else {
                    ("a later step's title", format!("no later step is called `{title}`"))
                };
                let reason = format!("this takes `next`, `finish` or {which}; {none}");
                self.wrongs.push(self.block.wrong(word, reason));
                None
            }
        }
    }

    fn then(&mut self, kind: Option<&StepKind>) -> Then {
        let Some(word) = &self.block.keys.then else { return Then::Next };
        if matches!(kind, Some(StepKind::Choose { .. })) {
            let reason = "a choice goes on by its options: `then` belongs into each of them";
            self.wrongs.push(self.block.wrong(word, reason));
        }
        self.leads(word, false).unwrap_or_default()
    }

    fn only_if_state(&mut self) -> Option<Vec<crate::model::key::KeyState>> {
        let words = self.block.keys.only_if_state.as_ref()?;
        self.take(self.block.states(Some(words), "only_if_state", "step"))
    }

    fn only_if(&mut self) -> Vec<Precondition> {
        let Some(words) = &self.block.keys.only_if else { return Vec::new() };
        if words.get_ref().is_empty() {
            self.wrongs.push(self.block.wrong(words, "`only_if` names nothing"));
        }
        words.get_ref().iter().filter_map(|word| self.precondition(word)).collect()
    }

    fn precondition(&mut self, word: &Word) -> Option<Precondition> {
        let text = word.get_ref().as_str();
        let (holds, name) = text.strip_prefix("not ").map_or((true, text), |name| (false, name));
        let found = Circumstance::ALL.into_iter().find(|c| c.word() == name);
        if found.is_none() {
            let words: Vec<_> = Circumstance::ALL.iter().map(|c| c.word()).collect();
            let reason =
                format!("`only_if` takes {}, each with or without `not `; not `{text}`", words.join(", "));
            self.wrongs.push(self.block.wrong(word, reason));
        }
        found.map(|circumstance| Precondition { circumstance, holds })
    }

    fn retry(&mut self) -> Option<Retry> {
        let keys = &self.block.keys;
        let Some(retries) = &keys.retries else {
            if let Some(after) = &keys.retry_after {
                self.wrongs.push(self.block.wrong(after, "`retry_after` needs `retries`: how often?"));
            }
            return None;
        };
        if !(1..=MOST_RETRIES).contains(retries.get_ref()) {
            let reason = format!("`retries` goes from 1 to {MOST_RETRIES}");
            self.wrongs.push(self.block.wrong(retries, reason));
        }
        let after = match &keys.retry_after {
            Some(word) => self.take(self.block.time(word))?,
            None => RETRY_AFTER,
        };
        Some(Retry { times: *retries.get_ref(), after })
    }

    /// What follows a failure; to go on is to go on as after the step.
    fn on_failure(&mut self, kind: Option<&StepKind>, then: Then) -> OnFailure {
        let keys = &self.block.keys;
        let word = keys.on_failure.as_ref();
        let ask = word.is_some_and(|word| word.get_ref() == "ask");
        let otherwise = keys.otherwise.as_ref().and_then(|word| {
            if !ask {
                self.wrongs.push(self.block.wrong(word, "`otherwise` belongs to `on_failure = \"ask\"`"));
            }
            self.leads(word, false)
        });
        let Some(word) = word else { return OnFailure::Stop };
        match word.get_ref().as_str() {
            "stop" => OnFailure::Stop,
            "ask" => OnFailure::Ask(otherwise.unwrap_or(then)),
            other => {
                if matches!(kind, Some(StepKind::Change(_))) {
                    let reason =
                        "a change that failed stops the run: a person has to decide (`stop`, or `ask`)";
                    self.wrongs.push(self.block.wrong(word, reason));
                }
                let then = if other == "go-on" { Some(then) } else { self.leads_after_failure(word) };
                then.map_or(OnFailure::Stop, OnFailure::GoOn)
            }
        }
    }

    fn leads_after_failure(&mut self, word: &Word) -> Option<Then> {
        let title = word.get_ref();
        let later = self.place.titles.iter().skip(self.place.index + 1).any(|step| step == title);
        if !later {
            let reason = format!(
                "`on_failure` takes `stop`, `go-on`, `ask` or a later step's title; no later step is called `{title}`"
            );
            self.wrongs.push(self.block.wrong(word, reason));
            return None;
        }
        self.leads(word, false)
    }
}

fn manual(block: &Block, word: &Word) -> Result<StepKind, Wrong> {
    block.one_of(word, "manual", &["attest", "clients-restarted"])?;
    let attests = if word.get_ref() == "attest" { Attests::Done } else { Attests::ClientsRestarted };
    Ok(StepKind::Manual { attests })
}

fn check(block: &Block, word: &Word) -> Result<Check, Wrong> {
    block.one_of(word, "check", &Check::WORDS)?;
    let name = word.get_ref().as_str();
    if let Some(expect) = block.keys.expect.as_ref().filter(|_| name != "key-state") {
        return Err(block.wrong(expect, "`expect` belongs to `check = \"key-state\"`"));
    }
    if let Some(since) = block.keys.since.as_ref().filter(|_| !["grants", "users"].contains(&name)) {
        return Err(block.wrong(since, "`since` belongs to `check = \"grants\"` or `\"users\"`"));
    }
    Ok(match name {
        "key-state" => Check::State { expect: block.states(block.keys.expect.as_ref(), "expect", "check")? },
        "key-gone" => Check::Gone,
        "administrable" => Check::Administrable,
        "grants" => Check::Grants { since: since(block)? },
        "users" => Check::Users { since: since(block)? },
        "rotation" => Check::Rotation,
        "key-material" => Check::Material,
        "rds-storage" => Check::Storage,
        "replicas" => Check::Relatives,
        _ => Check::ColumnKeys,
    })
}

fn since(block: &Block) -> Result<SignedDuration, Wrong> {
    let Some(word) = &block.keys.since else { return Ok(LATELY) };
    let since = block.time(word)?;
    if since > TRAIL_REACHES {
        return Err(
            block.wrong(word, "CloudTrail's events can be looked up for 90 days, and no further back")
        );
    }
    Ok(since)
}

fn approval(block: &Block, word: &Word) -> Result<StepKind, Wrong> {
    let people = match &block.keys.people {
        Some(people) => within(block, people, "people", 1..=MOST)?,
        None => 1,
    };
    Ok(StepKind::Approval { by: block.plain(word, "approval")?, people })
}

fn assume_role(block: &Block, word: &Word) -> Result<StepKind, Wrong> {
    let words = Duty::ALL.map(Duty::word);
    block.one_of(word, "assume-role", &words)?;
    let duty = Duty::ALL.into_iter().find(|duty| duty.word() == word.get_ref());
    duty.map(|duty| StepKind::AssumeRole { duty }).ok_or_else(|| block.lacks("a duty has no name"))
}

fn change(block: &Block, word: &Word) -> Result<Change, Wrong> {
    let name = word.get_ref().as_str();
    let Some(change) = Change::ALL.into_iter().find(|change| change.word() == name) else {
        let words: Vec<_> = Change::ALL.iter().map(|change| change.word()).collect();
        let reason = format!("`{name}` is no change that the gate knows: it takes {}", words.join(", "));
        return Err(block.wrong(word, reason));
    };
    if let Some(undo) = block.keys.undo.as_ref().filter(|undo| change.undo() != Some(undo.get_ref())) {
        let right = change.undo().map_or_else(
            || format!("nothing takes {name} back"),
            |undo| format!("{name} is taken back by {undo}"),
        );
        return Err(block.wrong(undo, right));
    }
    with_days(block, change)
}

/// The change with the days that its step gives.
fn with_days(block: &Block, change: Change) -> Result<Change, Wrong> {
    let (days, period) = (block.keys.days.as_ref(), block.keys.period_days.as_ref());
    match change {
        Change::ScheduleKeyDeletion { days: usual } => Ok(Change::ScheduleKeyDeletion {
            days: days.map_or(Ok(usual), |days| within(block, days, "days", DELETION_DAYS))?,
        }),
        Change::EnableKeyRotation { period_days: usual } => Ok(Change::EnableKeyRotation {
            period_days: period
                .map_or(Ok(usual), |days| within(block, days, "period_days", ROTATION_DAYS))?,
        }),
        other => {
            let stray = days.map(|at| ("days", at.span())).or(period.map(|at| ("period_days", at.span())));
            let wrong = stray.map(|(key, at)| {
                block.wrong(&Spanned::new(at, ()), format!("`{key}` means nothing to {}", other.word()))
            });
            wrong.map_or(Ok(other), Err)
        }
    }
}

fn within<T: PartialOrd + Copy + std::fmt::Display>(
    block: &Block,
    number: &Spanned<T>,
    key: &str,
    range: std::ops::RangeInclusive<T>,
) -> Result<T, Wrong> {
    if range.contains(number.get_ref()) {
        return Ok(*number.get_ref());
    }
    Err(block.wrong(number, format!("`{key}` goes from {} to {}", range.start(), range.end())))
}

fn verify(block: &Block, word: &Word) -> Result<Verify, Wrong> {
    block.one_of(word, "verify", &Verify::WORDS)?;
    let (name, keys) = (word.get_ref().as_str(), &block.keys);
    if name == "key-state" {
        let expect = block.states(keys.expect.as_ref(), "expect", "verify")?;
        let reads = keys
            .reads
            .as_ref()
            .map_or(Ok(AGREEING_READS), |reads| within(block, reads, "reads", 1..=MOST))?;
        return Ok(Verify::State { expect, reads });
    }
    if let Some(expect) = &keys.expect {
        return Err(block.wrong(expect, "`expect` belongs to `verify = \"key-state\"`"));
    }
    if let Some(reads) = &keys.reads {
        return Err(block.wrong(reads, "`reads` belongs to `verify = \"key-state\"`"));
    }
    if let Some(since) = keys.since.as_ref().filter(|_| name != "rotated") {
        return Err(block.wrong(since, "`since` belongs to `verify = \"rotated\"`"));
    }
    Ok(match name {
        "new-material" => Verify::NewMaterial,
        "rotated" => match &keys.since {
            Some(word) => Verify::Rotated { since: block.time(word)? },
            None => {
                return Err(block.wrong(
                    word,
                    "`verify = \"rotated\"` needs `since = \"92d\"`: how old may the material be?",
                ));
            }
        },
        "clients-working" => Verify::ClientsWorking,
        "principal-cut-off" => Verify::PrincipalCutOff,
        "rds-available" => Verify::RdsAvailable,
        _ => Verify::Rewrapped,
    })
}

fn ask(block: &Block, word: &Word) -> Result<StepKind, Wrong> {
    block.one_of(word, "ask", &Value::ASKED.map(Value::word))?;
    let asked = Value::ASKED.into_iter().find(|value| value.word() == word.get_ref());
    let value = asked.ok_or_else(|| block.lacks("a value has no name"))?;
    let question = match &block.keys.question {
        Some(question) => block.plain(question, "question")?,
        None => value.question().to_owned(),
    };
    Ok(StepKind::Ask { value, question })
}
