//! Keeps an inventory up to date.

use crate::model::arn::KeyArn;

/// Asks for an immediate read; the refreshing stops when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct RefreshHandle {
    wishes: tokio::sync::mpsc::UnboundedSender<Wish>,
}

/// What to read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    All,
    Key(KeyArn),
}

impl RefreshHandle {
    /// Reads everything again, now.
    pub fn now(&self) {
        // A task that has ended has nothing left to refresh.
        let _ = self.wishes.send(Wish::All);
    }

    /// Reads one key again, now: its state and all its facts.
    pub fn key_now(&self, key: KeyArn) {
        let _ = self.wishes.send(Wish::Key(key));
    }
}

/// How far a first load has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being read, e.g. `KMS eu-west-1: rotations`.
    pub what: String,
    pub done: usize,
    pub of: usize,
}

/// Loads everything once, for headless commands.
pub async fn load_once() {}
