//! Confirmed and approved: each can be made only from the stage before it.

use jiff::Timestamp;

use super::preview::{Preview, must_type, must_type_override};
use crate::model::plan::{Digest, Plan};

/// A plan that the operator confirmed by typing its key's name.
///
/// Nothing else makes one:
///
/// ```compile_fail
/// fn forge(plan: portcullis::model::plan::Plan) -> portcullis::gate::Confirmed {
///     portcullis::gate::Confirmed { plan }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Confirmed {
    plan: Plan,
    digest: Digest,
    typed: String,
    approvals_needed: u8,
    without_approval: bool,
}

/// A plan that enough people approved: what [`super::Gate::execute`] takes.
///
/// ```compile_fail
/// fn skip_approval(confirmed: portcullis::gate::Confirmed) -> portcullis::gate::Approved {
///     portcullis::gate::Approved { confirmed, by: Vec::new() }
/// }
/// ```
#[derive(Debug, PartialEq)]
pub struct Approved {
    confirmed: Confirmed,
    by: Vec<Approval>,
}

/// One person's approval of one plan, its signature checked.
///
/// Nothing makes one yet: tokens and their checking come with two-person approval. Until then a
/// requirement above zero is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The ARN of who approved, as STS told it.
    person: String,
    digest: Digest,
    at: Timestamp,
    expires_at: Timestamp,
}

/// Why what was typed confirms nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotConfirmed {
    #[error("nothing was typed: Enter alone never fires anything. Type `{must_type}`")]
    Nothing { must_type: String },
    #[error("that is not it: type exactly `{must_type}`")]
    Wrong { must_type: String },
    #[error("the plan expired at {at}. Make a new one: what it was made on may have changed")]
    Expired { at: Timestamp },
    #[error("the plan has no digest: {why}. This is a mistake in portcullis: please report it")]
    NoDigest { why: String },
    #[error(
        "the plan is not the one that was shown: its digest is {now}, the preview's was {shown}. Look at it again"
    )]
    Changed { shown: String, now: String },
}

/// Why a confirmed plan is not approved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    #[error(
        "this change asks for {needed} approvals besides your own and has {given}. This version cannot take approvals yet: type that you do without, where settings allow it (`approval_override`), or use the paper runbook"
    )]
    TooFew { needed: u8, given: usize },
    #[error("the approval of {person} is for another plan ({digest}). Ask for one of this plan")]
    OtherPlan { person: String, digest: String },
    #[error("the approval of {person} expired at {at}. Ask for a new one")]
    Expired { person: String, at: Timestamp },
    #[error("the approval of {person} is dated {at}, which is yet to come. See to the clocks")]
    NotYet { person: String, at: Timestamp },
    #[error("{person} asked for this change and cannot approve it. Ask somebody else")]
    Requester { person: String },
    #[error("{person} approved twice, and counts once. Ask somebody else")]
    Twice { person: String },
    #[error("the plan expired at {at}. Make a new one: what it was made on may have changed")]
    PlanExpired { at: Timestamp },
}

impl Preview {
    /// Takes the operator's typed confirmation: exactly [`Preview::must_type`], nothing around it; or, to do without
    /// the approvals, [`Preview::must_type_override`].
    ///
    /// # Errors
    /// Where something else was typed, or nothing, or the plan expired meanwhile.
    pub fn confirm(&self, typed: &str, now: Timestamp) -> Result<Confirmed, NotConfirmed> {
        let digest = self.plan.digest().map_err(|e| NotConfirmed::NoDigest { why: e.to_string() })?;
        if digest != self.digest {
            return Err(NotConfirmed::Changed { shown: self.digest.short(), now: digest.short() });
        }
        if now >= self.plan.expires_at {
            return Err(NotConfirmed::Expired { at: self.plan.expires_at });
        }
        let must_type = must_type(&self.plan, self.production);
        let without_approval = self.may_override && typed == must_type_override(&self.plan, self.production);
        if typed.trim().is_empty() {
            return Err(NotConfirmed::Nothing { must_type });
        }
        if typed != must_type && !without_approval {
            return Err(NotConfirmed::Wrong { must_type });
        }
        Ok(Confirmed {
            plan: self.plan.clone(),
            digest,
            typed: typed.to_owned(),
            approvals_needed: if without_approval { 0 } else { self.approvals_needed },
            without_approval,
        })
    }
}

impl Confirmed {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Counts the approvals: enough distinct people, none the requester, each for this very plan, none expired.
    ///
    /// # Errors
    /// At the first approval that does not count, or where they are too few.
    pub fn approve(self, approvals: &[Approval], now: Timestamp) -> Result<Approved, NotApproved> {
        if now >= self.plan.expires_at {
            return Err(NotApproved::PlanExpired { at: self.plan.expires_at });
        }
        for (nth, approval) in approvals.iter().enumerate() {
            self.admit(approval, &approvals[..nth], now)?;
        }
        if approvals.len() < usize::from(self.approvals_needed) {
            return Err(NotApproved::TooFew { needed: self.approvals_needed, given: approvals.len() });
        }
        Ok(Approved { confirmed: self, by: approvals.to_vec() })
    }

    fn admit(&self, approval: &Approval, before: &[Approval], now: Timestamp) -> Result<(), NotApproved> {
        let person = crate::model::text::visible(&approval.person).into_owned();
        if approval.digest != self.digest {
            return Err(NotApproved::OtherPlan { person, digest: approval.digest.short() });
        }
        if now >= approval.expires_at {
            return Err(NotApproved::Expired { person, at: approval.expires_at });
        }
        if now < approval.at {
            return Err(NotApproved::NotYet { person, at: approval.at });
        }
        if approval.person == self.plan.requester {
            return Err(NotApproved::Requester { person });
        }
        if before.iter().any(|other| other.person == approval.person) {
            return Err(NotApproved::Twice { person });
        }
        Ok(())
    }
}

impl Approved {
    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.confirmed.plan
    }

    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.confirmed.digest
    }

    /// What the operator typed.
    pub(super) fn typed(&self) -> &str {
        &self.confirmed.typed
    }

    /// Whether the operator did without the approvals that were asked for, and typed so.
    #[must_use]
    pub fn without_approval(&self) -> bool {
        self.confirmed.without_approval
    }

    /// Who approved, besides the requester.
    #[must_use]
    pub fn approvers(&self) -> Vec<&str> {
        self.by.iter().map(|approval| approval.person.as_str()).collect()
    }
}

#[cfg(test)]
mod tests;
