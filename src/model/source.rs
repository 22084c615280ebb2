//! How old a source's answers are.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::seen::NotVisible;

/// Where facts come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// KMS in one Region.
    Kms(String),
    /// CloudTrail in one Region.
    Trail(String),
    /// The queue of this name, which EventBridge feeds with the trail's records.
    Queue(String),
    /// Trail logs in files, by the path named.
    Files(String),
    Rds(String),
    /// One SQL server.
    Sql(super::catalog::ServerName),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kms(region) => write!(f, "KMS {region}"),
            Self::Trail(region) => write!(f, "CloudTrail {region}"),
            Self::Queue(name) => write!(f, "queue {}", super::text::visible(name)),
            Self::Files(path) => write!(f, "files {}", super::text::visible(path)),
            Self::Rds(region) => write!(f, "RDS {region}"),
            Self::Sql(server) => write!(f, "SQL {server}"),
        }
    }
}

/// How a source has been doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceHealth {
    /// When it last answered in full.
    pub last_success: Option<Timestamp>,
    /// The newest failure since then, and when it came.
    pub failing: Option<(Timestamp, NotVisible)>,
    /// Whether it is throttling us now.
    pub throttled: bool,
    /// When what is known of it was put on disk by an earlier run, as long as it has not answered in full since
    /// the program started. What was read before then is from that run.
    #[serde(default)]
    pub kept: Option<Timestamp>,
}

impl SourceHealth {
    /// Notes a full answer.
    pub fn succeeded(&mut self, at: Timestamp) {
        *self = Self { last_success: Some(at), ..Self::default() };
    }

    /// Notes a failure; the last success stays as it was.
    pub fn failed(&mut self, at: Timestamp, why: NotVisible) {
        self.throttled = why.cause == super::seen::Cause::Throttled;
        self.failing = Some((at, why));
    }
}
