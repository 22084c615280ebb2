//! How an execution went, and how it goes on meanwhile.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cloud::Probe;
use crate::journal::JournalError;
use crate::model::aspect::Aspect;
use crate::model::duty::Duty;
use crate::model::plan::Plan;

/// What came of executing an approved plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub plan: Plan,
    pub verdict: Verdict,
    /// The sequence number of the `intent` entry; `None` where nothing got as far as that.
    pub intent: Option<u64>,
    /// What was seen of the key afterwards.
    pub sight: Option<Sight>,
    /// People and tables not told yet, from this change or an earlier one of the incident.
    pub owed: Vec<Owed>,
    /// Where the journal failed after the intent, what of this is therefore not in it.
    pub journal_trouble: Option<String>,
}

/// The one word of an [`Outcome`].
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Done, and proved by agreeing reads.
    Verified,
    /// AWS accepted it, but the key's state does not prove it.
    NotVerified { why: String },
    /// It was sent, and nobody knows whether it happened.
    Unknown { why: String },
    /// AWS refused it, or it never left: nothing changed.
    Failed { why: String },
    /// The gate refused it: nothing was sent.
    Refused(Refusal),
}

/// Why the gate sent nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error(
        "when the plan was made, KMS said: {planned}; now it says: {now}. Somebody else is at work on it. Look at the Events screen, then plan again"
    )]
    Stale { planned: Aspect, now: Aspect },
    #[error("the plan expired at {at}. Make a new one: what it was made on may have changed")]
    Expired { at: Timestamp },
    #[error(
        "what the plan was made on could not be read again, so the plan cannot be checked against it: {why}. See to that, then try again"
    )]
    StateNotVisible { why: String },
    #[error(
        "entry {intent} of the journal intends a change to this key whose outcome is not settled. Settle it first: nothing is sent twice unsaid"
    )]
    Unfinished { intent: u64 },
    #[error("{why}. Make the plan again")]
    NotThisGate { why: String },
    #[error("{why}")]
    NotAssumed {
        why: String,
        /// Whether another MFA code may do.
        another_code: bool,
    },
    #[error("without a journal nothing is changed: {why}")]
    NoJournal { why: String },
}

impl Outcome {
    /// The process's exit code: 0 done and verified, 1 failed and nothing changed, 3 refused,
    /// 4 changed but not verified or outcome unknown. A change that the journal does not wholly hold is not 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.verdict {
            Verdict::Verified if self.journal_trouble.is_some() => 4,
            Verdict::Verified => 0,
            Verdict::Failed { .. } | Verdict::Refused(Refusal::NoJournal { .. }) => 1,
            Verdict::Refused(_) => 3,
            Verdict::NotVerified { .. } | Verdict::Unknown { .. } => 4,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, verdict, .. } = self;
        let (operation, key) = (&plan.operation, crate::model::text::visible(&plan.key_name));
        match verdict {
            Verdict::Verified => write!(f, "{operation} of {key}: done and verified")?,
            Verdict::NotVerified { why } => {
                write!(f, "{operation} of {key}: accepted by AWS, but NOT VERIFIED: {why}")?;
            }
            Verdict::Unknown { why } => write!(f, "{operation} of {key}: OUTCOME UNKNOWN: {why}")?,
            Verdict::Failed { why } => write!(f, "{operation} of {key}: failed, nothing changed: {why}")?,
            Verdict::Refused(why) => write!(f, "{operation} of {key}: refused, nothing was sent: {why}")?,
        }
        if let Some(sight) = self.sight.as_ref().filter(|_| !matches!(verdict, Verdict::Refused(_))) {
            write!(f, ". {sight}")?;
        }
        if !self.owed.is_empty() {
            write!(
                f,
                ". Owed: {}",
                self.owed.iter().map(|o| o.channel.to_string()).collect::<Vec<_>>().join(", ")
            )?;
        }
        if let Some(trouble) = &self.journal_trouble {
            write!(f, ". THE JOURNAL IS INCOMPLETE: {trouble}")?;
        }
        Ok(())
    }
}

/// One reading of what a change alters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Read {
    pub at: Timestamp,
    /// What was read, or why it could not be.
    #[serde(rename = "state")]
    pub aspect: Result<Aspect, String>,
}

/// What was seen of a key after a change: reads, oldest first, and a probe of its use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    pub reads: Vec<Read>,
    /// How many reads at the end agree with one another.
    pub agreeing: u8,
    pub probe: Probe,
}

impl Sight {
    /// What the last reads agree on.
    #[must_use]
    pub fn aspect(&self) -> Option<&Aspect> {
        self.reads.last().and_then(|read| read.aspect.as_ref().ok())
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reads.last().map(|read| &read.aspect) {
            Some(Ok(aspect)) => write!(f, "{} agreeing reads say {aspect}; {}", self.agreeing, self.probe),
            Some(Err(why)) => write!(f, "the key could not be read: {why}; {}", self.probe),
            None => write!(f, "the key was not read; {}", self.probe),
        }
    }
}

/// Somebody who is told of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "channel")]
pub enum Channel {
    /// People, through an SNS topic.
    Sns { topic: String },
    /// The audit table, through `dbo.LogEmergencyKeyRevocation`.
    SqlAudit { server: crate::model::catalog::ServerName, database: String },
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::model::text::visible;
        match self {
            Self::Sns { topic } => {
                write!(f, "SNS {}", visible(topic.rsplit(':').next().unwrap_or(topic)))
            }
            Self::SqlAudit { server, database } => {
                write!(f, "SQL audit row {} on {server}", visible(database))
            }
        }
    }
}

/// Something that somebody has not been told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The sequence number of the entry that they are to be told of.
    pub about: u64,
    pub channel: Channel,
    /// Why the last try failed; `None` where there was none.
    pub why: Option<String>,
}

impl fmt::Display for Owed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (entry {})", self.channel, self.about)?;
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => f.write_str(": not sent yet"),
        }
    }
}

/// A step of an execution, told as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// The intent is on the disk.
    Intended {
        seq: u64,
    },
    /// What the plan was made on is as it was.
    GroundConfirmed {
        aspect: Aspect,
    },
    /// The change's role was assumed.
    Assumed {
        duty: Duty,
        /// Whether a code of an MFA device went along.
        mfa: bool,
        expires_at: Timestamp,
    },
    /// The call goes out.
    Calling {
        action: &'static str,
    },
    /// AWS accepted it.
    Accepted,
    /// AWS refused it.
    Refused {
        why: String,
    },
    /// No answer: it is being looked for.
    NoAnswer {
        why: String,
    },
    /// A read while verifying; `agreeing` in a row so far of those needed.
    Read {
        read: Read,
        agreeing: u8,
        needed: u8,
    },
    Probed {
        probe: Probe,
    },
    Proved {
        seq: u64,
    },
    Telling {
        channel: Channel,
    },
    Told {
        channel: Channel,
    },
    Owed {
        owed: Owed,
    },
    /// The journal did not take an entry.
    JournalFailed {
        why: String,
    },
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Intended { seq } => write!(f, "intent journalled (entry {seq})"),
            Self::GroundConfirmed { aspect: Aspect::State(state) } => {
                write!(f, "the key is still {state}: the plan holds")
            }
            Self::GroundConfirmed { aspect } => write!(f, "still so: {aspect}: the plan holds"),
            Self::Assumed { duty, mfa, expires_at } => write!(
                f,
                "as {duty}{} until {}: this key and this change alone",
                if *mfa { ", with MFA," } else { "" },
                expires_at.strftime("%H:%M:%SZ")
            ),
            Self::Calling { action } => write!(f, "calling {action}"),
            Self::Accepted => f.write_str("accepted by AWS"),
            Self::Refused { why } => write!(f, "refused by AWS: {why}"),
            Self::NoAnswer { why } => write!(f, "no answer ({why}): going to look"),
            Self::Read { read, agreeing, needed } => match &read.aspect {
                Ok(aspect) => write!(f, "read: {aspect} ({agreeing} of {needed})"),
                Err(why) => write!(f, "the key could not be read: {why}"),
            },
            Self::Probed { probe } => probe.fmt(f),
            Self::Proved { seq } => write!(f, "proof journalled (entry {seq})"),
            Self::Telling { channel } => write!(f, "telling {channel}"),
            Self::Told { channel } => write!(f, "told {channel}"),
            Self::Owed { owed } => write!(f, "owed: {owed}"),
            Self::JournalFailed { why } => write!(f, "the journal failed: {why}"),
        }
    }
}

/// Where an execution can be cut off: the moments around each entry of the journal. A test halts at one and
/// kills the process there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Boundary {
    BeforeIntent,
    AfterIntent,
    /// The call is answered, and the answer not yet journalled.
    AfterCall,
    /// The answer is journalled, and nothing read yet.
    BeforeVerify,
    /// The proof is journalled, and nobody told yet.
    BeforeNotify,
}

impl Boundary {
    /// Every boundary, in order.
    pub const ALL: [Self; 5] =
        [Self::BeforeIntent, Self::AfterIntent, Self::AfterCall, Self::BeforeVerify, Self::BeforeNotify];

    /// Its word, e.g. `after-intent`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BeforeIntent => "before-intent",
            Self::AfterIntent => "after-intent",
            Self::AfterCall => "after-call",
            Self::BeforeVerify => "before-verify",
            Self::BeforeNotify => "before-notify",
        }
    }
}

impl std::str::FromStr for Boundary {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|boundary| boundary.word() == word).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|boundary| boundary.word()).collect();
            format!("no boundary of the gate: it takes {}", words.join(", "))
        })
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        Self::NoJournal { why: error.to_string() }
    }
}
