//! The TOML of a `step` block: its keys, and where each stands in the document.

use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::mistake::Wrong;
use super::read::{from_toml, newlines_before};
use crate::model::key::KeyState;

pub(super) type Word = Spanned<String>;
pub(super) type Words = Spanned<Vec<Word>>;

/// Every key that a block may hold.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Keys {
    manual: Option<Word>,
    check: Option<Word>,
    approval: Option<Word>,
    #[serde(rename = "assume-role")]
    assume_role: Option<Word>,
    change: Option<Word>,
    verify: Option<Word>,
    notify: Option<Word>,
    audit: Option<Word>,
    wait: Option<Word>,
    choose: Option<Word>,
    ask: Option<Word>,
    pub expect: Option<Words>,
    pub reads: Option<Spanned<u8>>,
    pub since: Option<Word>,
    pub people: Option<Spanned<u8>>,
    pub days: Option<Spanned<u8>>,
    pub period_days: Option<Spanned<u32>>,
    pub undo: Option<Word>,
    pub options: Option<Spanned<Vec<OptionKeys>>>,
    pub question: Option<Word>,
    pub only_if_state: Option<Words>,
    pub only_if: Option<Words>,
    pub deadline: Option<Word>,
    pub then: Option<Word>,
    pub retries: Option<Spanned<u32>>,
    pub retry_after: Option<Word>,
    pub on_failure: Option<Word>,
    pub otherwise: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OptionKeys {
    pub text: Word,
    pub then: Word,
}

/// A block, with what is needed to tell lines.
pub(super) struct Block {
    pub keys: Keys,
    source: String,
    /// The document line of its first line.
    pub first: usize,
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

    /// A mistake at something in the block.
    pub fn wrong<T>(&self, at: &Spanned<T>, reason: impl Into<String>) -> Wrong {
        Wrong::new(self.first + newlines_before(&self.source, at.span().start), reason)
    }

    /// A mistake of the block as a whole.
    pub fn lacks(&self, reason: impl Into<String>) -> Wrong {
        Wrong::new(self.first, reason)
    }

    /// Which of the kinds' keys the block holds: exactly one.
    pub fn kind(&self) -> Result<(&'static str, &Word), Wrong> {
        let keys = &self.keys;
        let kinds = [
            ("manual", &keys.manual),
            ("check", &keys.check),
            ("approval", &keys.approval),
            ("assume-role", &keys.assume_role),
            ("change", &keys.change),
            ("verify", &keys.verify),
            ("notify", &keys.notify),
            ("audit", &keys.audit),
            ("wait", &keys.wait),
            ("choose", &keys.choose),
            ("ask", &keys.ask),
        ];
        let mut given = kinds.iter().filter_map(|(name, key)| Some((*name, key.as_ref()?)));
        let Some(first) = given.next() else {
            let names: Vec<_> = kinds.iter().map(|(name, _)| *name).collect();
            return Err(
                self.lacks(format!("a `step` block says what happens by one of {}", names.join(", ")))
            );
        };
        match given.next() {
            None => Ok(first),
            Some((second, at)) => {
                Err(self.wrong(at, format!("a step is one thing: `{}` or `{second}`, not both", first.0)))
            }
        }
    }

    /// Keys that mean nothing to a step of this kind.
    pub fn strays(&self, kind: &str) -> Vec<Wrong> {
        let keys = &self.keys;
        let belong = [
            ("expect", "check verify", keys.expect.as_ref().map(Spanned::span)),
            ("reads", "verify", keys.reads.as_ref().map(Spanned::span)),
            ("since", "check verify", keys.since.as_ref().map(Spanned::span)),
            ("people", "approval", keys.people.as_ref().map(Spanned::span)),
            ("days", "change", keys.days.as_ref().map(Spanned::span)),
            ("period_days", "change", keys.period_days.as_ref().map(Spanned::span)),
            ("undo", "change", keys.undo.as_ref().map(Spanned::span)),
            ("options", "choose", keys.options.as_ref().map(Spanned::span)),
            ("question", "ask", keys.question.as_ref().map(Spanned::span)),
            ("retries", "check verify notify audit", keys.retries.as_ref().map(Spanned::span)),
        ];
        let stray = belong.into_iter().filter_map(|(name, kinds, span)| {
            let span = span.filter(|_| !kinds.split(' ').any(|word| word == kind))?;
            let kinds = kinds.replace(' ', " or ");
            Some(self.wrong(&Spanned::new(span, ()), format!("`{name}` belongs to {kinds}, not to {kind}")))
        });
        stray.collect()
    }

    /// The key states of a list that must be there.
    pub fn states(&self, words: Option<&Words>, key: &str, needed_by: &str) -> Result<Vec<KeyState>, Wrong> {
        let Some(words) = words else {
            return Err(self.lacks(format!("`{needed_by}` needs `{key} = [\"…\"]`")));
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

    /// A length of time above zero.
    pub fn time(&self, word: &Word) -> Result<SignedDuration, Wrong> {
        let time = word.get_ref().parse::<jiff::Span>().ok();
        let time = time.and_then(|t| t.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok());
        time.filter(|time| *time > SignedDuration::ZERO).ok_or_else(|| {
            self.wrong(word, format!("`{}` is no time such as `90s`, `15m`, `2h` or `7d`", word.get_ref()))
        })
    }

    /// Holds that a word is among those that a key takes.
    pub fn one_of(&self, word: &Word, kind: &str, takes: &[&str]) -> Result<(), Wrong> {
        if takes.contains(&word.get_ref().as_str()) {
            return Ok(());
        }
        let takes: Vec<_> = takes.iter().map(|word| format!("`{word}`")).collect();
        Err(self.wrong(word, format!("`{kind}` takes {}, not `{}`", takes.join(" or "), word.get_ref())))
    }

    /// Text that is shown as it stands: not empty, and without placeholders, which only a step's text takes.
    pub fn plain(&self, word: &Word, key: &str) -> Result<String, Wrong> {
        let text = word.get_ref();
        if text.trim().is_empty() {
            return Err(self.wrong(word, format!("`{key}` is empty")));
        }
        if let Some((_, found, _)) = super::text::placeholder_in(text) {
            let reason = format!("`{key}` takes no placeholder: move `{{{found}}}` into the step's text");
            return Err(self.wrong(word, reason));
        }
        Ok(text.clone())
    }
}
