//! What a caller is allowed: its identity policies, narrowed by its session policy.

use super::policy::{Answer, ConditionKeys, Policy, Principal, Question, Via};
use super::{Call, Caller, Identity};

/// Everything that decides what one caller may do, but for the policies of resources.
#[derive(Clone, Debug)]
pub struct Access {
    pub caller: Caller,
    pub principal: Principal,
    /// What conditions may ask about the caller and the request.
    pub keys: ConditionKeys,
    pub(super) identity: Vec<Policy>,
    pub(super) session: Option<Policy>,
}

/// Why something is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    IdentityDeny,
    SessionDeny,
    ResourceDeny,
    IdentitySilent,
    SessionSilent,
    ResourceSilent,
}

impl Access {
    /// What the caller's identity policies say; the account's root may do everything.
    #[must_use]
    pub fn identity(&self, question: Question<'_>) -> Answer {
        if self.caller.identity == Identity::Root {
            return Answer { denied: false, allowed: Some(Via::Principal) };
        }
        self.identity.iter().map(|policy| policy.answer(question)).fold(Answer::default(), |all, one| {
            Answer { denied: all.denied || one.denied, allowed: all.allowed.max(one.allowed) }
        })
    }

    /// What the session policy says; without one it stands in nobody's way.
    #[must_use]
    pub fn session(&self, question: Question<'_>) -> Answer {
        self.session
            .as_ref()
            .map_or(Answer { denied: false, allowed: Some(Via::Principal) }, |policy| policy.answer(question))
    }

    /// The same caller, asking about a resource with these tags.
    #[must_use]
    pub fn of_resource<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut access = self.clone();
        for (tag, value) in tags {
            access.keys.set(&format!("aws:ResourceTag/{tag}"), value);
        }
        access
    }

    /// Whether identity and session policies together allow it, for services whose resources have no policies.
    ///
    /// # Errors
    ///
    /// Which policy stands in the way.
    pub fn permits(&self, action: &str, resource: &str) -> Result<(), Denial> {
        let question = Question { action, resource, keys: &self.keys };
        let (identity, session) = (self.identity(question), self.session(question));
        if identity.denied {
            Err(Denial::IdentityDeny)
        } else if session.denied {
            Err(Denial::SessionDeny)
        } else if identity.allowed.is_none() {
            Err(Denial::IdentitySilent)
        } else if session.allowed.is_none() {
            Err(Denial::SessionSilent)
        } else {
            Ok(())
        }
    }

    /// AWS's sentence about a denial.
    #[must_use]
    pub fn explain(&self, denial: Denial, action: &str, resource: &str) -> String {
        let head = format!(
            "User: {} is not authorized to perform: {action} on resource: {resource}",
            self.caller.arn()
        );
        match denial {
            Denial::IdentityDeny => format!("{head} with an explicit deny in an identity-based policy"),
            Denial::SessionDeny => format!("{head} with an explicit deny in a session policy"),
            Denial::ResourceDeny => format!("{head} with an explicit deny in a resource-based policy"),
            Denial::IdentitySilent => {
                format!("{head} because no identity-based policy allows the {action} action")
            }
            Denial::SessionSilent => format!("{head} because no session policy allows the {action} action"),
            Denial::ResourceSilent => {
                format!("{head} because no resource-based policy allows the {action} action")
            }
        }
    }
}

/// The principal that a caller is to resource policies.
#[must_use]
pub fn principal_of(caller: &Caller) -> Principal {
    let mut arns = vec![caller.arn()];
    let mut service = None;
    match &caller.identity {
        Identity::Session { role, .. } => arns.push(format!("arn:aws:iam::{}:role/{role}", caller.account)),
        Identity::Service { name } => service = Some(name.clone()),
        Identity::Root | Identity::User { .. } => {}
    }
    Principal { account: caller.account.clone(), arns, service }
}

/// What conditions may ask about a call, whatever its service.
#[must_use]
pub fn keys_of(call: &Call) -> ConditionKeys {
    let mut keys = ConditionKeys::default();
    let caller = &call.caller;
    keys.set("aws:CurrentTime", call.at.to_string());
    keys.set("aws:SourceIp", &*call.source_ip);
    keys.set("aws:UserAgent", &*call.user_agent);
    keys.set("aws:RequestedRegion", &*call.region);
    keys.set("aws:PrincipalAccount", &*caller.account);
    keys.set("kms:CallerAccount", &*caller.account);
    match &caller.identity {
        Identity::Root => {
            keys.set("aws:PrincipalType", "Account");
            keys.set("aws:PrincipalArn", caller.arn());
        }
        Identity::User { name, mfa } => {
            keys.set("aws:PrincipalType", "User");
            keys.set("aws:PrincipalArn", caller.arn());
            keys.set("aws:username", &**name);
            // Long-term credentials carry no MFA key at all; temporary ones say yes or no.
            if caller.access_key_id.starts_with("ASIA") {
                keys.set("aws:MultiFactorAuthPresent", mfa.to_string());
            }
        }
        Identity::Session { role, mfa, source_identity, tags, issued_at, .. } => {
            keys.set("aws:PrincipalType", "AssumedRole");
            keys.set("aws:PrincipalArn", format!("arn:aws:iam::{}:role/{role}", caller.account));
            keys.set("aws:MultiFactorAuthPresent", mfa.to_string());
            keys.set("aws:TokenIssueTime", issued_at.to_string());
            if let Some(source) = source_identity {
                keys.set("aws:SourceIdentity", &**source);
            }
            for (tag, value) in tags {
                keys.set(&format!("aws:PrincipalTag/{tag}"), &**value);
            }
        }
        Identity::Service { .. } => keys.set("aws:PrincipalIsAWSService", "true"),
    }
    keys
}
