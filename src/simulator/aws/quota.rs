//! Request quotas: a token bucket for each account, Region and operation.
//!
//! Buckets fill by real time, whatever the virtual clock does: a quota is about how fast a client calls, and
//! on a clock that stands still a bucket on virtual time would never fill again.
//! Rates: the KMS developer guide's "Request quotas" and the `CloudTrail` user guide's `LookupEvents` limit.

use std::collections::HashMap;

use tokio::time::Instant;

/// The buckets.
#[derive(Debug, Default)]
pub struct Quotas(HashMap<Bucket, Level>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bucket {
    account: String,
    region: String,
    /// The operation, or the name of a quota that several share.
    quota: &'static str,
}

#[derive(Clone, Copy, Debug)]
struct Level {
    tokens: f64,
    at: Instant,
}

/// Service, operation, requests a second.
const RATES: &[(&str, &str, u32)] = &[
    ("kms", "DescribeKey", 2000),
    ("kms", "ListResourceTags", 2000),
    ("kms", "GetKeyPolicy", 1000),
    ("kms", "GetKeyRotationStatus", 1000),
    ("kms", "ListKeys", 500),
    ("kms", "ListAliases", 500),
    ("kms", "ListGrants", 100),
    ("kms", "ListKeyRotations", 100),
    ("kms", "ListKeyPolicies", 100),
    ("kms", "CreateGrant", 50),
    ("kms", "RevokeGrant", 50),
    ("kms", "RetireGrant", 50),
    ("kms", "ScheduleKeyDeletion", 15),
    ("kms", "PutKeyPolicy", 15),
    ("kms", "EnableKeyRotation", 15),
    ("kms", "DisableKeyRotation", 15),
    ("kms", "DeleteAlias", 15),
    ("kms", "TagResource", 10),
    ("kms", "UntagResource", 5),
    ("kms", "DisableKey", 5),
    ("kms", "EnableKey", 5),
    ("kms", "CancelKeyDeletion", 5),
    ("kms", "RotateKeyOnDemand", 5),
    ("kms", "GetKeyLastUsage", 5),
    ("kms", "CreateKey", 5),
    ("kms", "CreateAlias", 5),
    ("kms", "UpdateAlias", 5),
    ("kms", "UpdateKeyDescription", 5),
    ("cloudtrail", "LookupEvents", 2),
    ("sts", "AssumeRole", 600),
    ("sts", "GetSessionToken", 600),
    ("sts", "GetCallerIdentity", 600),
    ("sns", "Publish", 300),
    ("rds", "DescribeDBInstances", 100),
];

/// Symmetric cryptographic operations share one quota in each Region.
const CRYPTOGRAPHIC: (&str, u32) = ("cryptographic operations", 20_000);

fn rate(service: &str, operation: &str) -> Option<(&'static str, u32)> {
    RATES
        .iter()
        .find(|(of, name, _)| *of == service && *name == operation)
        .map(|&(_, name, rate)| (name, rate))
        .or_else(|| (service == "kms").then_some(CRYPTOGRAPHIC))
}

impl Quotas {
    /// Takes one request out of its bucket; `false` if the bucket is empty.
    pub fn admit(
        &mut self,
        account: &str,
        region: &str,
        service: &str,
        operation: &str,
        now: Instant,
    ) -> bool {
        let Some((quota, rate)) = rate(service, operation) else { return true };
        let full = f64::from(rate);
        let bucket = Bucket { account: account.to_owned(), region: region.to_owned(), quota };
        let level = self.0.entry(bucket).or_insert(Level { tokens: full, at: now });
        let gained = now.saturating_duration_since(level.at).as_secs_f64() * full;
        *level = Level { tokens: (level.tokens + gained).min(full), at: now };
        let admitted = level.tokens >= 1.0;
        if admitted {
            level.tokens -= 1.0;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let mut quotas = Quotas::default();
        let start = Instant::now();
        let mut lookup = |region, at| quotas.admit("1", region, "cloudtrail", "LookupEvents", at);
        assert!(lookup("eu-west-1", start));
        assert!(lookup("eu-west-1", start));
        assert!(!lookup("eu-west-1", start));
        assert!(lookup("us-east-1", start), "each Region has its own");
        assert!(!lookup("eu-west-1", start + Duration::from_millis(499)));
        assert!(lookup("eu-west-1", start + Duration::from_secs(1)));
    }

    #[test]
    fn an_idle_bucket_holds_one_second_and_no_more() {
        let mut quotas = Quotas::default();
        let start = Instant::now();
        let later = start + Duration::from_hours(1);
        quotas.admit("1", "r", "kms", "DisableKey", start);
        let admitted = (0..20).filter(|_| quotas.admit("1", "r", "kms", "DisableKey", later)).count();
        assert_eq!(admitted, 5);
    }
}
