//! Reads of KMS: every fact has a call of its own, and so its own way of failing.

mod convert;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_kms::Client;
use aws_sdk_kms::types::{IncludeKeyMaterial, KeyListEntry};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure::Failure;
use super::pages::Pages;
use super::quota::{Haste, Paces};
use crate::clock::Clock;
use crate::model::arn::{AliasArn, KeyArn};
use crate::model::key::{Grant, KmsKey, LastUse, RotationRecord, RotationStatus};
use crate::model::seen::Seen;
use crate::model::text::Untrusted;

/// Reads of KMS in one Region. Clones share connections and pace.
#[derive(Clone, Debug)]
pub struct KmsReads {
    client: Client,
    region: String,
    clock: Clock,
    /// For reads of a whole account; None for those of a key or two, which wait for nobody.
    paces: Option<Arc<Paces>>,
}

/// One alias, as `ListAliases` gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AliasEntry {
    pub arn: AliasArn,
    /// Without the `alias/` prefix.
    pub name: Untrusted,
    /// None for an alias that AWS keeps for itself and that has no key yet.
    pub key_id: Option<String>,
}

impl AliasEntry {
    /// The key that it names, in its own account and Region.
    #[must_use]
    pub fn key(&self) -> Option<KeyArn> {
        let id = self.key_id.as_ref()?;
        let home = self.arn.as_str().strip_suffix(self.arn.name())?.strip_suffix("alias/")?;
        format!("{home}key/{id}").parse().ok()
    }
}

/// Reads every page of a listing whose answers are `truncated` with a `next_marker`, and hands each to `$take`.
macro_rules! each_page {
    ($self:ident, $operation:expr, $request:expr, $items:ident, $take:expr) => {{
        let (mut pages, mut marker) = (Pages::of($operation), None);
        loop {
            let request = $request.set_marker(marker);
            let answer = $self.ask($operation, || request.clone().send()).await?;
            $take(answer.$items.unwrap_or_default());
            // A server that ignores markers gives one page and says that it is all.
            marker = pages.next(answer.next_marker.filter(|_| answer.truncated))?;
            if marker.is_none() {
                break;
            }
        }
    }};
}

/// The same, all at once.
macro_rules! all_pages {
    ($self:ident, $operation:expr, $request:expr, $items:ident) => {{
        let mut found = Vec::new();
        each_page!($self, $operation, $request, $items, |items| found.extend(items));
        found
    }};
}

/// The longest pages that KMS gives (API reference, `Limit` of each operation).
const KEYS_A_PAGE: i32 = 1000;
const ALIASES_A_PAGE: i32 = 100;
const GRANTS_A_PAGE: i32 = 100;
const ROTATIONS_A_PAGE: i32 = 1000;
const TAGS_A_PAGE: i32 = 50;

impl KmsReads {
    pub(super) fn new(client: Client, region: &str, clock: Clock) -> Self {
        Self { client, region: region.to_owned(), clock, paces: None }
    }

    /// The same reads under the quotas of an account and Region, at a pace that leaves room for others.
    pub(super) fn at_a_pace(self, paces: Arc<Paces>) -> Self {
        Self { paces: Some(paces), ..self }
    }

    /// How much of an operation's quota to take from now on; nothing for reads without a pace.
    pub fn set_haste(&self, operation: &str, haste: Haste) {
        if let Some(paces) = &self.paces {
            paces.set(operation, haste);
        }
    }

    async fn ask<T, E, F>(&self, operation: &'static str, send: impl Fn() -> F) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        match &self.paces {
            Some(paces) => paces.ask(operation, send).await,
            None => send().await.map_err(|error| Failure::of(operation, &error)),
        }
    }

    /// The Region that is asked.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Every key of the account in this Region, AWS's own included.
    ///
    /// # Errors
    /// [`Failure`] where a page cannot be read.
    pub async fn list_keys(&self) -> Result<Vec<KeyArn>, Failure> {
        let mut found = Vec::new();
        self.each_page_of_keys(|keys| found.extend(keys)).await?;
        Ok(found)
    }

    /// The same, told page by page, so that what comes first need not wait for what comes last.
    ///
    /// # Errors
    /// [`Failure`] where a page cannot be read.
    pub async fn each_page_of_keys(&self, mut take: impl FnMut(Vec<KeyArn>)) -> Result<(), Failure> {
        const OPERATION: &str = "kms:ListKeys";
        let request = || self.client.list_keys().limit(KEYS_A_PAGE);
        let mut unreadable = None;
        each_page!(self, OPERATION, request(), keys, |keys: Vec<KeyListEntry>| {
            let arns = keys.into_iter().map(|key| convert::key_arn(OPERATION, key.key_arn.as_deref()));
            match arns.collect() {
                Ok(arns) => take(arns),
                Err(failure) => unreadable = Some(failure),
            }
        });
        unreadable.map_or(Ok(()), Err)
    }

    /// Every alias of the account in this Region.
    ///
    /// # Errors
    /// [`Failure`] where a page cannot be read.
    pub async fn list_aliases(&self) -> Result<Vec<AliasEntry>, Failure> {
        const OPERATION: &str = "kms:ListAliases";
        let aliases = all_pages!(self, OPERATION, self.client.list_aliases().limit(ALIASES_A_PAGE), aliases);
        aliases.into_iter().map(|alias| convert::alias(OPERATION, alias)).collect()
    }

    /// A key, by id, ARN, alias (`alias/NAME`) or alias ARN. What has calls of its own is still loading in it.
    ///
    /// # Errors
    /// [`Failure`]; its cause is `NotFound` where KMS says that no such key exists.
    pub async fn describe(&self, key: &str) -> Result<KmsKey, Failure> {
        const OPERATION: &str = "kms:DescribeKey";
        let request = self.client.describe_key().key_id(key);
        let answer = self.ask(OPERATION, || request.clone().send()).await?;
        let metadata =
            answer.key_metadata.ok_or_else(|| Failure::unreadable(OPERATION, "the answer holds no key"))?;
        convert::key(OPERATION, metadata, self.clock.now())
    }

    /// A key's tags.
    ///
    /// # Errors
    /// [`Failure`] where a page cannot be read.
    pub async fn tags(&self, key: &KeyArn) -> Result<BTreeMap<String, Untrusted>, Failure> {
        let request = || self.client.list_resource_tags().key_id(key.as_str()).limit(TAGS_A_PAGE);
        let tags = all_pages!(self, "kms:ListResourceTags", request(), tags);
        Ok(tags.into_iter().map(|tag| (tag.tag_key, Untrusted::new(tag.tag_value))).collect())
    }

    /// Whether and when KMS rotates a key by itself.
    ///
    /// # Errors
    /// [`Failure`]; its cause is `Unsupported` for keys that cannot rotate.
    pub async fn rotation_status(&self, key: &KeyArn) -> Result<RotationStatus, Failure> {
        const OPERATION: &str = "kms:GetKeyRotationStatus";
        let request = self.client.get_key_rotation_status().key_id(key.as_str());
        let answer = self.ask(OPERATION, || request.clone().send()).await?;
        convert::rotation_status(OPERATION, &answer)
    }

    /// A key's materials and when each was rotated to, newest first.
    ///
    /// # Errors
    /// [`Failure`]; its cause is `Unsupported` for keys that cannot rotate.
    pub async fn rotations(&self, key: &KeyArn) -> Result<Vec<RotationRecord>, Failure> {
        const OPERATION: &str = "kms:ListKeyRotations";
        let request = || {
            self.client
                .list_key_rotations()
                .key_id(key.as_str())
                .limit(ROTATIONS_A_PAGE)
                .include_key_material(IncludeKeyMaterial::AllKeyMaterial)
        };
        let rotations = all_pages!(self, OPERATION, request(), rotations);
        let records = rotations.into_iter().map(|entry| convert::rotation(OPERATION, entry));
        let mut records = records.collect::<Result<Vec<_>, _>>()?;
        records.sort_by_key(|record| std::cmp::Reverse(record.at));
        Ok(records)
    }

    /// A key's grants.
    ///
    /// # Errors
    /// [`Failure`] where a page cannot be read.
    pub async fn grants(&self, key: &KeyArn) -> Result<Vec<Grant>, Failure> {
        const OPERATION: &str = "kms:ListGrants";
        let request = || self.client.list_grants().key_id(key.as_str()).limit(GRANTS_A_PAGE);
        let grants = all_pages!(self, OPERATION, request(), grants);
        grants.into_iter().map(|grant| convert::grant(OPERATION, grant)).collect()
    }

    /// A key's policy, as JSON text.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read.
    pub async fn policy(&self, key: &KeyArn) -> Result<Untrusted, Failure> {
        const OPERATION: &str = "kms:GetKeyPolicy";
        let request = self.client.get_key_policy().key_id(key.as_str()).policy_name("default");
        let answer = self.ask(OPERATION, || request.clone().send()).await?;
        answer
            .policy
            .map(Untrusted::from)
            .ok_or_else(|| Failure::unreadable(OPERATION, "the answer holds no policy"))
    }

    /// When a key was last used with success. KMS allows five such requests a second.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be read.
    pub async fn last_usage(&self, key: &KeyArn) -> Result<LastUse, Failure> {
        const OPERATION: &str = "kms:GetKeyLastUsage";
        let request = self.client.get_key_last_usage().key_id(key.as_str());
        let answer = self.ask(OPERATION, || request.clone().send()).await?;
        convert::last_use(OPERATION, answer)
    }

    /// Asks for every fact that is still loading in a described key; each that cannot be had says why.
    /// Aliases are left alone: [`Self::list_aliases`] gives them for all keys at once.
    #[must_use]
    pub async fn filled(&self, key: KmsKey) -> KmsKey {
        let arn = key.arn.clone();
        let (tags, rotation, rotations, grants, policy, last_use) = tokio::join!(
            still(key.tags, Box::pin(self.tags(&arn))),
            still(key.rotation, Box::pin(self.rotation_status(&arn))),
            still(key.rotations, Box::pin(self.rotations(&arn))),
            still(key.grants, Box::pin(self.grants(&arn))),
            still(key.policy, Box::pin(self.policy(&arn))),
            still(key.last_use, Box::pin(self.last_usage(&arn))),
        );
        KmsKey { tags, rotation, rotations, grants, policy, last_use, ..key }
    }
}

/// The fact as it is, or the answer where it is still loading.
async fn still<T>(fact: Seen<T>, asked: impl Future<Output = Result<T, Failure>>) -> Seen<T> {
    match fact {
        Seen::Loading => asked.await.into(),
        had => had,
    }
}
