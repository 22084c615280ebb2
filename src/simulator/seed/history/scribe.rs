//! How history is written down: who did it, from where, and what the record says.

use std::sync::Arc;

use jiff::Timestamp;
use rand::Rng as _;
use rand::rngs::SmallRng;
use serde_json::{Value, json};

use super::super::cast::{Cast, KeyUse};
use super::super::people::access_key;
use super::super::{ACCOUNT, HOME, keys};
use crate::simulator::aws::Resource;
use crate::simulator::aws::cloudtrail::actor::{Actor, Session};
use crate::simulator::aws::cloudtrail::record::{Entry, Kind, kms_key};
use crate::simulator::aws::kms::key::Key;
use crate::simulator::world::World;

pub(super) const CLI: &str =
    "aws-cli/2.27.41 md/awscrt#0.26.1 ua/2.1 os/linux#6.8 md/arch#x86_64 lang/python#3.13.4";
pub(super) const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.12.1 aws-sdk-go-v2/1.36.5";
pub(super) const CONSOLE: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0";

/// Collects the events.
pub(super) struct Scribe<'a> {
    pub(super) world: &'a World,
    pub(super) cast: Cast,
    pub(super) rng: SmallRng,
    pub(super) now: Timestamp,
    pub(super) entries: Vec<Entry>,
}

/// A person behind a role.
#[derive(Clone, Copy)]
pub(super) struct Person {
    name: &'static str,
    role: &'static str,
    mfa: bool,
    console: bool,
    address: &'static str,
    agent: &'static str,
}

pub(super) const DEPLOYER: Person = Person {
    name: "platform",
    role: "BuzzTutorDevOps",
    mfa: false,
    console: false,
    address: "198.51.100.20",
    agent: TERRAFORM,
};
pub(super) const MANAGER: Person = Person {
    name: "platform",
    role: "BuzzTutorKeyManagementAdmin-production",
    mfa: true,
    console: true,
    address: "198.51.100.34",
    agent: CONSOLE,
};
pub(super) const COLLEAGUE: Person = Person {
    name: "oncall-b",
    role: "BuzzTutorEmergencyKeyAdmin-production",
    mfa: true,
    console: false,
    address: "203.0.113.52",
    agent: CLI,
};

impl Scribe<'_> {
    pub(super) fn refused(&mut self, entry: Entry, user: &str, key: &KeyUse) {
        let message = format!(
            "User: arn:aws:iam::{ACCOUNT}:user/{user} is not authorized to perform: kms:{} on resource: {} because \
             no identity-based policy allows the kms:{} action",
            entry.name, key.arn, entry.name
        );
        self.entries.push(Entry {
            error: Some(("AccessDenied".into(), message.into())),
            request: Some(Arc::clone(&key.by_arn)),
            resources: Arc::clone(&key.resources),
            ..entry
        });
    }

    pub(super) fn key(&self, alias: &str) -> Option<KeyUse> {
        keys::behind(&self.world.kms, alias).map(|key: &Key| KeyUse::of(key, alias))
    }

    /// The key's policy as it is: what the last one to put it wrote.
    pub(super) fn policy(&self, key: &KeyUse) -> String {
        self.world.kms.key(&key.region, &key.id).map(|key| key.policy.clone()).unwrap_or_default()
    }

    pub(super) fn user(name: &str) -> Arc<Actor> {
        Arc::new(Actor::User {
            account: ACCOUNT.to_owned(),
            name: name.to_owned(),
            access_key_id: access_key("AKIA", name),
            session: None,
        })
    }

    pub(super) fn person(person: Person, at: Timestamp) -> Arc<Actor> {
        // A session lasts an hour: calls of the same hour share it.
        let hour = at.as_second().div_euclid(3600);
        let created = Timestamp::from_second(hour * 3600).unwrap_or(at);
        Arc::new(Actor::Role {
            account: ACCOUNT.to_owned(),
            role: person.role.to_owned(),
            session_name: person.name.to_owned(),
            access_key_id: access_key("ASIA", &format!("{}/{}/{hour}", person.role, person.name)),
            source_identity: person.mfa.then(|| person.name.to_owned()),
            session: Session { created, mfa: person.mfa, console: person.console },
        })
    }

    pub(super) fn read(&mut self, person: Person, at: Timestamp, name: &'static str, key: &KeyUse) {
        let actor = Self::person(person, at);
        let entry = self.cast.kms_call(at, name, &actor);
        self.entries.push(Entry {
            source_ip: self.cast.word(person.address),
            user_agent: self.cast.word(person.agent),
            request: Some(Arc::clone(&key.by_arn)),
            resources: Arc::clone(&key.resources),
            ..entry
        });
    }

    pub(super) fn change(
        &mut self,
        person: Person,
        at: Timestamp,
        name: &'static str,
        key: &KeyUse,
        request: Value,
    ) {
        self.read(person, at, name, key);
        if let Some(entry) = self.entries.last_mut() {
            entry.read_only = false;
            entry.request = Some(Arc::new(request));
            entry.response = Some(Arc::clone(&key.by_arn));
        }
    }

    pub(super) fn assumed(&mut self, person: Person, at: Timestamp) {
        let actor = Self::user(person.name);
        let mut request = json!({
            "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/{}", person.role),
            "roleSessionName": person.name, "durationSeconds": 3600,
        });
        if person.mfa {
            request["serialNumber"] = format!("arn:aws:iam::{ACCOUNT}:mfa/{}", person.name).into();
        }
        let entry = self.assume_role(at, person.role, &actor, request);
        self.entries.push(Entry {
            source_ip: self.cast.word(person.address),
            user_agent: self.cast.word(person.agent),
            ..entry
        });
    }

    pub(super) fn assumed_by_service(
        &mut self,
        role: &'static str,
        session_name: &'static str,
        at: Timestamp,
    ) {
        let service = self.cast.word("ec2.amazonaws.com");
        let actor = Arc::new(Actor::Service { account: ACCOUNT.to_owned(), name: service.to_string() });
        let request = json!({
            "roleArn": format!("arn:aws:iam::{ACCOUNT}:role/{role}"), "roleSessionName": session_name,
        });
        let entry = self.assume_role(at, role, &actor, request);
        self.entries.push(Entry { source_ip: Arc::clone(&service), user_agent: service, ..entry });
    }

    pub(super) fn assume_role(
        &mut self,
        at: Timestamp,
        role: &str,
        actor: &Arc<Actor>,
        request: Value,
    ) -> Entry {
        let (source, name, region) =
            (self.cast.word("sts.amazonaws.com"), self.cast.word("AssumeRole"), self.cast.word(HOME));
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/{role}");
        let resource = Resource { account: ACCOUNT.to_owned(), kind: "AWS::IAM::Role".to_owned(), arn };
        Entry {
            region,
            request: Some(Arc::new(request)),
            resources: Arc::new([resource]),
            ..Entry::new(at, &source, &name, actor)
        }
    }

    pub(super) fn service_event(
        &mut self,
        at: Timestamp,
        region: &'static str,
        name: &'static str,
        arn: &str,
        details: Value,
    ) {
        let actor = Arc::new(Actor::Service { account: ACCOUNT.to_owned(), name: "AWS Internal".to_owned() });
        let entry = self.cast.kms_call(at, name, &actor);
        self.entries.push(Entry {
            region: self.cast.word(region),
            read_only: false,
            resources: Arc::new([kms_key(arn)]),
            kind: Kind::ServiceEvent(Some(Arc::new(details))),
            ..entry
        });
    }

    /// A call across accounts stands in both.
    pub(super) fn push_both(&mut self, entry: Entry, owner: &str) {
        let shared_id = Some(uuid::Builder::from_random_bytes(self.rng.random()).into_uuid());
        let actor = Arc::new(entry.actor.seen_from_abroad());
        self.entries.push(Entry { account: owner.into(), actor, shared_id, ..entry.clone() });
        self.entries.push(Entry { shared_id, ..entry });
    }
}
