//! Who uses which key, from where, since when: the baseline that what is new stands out from.
//!
//! A baseline begins with the first use of a key that was seen. Kept are earliest and latest moments only, so that
//! neither order nor repetition matters.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::super::finding::Finding;
use super::super::look::House;
use super::super::rule::Rule;
use super::super::rules::{
    DROPPED_KEY_TRIED, FOREIGN_KEY_ENCRYPTS, FOREIGN_USE, NEW_ADDRESS, NEW_NETWORK, NEW_PRINCIPAL,
};
use super::super::sight::{called, identity, key, words};
use super::super::tuning::any_fits;
use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::model::text::{Untrusted, visible};

/// The use of every key.
#[derive(Debug, Default)]
pub(in crate::detect) struct Uses(HashMap<KeyArn, KeyUses>);

/// The use of one key.
#[derive(Debug, Default)]
struct KeyUses {
    /// The earliest use.
    since: Option<Timestamp>,
    principals: HashMap<String, Seen>,
    networks: HashMap<Place, Seen>,
    addresses: HashMap<IpAddr, Seen>,
    /// By accounts other than the key's own, of keys that are ours.
    accounts: HashMap<String, Seen>,
    /// Encryption under the key, which is another account's, by one of ours.
    encrypting: HashMap<String, Seen>,
    /// Use that failed because the key is disabled, pending deletion, or gone.
    tried: HashMap<String, Seen>,
}

/// Where a call came from, as far as it tells callers apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Place {
    Endpoint(String),
    Net(IpNet),
}

/// The first event of its kind, and when the last was.
#[derive(Clone, Debug)]
struct Seen {
    at: Timestamp,
    id: String,
    call: Untrusted,
    who: Who,
    from: Untrusted,
    region: String,
    endpoint: bool,
    last: Timestamp,
}

impl Seen {
    fn of(event: &KeyEvent) -> Self {
        Self {
            at: event.at,
            id: event.id.clone(),
            call: event.name.clone(),
            who: event.who.clone(),
            from: event.from.clone(),
            region: event.region.clone(),
            endpoint: event.vpc_endpoint.is_some(),
            last: event.at,
        }
    }

    /// Keeps the earlier of the two as the first, and the later moment as the last.
    fn take(&mut self, event: &KeyEvent) {
        let last = self.last.max(event.at);
        if (event.at, event.id.as_str()) < (self.at, self.id.as_str()) {
            *self = Self::of(event);
        }
        self.last = last;
    }
}

fn note<K: std::hash::Hash + Eq>(seen: &mut HashMap<K, Seen>, key: K, event: &KeyEvent) {
    seen.entry(key).and_modify(|first| first.take(event)).or_insert_with(|| Seen::of(event));
}

/// The same without making a text where there is one already.
fn note_text(seen: &mut HashMap<String, Seen>, key: &str, event: &KeyEvent) {
    match seen.get_mut(key) {
        Some(first) => first.take(event),
        None => {
            seen.insert(key.to_owned(), Seen::of(event));
        }
    }
}

impl Uses {
    pub(in crate::detect) fn see(&mut self, event: &KeyEvent) {
        if !event.is_use() || event.who.is_service() {
            return;
        }
        match &event.outcome {
            Outcome::Allowed => {
                for key in &event.keys {
                    let uses = match self.0.get_mut(key) {
                        Some(uses) => uses,
                        None => self.0.entry(key.clone()).or_default(),
                    };
                    uses.see(key, event);
                }
            }
            Outcome::Failed { code, .. } if means_dropped(code) => {
                if let Some(key) = key(event) {
                    note_text(&mut self.0.entry(key).or_default().tried, identity(&event.who), event);
                }
            }
            _ => {}
        }
    }

    pub(in crate::detect) fn findings(&self, house: &House, findings: &mut Vec<Finding>) {
        for (key, uses) in &self.0 {
            uses.findings(&About { key, house }, findings);
        }
    }
}

/// KMS's codes for a key that is there no more, or not for use.
fn means_dropped(code: &str) -> bool {
    matches!(code, "DisabledException" | "KMSInvalidStateException" | "NotFoundException")
}

impl KeyUses {
    fn see(&mut self, key: &KeyArn, event: &KeyEvent) {
        self.since = Some(self.since.map_or(event.at, |since| since.min(event.at)));
        note_text(&mut self.principals, identity(&event.who), event);
        let address: Option<IpAddr> = event.from.raw().parse().ok();
        match (&event.vpc_endpoint, address) {
            (Some(endpoint), _) => note(&mut self.networks, Place::Endpoint(endpoint.clone()), event),
            (None, Some(address)) => {
                note(&mut self.networks, Place::Net(network(address)), event);
                if !is_private(address) {
                    note(&mut self.addresses, address, event);
                }
            }
            (None, None) => {}
        }
        let Some(caller) = event.who.account.as_deref().filter(|caller| *caller != key.account()) else {
            return;
        };
        // The record of the key's owner tells of use from outside, the caller's own of use of a foreign key.
        if event.recipient.as_deref() == Some(key.account()) {
            note_text(&mut self.accounts, caller, event);
        } else if encrypts(event.name.raw()) {
            note_text(&mut self.encrypting, identity(&event.who), event);
        }
    }

    fn findings(&self, about: &About<'_>, findings: &mut Vec<Finding>) {
        let tuning = &about.house.tuning;
        let known = |seen: &Seen| any_fits(&tuning.principals, called(&seen.who));
        let placed =
            |seen: &Seen| seen.from.raw().parse().is_ok_and(|address| tuning.allows_address(address));
        let is_new = |seen: &&Seen| self.is_new(seen, tuning.baseline);
        for seen in self.principals.values().filter(is_new).filter(|seen| !known(seen)) {
            findings.push(about.new_principal(seen, self.watched_until(seen)));
        }
        for seen in self.networks.values().filter(is_new).filter(|seen| !placed(seen)) {
            findings.push(about.new_network(seen, self.watched_until(seen)));
        }
        for seen in self.addresses.values().filter(is_new).filter(|seen| !placed(seen)) {
            let of_new_network = self.networks.values().any(|network| network.id == seen.id);
            if !of_new_network {
                findings.push(about.new_address(seen, self.watched_until(seen)));
            }
        }
        let foreign = |(account, _): &(&String, &Seen)| !tuning.allows_account(account);
        findings.extend(
            self.accounts.iter().filter(foreign).map(|(account, seen)| about.foreign_use(account, seen)),
        );
        if !tuning.allows_account(about.key.account()) {
            findings.extend(
                self.encrypting.values().filter(|seen| !known(seen)).map(|seen| about.encrypting(seen)),
            );
        }
        for (whom, seen) in &self.tried {
            // Who used it before goes on as programs do; who never did is worth more than a look.
            let is_stranger =
                self.since.is_some_and(|since| seen.at.duration_since(since) >= tuning.baseline)
                    && self.principals.get(whom).is_none_or(|used| used.at > seen.at);
            findings.push(about.tried(seen, is_stranger));
        }
    }

    fn is_new(&self, seen: &Seen, baseline: SignedDuration) -> bool {
        self.since.is_some_and(|since| seen.at > since && seen.at.duration_since(since) >= baseline)
    }

    /// How long the key's use had been watched when `seen` came.
    fn watched_until(&self, seen: &Seen) -> SignedDuration {
        self.since.map_or(SignedDuration::ZERO, |since| seen.at.duration_since(since))
    }
}

/// The key that findings are made about.
struct About<'a> {
    key: &'a KeyArn,
    house: &'a House,
}

impl About<'_> {
    fn name(&self) -> String {
        visible(self.house.context.name(self.key)).into_owned()
    }

    fn finding(
        &self,
        rule: &'static Rule,
        severity: Severity,
        seen: &Seen,
        of: &str,
        reason: String,
    ) -> Finding {
        Finding {
            id: format!("{}/{}/{of}", rule.id, self.key.as_str()),
            rule,
            severity,
            at: seen.at,
            events: vec![(seen.at, seen.id.clone())],
            keys: vec![self.key.clone()],
            who: Some(seen.who.clone()),
            from: Some(seen.from.clone()),
            region: seen.region.clone(),
            reason,
            attempt: false,
            muted: None,
        }
    }

    fn new_principal(&self, seen: &Seen, watched: SignedDuration) -> Finding {
        let (rule, who) = (&NEW_PRINCIPAL, &seen.who);
        let reason = format!(
            "{} used {} ({}) for the first time in the {} that its use has been watched",
            words(who),
            self.name(),
            seen.call,
            span(watched)
        );
        self.finding(rule, rule.severity, seen, identity(who), reason)
    }

    fn new_network(&self, seen: &Seen, watched: SignedDuration) -> Finding {
        // A new subnet or endpoint of one's own is news; an address on the internet is more.
        let address = seen.from.raw().parse().ok();
        let inside = seen.endpoint || address.is_some_and(is_private);
        let severity = if inside { Severity::Notice } else { NEW_NETWORK.severity };
        let network = match address {
            Some(address) if !seen.endpoint => network(address).to_string(),
            _ => "that VPC endpoint".to_owned(),
        };
        let reason = format!(
            "{} used {} ({}) from {}: nobody has used it from {network} in the {} that its use has been watched",
            words(&seen.who),
            self.name(),
            seen.call,
            seen.from,
            span(watched)
        );
        self.finding(&NEW_NETWORK, severity, seen, &network, reason)
    }

    fn new_address(&self, seen: &Seen, watched: SignedDuration) -> Finding {
        let reason = format!(
            "{} used {} ({}) from {}, an address not seen with it in the {} that its use has been watched",
            words(&seen.who),
            self.name(),
            seen.call,
            seen.from,
            span(watched)
        );
        self.finding(&NEW_ADDRESS, NEW_ADDRESS.severity, seen, seen.from.raw(), reason)
    }

    fn foreign_use(&self, account: &str, seen: &Seen) -> Finding {
        let reason = format!(
            "account {} uses {} ({}), and no setting names it as one that may",
            visible(account),
            self.name(),
            seen.call
        );
        self.finding(&FOREIGN_USE, FOREIGN_USE.severity, seen, account, reason)
    }

    fn encrypting(&self, seen: &Seen) -> Finding {
        let reason = format!(
            "{} encrypts ({}) under a key of account {}: whoever owns that key decides who can read it again",
            words(&seen.who),
            seen.call,
            self.key.account()
        );
        let rule = &FOREIGN_KEY_ENCRYPTS;
        self.finding(rule, rule.severity, seen, identity(&seen.who), reason)
    }

    fn tried(&self, seen: &Seen, is_stranger: bool) -> Finding {
        let rule = &DROPPED_KEY_TRIED;
        let (severity, ever) =
            if is_stranger { (rule.severity, ", and never used it before") } else { (Severity::Notice, "") };
        let went_on =
            if seen.last > seen.at { format!(", until {} at least", seen.last) } else { String::new() };
        let reason = format!(
            "{} tries to use {} ({}), which is disabled, pending deletion or gone{ever}{went_on}",
            words(&seen.who),
            self.name(),
            seen.call
        );
        Finding { attempt: true, ..self.finding(rule, severity, seen, identity(&seen.who), reason) }
    }
}

fn encrypts(call: &str) -> bool {
    call == "Encrypt" || call == "ReEncrypt" || call.starts_with("GenerateDataKey")
}

/// The neighbourhood that an address counts as: /24 and /48 on the internet, /16 within private networks.
fn network(address: IpAddr) -> IpNet {
    let prefix = match address {
        IpAddr::V4(_) if is_private(address) => 16,
        IpAddr::V4(_) => 24,
        IpAddr::V6(_) => 48,
    };
    // These prefixes are within bounds; a single address stands for itself otherwise.
    IpNet::new(address, prefix).map_or_else(|_| IpNet::from(address), |network| network.trunc())
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback(),
    }
}

fn span(span: SignedDuration) -> String {
    match span.as_hours() {
        hours @ 0..48 => format!("{hours} h"),
        hours => format!("{} days", hours / 24),
    }
}
