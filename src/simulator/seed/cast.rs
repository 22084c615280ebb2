//! Who uses which key: what the seed's history and the live traffic are both made of.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rand::seq::IndexedRandom as _;
use serde_json::{Value, json};

use super::keys::{
    self, EXAMS, IMPORTED, PARTNER, PAYMENTS, PROFILES, REPORTING, SESSIONS_NEW, STAGING, USER_DATA,
};
use super::people::access_key;
use super::{ACCOUNT, HOME};
use crate::simulator::aws::Resource;
use crate::simulator::aws::cloudtrail::actor::{Actor, Session};
use crate::simulator::aws::cloudtrail::record::{Entry, kms_key};
use crate::simulator::aws::kms::Kms;
use crate::simulator::aws::kms::key::{Key, KeySpec};

/// How long an instance's role credentials are used before it fetches new ones.
pub(super) const SHIFT: SignedDuration = SignedDuration::from_hours(6);
const DOTNET: &str =
    "aws-sdk-dotnet-coreclr/3.7.402.11 ua/2.0 os/linux#5.15 lang/.NET_Core#8.0.8 md/aws-sdk-dotnet-core";

/// The machines of the production application: instance id and address.
pub(super) const APP_HOSTS: [(&str, &str); 3] = [
    ("i-0a41c7d2e9b35f601", "10.20.1.17"),
    ("i-0b92f1e8c4d7a6302", "10.20.2.41"),
    ("i-0cd3385be19f74a03", "10.20.3.8"),
];

/// One key as its users name it.
#[derive(Debug)]
pub(in crate::simulator) struct KeyUse {
    pub region: String,
    pub id: String,
    pub account: String,
    pub arn: String,
    pub resources: Arc<[Resource]>,
    /// `requestParameters` of a Decrypt, in the ways that programs write it.
    requests: Vec<Arc<Value>>,
    /// `{"keyId": arn}`.
    pub by_arn: Arc<Value>,
    /// `additionalEventData` of a Decrypt.
    material: Option<Arc<Value>>,
}

/// A use of a key, and how often, in comparison.
#[derive(Debug)]
pub(in crate::simulator) struct Share {
    pub key: KeyUse,
    weight: u32,
}

/// The programs and people of the account.
#[derive(Debug)]
pub(in crate::simulator) struct Cast {
    words: HashMap<&'static str, Arc<str>>,
    shifts: HashMap<(&'static str, i64), Arc<Actor>>,
    /// The keys that the production application decrypts with.
    pub app: Vec<Share>,
    /// Those of the nightly reports.
    pub reports: Vec<Share>,
    /// Those of the staging application.
    pub staging: Vec<Share>,
    endpoint: Arc<str>,
}

impl Cast {
    /// The cast for these keys.
    pub(in crate::simulator) fn of(kms: &Kms) -> Self {
        let shares = |uses: &[(&str, u32)]| -> Vec<Share> {
            let found =
                uses.iter().filter_map(|(alias, weight)| Some((keys::behind(kms, alias)?, *alias, *weight)));
            found.map(|(key, alias, weight)| Share { key: KeyUse::of(key, alias), weight }).collect()
        };
        Self {
            words: HashMap::new(),
            shifts: HashMap::new(),
            app: shares(&[
                (USER_DATA, 10),
                (PAYMENTS, 5),
                ("buzz-tutor/sessions", 6),
                (SESSIONS_NEW, 2),
                ("buzz-tutor/messages", 5),
                (PROFILES, 2),
                (EXAMS, 3),
                ("buzz-tutor/documents-rsa", 1),
                (PARTNER, 1),
            ]),
            reports: shares(&[(REPORTING, 5), (USER_DATA, 2), (IMPORTED, 2)]),
            staging: shares(&[(STAGING, 1)]),
            endpoint: "vpce-0f1e2d3c4b5a69788".into(),
        }
    }

    /// A shared copy of a word.
    pub(in crate::simulator) fn word(&mut self, word: &'static str) -> Arc<str> {
        Arc::clone(self.words.entry(word).or_insert_with(|| word.into()))
    }

    /// A machine's role session at `at`, the same for the whole shift.
    pub(in crate::simulator) fn on_shift(
        &mut self,
        role: &'static str,
        host: &'static str,
        at: Timestamp,
    ) -> Arc<Actor> {
        let shift = at.as_second().div_euclid(SHIFT.as_secs());
        let actor = self.shifts.entry((host, shift)).or_insert_with(|| {
            Arc::new(Actor::Role {
                account: ACCOUNT.to_owned(),
                role: role.to_owned(),
                session_name: host.to_owned(),
                access_key_id: access_key("ASIA", &format!("{role}/{host}/{shift}")),
                source_identity: None,
                session: Session { created: shift_start(shift), mfa: false, console: false },
            })
        });
        Arc::clone(actor)
    }

    /// One of `shares`, by weight.
    pub(in crate::simulator) fn pick<'a>(shares: &'a [Share], rng: &mut impl Rng) -> Option<&'a KeyUse> {
        shares.choose_weighted(rng, |share| share.weight).ok().map(|share| &share.key)
    }

    /// A KMS call in the home Region, with nothing more said about it.
    pub(in crate::simulator) fn kms_call(
        &mut self,
        at: Timestamp,
        name: &'static str,
        actor: &Arc<Actor>,
    ) -> Entry {
        let (source, name, region) = (self.word("kms.amazonaws.com"), self.word(name), self.word(HOME));
        Entry { region, ..Entry::new(at, &source, &name, actor) }
    }

    /// A Decrypt by the production application.
    pub(in crate::simulator) fn app_decrypt(
        &mut self,
        at: Timestamp,
        rng: &mut impl Rng,
    ) -> Option<(Entry, usize)> {
        let (host, address) = *APP_HOSTS.choose(rng)?;
        let actor = self.on_shift("BuzzTutorApp-production", host, at);
        let entry = self.kms_call(at, "Decrypt", &actor);
        let (source_ip, user_agent) = (self.word(address), self.word(DOTNET));
        if self.app.is_empty() {
            return None;
        }
        let index = rand::seq::index::sample_weighted(rng, self.app.len(), |one| self.app[one].weight, 1)
            .ok()?
            .index(0);
        let key = &self.app[index].key;
        let vpc_endpoint = Some(Arc::clone(&self.endpoint));
        Some((Entry { source_ip, user_agent, vpc_endpoint, ..key.decrypt(entry, rng) }, index))
    }
}

impl KeyUse {
    pub(super) fn of(key: &Key, alias: &str) -> Self {
        let arn = key.arn();
        let algorithm =
            if key.spec == KeySpec::SymmetricDefault { "SYMMETRIC_DEFAULT" } else { "RSAES_OAEP_SHA_256" };
        let mut requests: Vec<Arc<Value>> =
            [arn.clone(), arn.clone(), key.id.clone(), format!("alias/{alias}")]
                .iter()
                .map(|name| Arc::new(json!({"keyId": name, "encryptionAlgorithm": algorithm})))
                .collect();
        requests.push(Arc::new(json!({"encryptionAlgorithm": algorithm})));
        Self {
            region: key.region.clone(),
            id: key.id.clone(),
            account: key.account.clone(),
            resources: Arc::new([kms_key(&arn)]),
            requests,
            by_arn: Arc::new(json!({"keyId": arn})),
            // Column keys were wrapped when the key was young, and rotation wraps nothing anew.
            material: key.materials.first().map(|material| Arc::new(json!({"keyMaterialId": material.id}))),
            arn,
        }
    }

    /// Fills in what a Decrypt with this key says.
    pub(in crate::simulator) fn decrypt(&self, entry: Entry, rng: &mut impl Rng) -> Entry {
        Entry {
            request: self.requests.choose(rng).cloned(),
            additional: self.material.clone(),
            resources: Arc::clone(&self.resources),
            ..entry
        }
    }
}

fn shift_start(shift: i64) -> Timestamp {
    Timestamp::from_second(shift * SHIFT.as_secs()).unwrap_or_default()
}
