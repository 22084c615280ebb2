//! KMS's answers in the model's terms. A required field that is missing makes an answer unreadable.

use aws_sdk_kms::operation::get_key_last_usage::GetKeyLastUsageOutput;
use aws_sdk_kms::operation::get_key_rotation_status::GetKeyRotationStatusOutput;
use aws_sdk_kms::primitives::DateTime;
use aws_sdk_kms::types::{
    AliasListEntry, GrantConstraints, GrantListEntry, KeyMetadata, MultiRegionConfiguration,
    RotationsListEntry,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;

use super::AliasEntry;
use crate::cloud::failure::Failure;
use crate::cloud::time;
use crate::model::arn::KeyArn;
use crate::model::key::{
    ExpirationModel, Grant, KeySpec, KeyState, KeyStore, KeyUsage, KmsKey, LastUse, Manager, MultiRegion,
    Origin, RotationRecord, RotationStatus,
};
use crate::model::seen::Seen;
use crate::model::text::Untrusted;

type Operation = &'static str;

/// A field that AWS always gives.
fn required<T>(operation: Operation, field: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::unreadable(operation, format!("the answer lacks {field}")))
}

fn instant(operation: Operation, time: Option<DateTime>) -> Result<Option<Timestamp>, Failure> {
    time.map(|time| time::instant(operation, &time)).transpose()
}

pub(super) fn key_arn(operation: Operation, arn: Option<&str>) -> Result<KeyArn, Failure> {
    required(operation, "the key's ARN", arn)?
        .parse()
        .map_err(|bad| Failure::unreadable(operation, format!("{bad}")))
}

pub(super) fn alias(operation: Operation, entry: AliasListEntry) -> Result<AliasEntry, Failure> {
    let arn: crate::model::arn::AliasArn = required(operation, "an alias's ARN", entry.alias_arn)?
        .parse()
        .map_err(|bad| Failure::unreadable(operation, format!("{bad}")))?;
    Ok(AliasEntry { name: arn.name().into(), arn, key_id: entry.target_key_id })
}

pub(super) fn key(
    operation: Operation,
    metadata: KeyMetadata,
    read_at: Timestamp,
) -> Result<KmsKey, Failure> {
    // Older servers give the spec under its old name only.
    #[expect(deprecated, reason = "the field's old name is all that some servers give")]
    let old_spec = metadata.customer_master_key_spec.map(|spec| spec.as_str().to_owned());
    let spec = metadata.key_spec.map(|spec| spec.as_str().to_owned()).or(old_spec);
    let multi_region = metadata
        .multi_region_configuration
        .map(|relatives| multi_region(operation, relatives))
        .transpose()?;
    let origin = Origin::from(required(operation, "the key's origin", metadata.origin)?.as_str());
    let key_store = metadata.custom_key_store_id.map(|store_id| match origin {
        Origin::ExternalKeyStore => KeyStore::External {
            store_id,
            xks_key_id: metadata.xks_key_configuration.and_then(|key| key.id).map(Untrusted::from),
        },
        _ => KeyStore::CloudHsm { store_id, cluster_id: metadata.cloud_hsm_cluster_id },
    });
    Ok(KmsKey {
        arn: key_arn(operation, metadata.arn.as_deref())?,
        state: KeyState::from(required(operation, "the key's state", metadata.key_state)?.as_str()),
        origin,
        spec: KeySpec::from(required(operation, "the key's spec", spec)?),
        usage: KeyUsage::from(required(operation, "the key's usage", metadata.key_usage)?.as_str()),
        manager: Manager::from(required(operation, "the key's manager", metadata.key_manager)?.as_str()),
        multi_region,
        description: metadata.description.unwrap_or_default().into(),
        created: required(operation, "the creation date", instant(operation, metadata.creation_date)?)?,
        deletion_date: instant(operation, metadata.deletion_date)?,
        pending_window_days: metadata.pending_deletion_window_in_days.and_then(|d| u32::try_from(d).ok()),
        expiration: metadata.expiration_model.map(|model| ExpirationModel::from(model.as_str())),
        valid_to: instant(operation, metadata.valid_to)?,
        material_id: metadata.current_key_material_id,
        key_store,
        read_at,
        aliases: Seen::Loading,
        tags: Seen::Loading,
        rotation: Seen::Loading,
        rotations: Seen::Loading,
        grants: Seen::Loading,
        policy: Seen::Loading,
        last_use: Seen::Loading,
    })
}

fn multi_region(operation: Operation, relatives: MultiRegionConfiguration) -> Result<MultiRegion, Failure> {
    let primary = required(operation, "the multi-Region primary", relatives.primary_key)?;
    let replicas = relatives.replica_keys.unwrap_or_default();
    Ok(MultiRegion {
        primary: key_arn(operation, primary.arn.as_deref())?,
        replicas: replicas
            .iter()
            .map(|replica| key_arn(operation, replica.arn.as_deref()))
            .collect::<Result<_, _>>()?,
    })
}

pub(super) fn rotation_status(
    operation: Operation,
    answer: &GetKeyRotationStatusOutput,
) -> Result<RotationStatus, Failure> {
    Ok(RotationStatus {
        automatic: answer.key_rotation_enabled,
        period_days: answer.rotation_period_in_days.and_then(|days| u32::try_from(days).ok()),
        next: instant(operation, answer.next_rotation_date)?,
        on_demand_since: instant(operation, answer.on_demand_rotation_start_date)?,
    })
}

pub(super) fn rotation(operation: Operation, entry: RotationsListEntry) -> Result<RotationRecord, Failure> {
    Ok(RotationRecord {
        at: instant(operation, entry.rotation_date)?,
        kind: entry.rotation_type.map(|kind| kind.as_str().into()),
        material_id: entry.key_material_id,
        material_state: entry.key_material_state.map(|state| state.as_str().into()),
        import_state: entry.import_state.map(|state| state.as_str().into()),
        valid_to: instant(operation, entry.valid_to)?,
    })
}

pub(super) fn grant(operation: Operation, entry: GrantListEntry) -> Result<Grant, Failure> {
    let operations = entry.operations.unwrap_or_default();
    let grantee = entry.grantee_principal.or(entry.grantee_service_principal);
    Ok(Grant {
        id: required(operation, "a grant's id", entry.grant_id)?,
        name: entry.name.filter(|name| !name.is_empty()).map(Untrusted::from),
        grantee: required(operation, "a grant's grantee", grantee)?.into(),
        operations: operations.iter().map(|operation| operation.as_str().to_owned()).collect(),
        constraints: entry.constraints.and_then(|bound| constraints(&bound)),
        created: instant(operation, entry.creation_date)?,
        retiring: entry.retiring_principal.or(entry.retiring_service_principal).map(Untrusted::from),
        issuing_account: entry.issuing_account.map(Untrusted::from),
    })
}

/// A grant's constraints in AWS's JSON, its maps in order; None where nothing is constrained.
fn constraints(bound: &GrantConstraints) -> Option<Untrusted> {
    let mut parts = serde_json::Map::new();
    for (name, pairs) in [
        ("EncryptionContextEquals", &bound.encryption_context_equals),
        ("EncryptionContextSubset", &bound.encryption_context_subset),
    ] {
        if let Some(pairs) = pairs {
            parts.insert(name.to_owned(), json!(pairs.iter().collect::<BTreeMap<_, _>>()));
        }
    }
    if let Some(source) = &bound.source_arn {
        parts.insert("SourceArn".to_owned(), json!(source));
    }
    (!parts.is_empty()).then(|| serde_json::Value::Object(parts).to_string().into())
}

pub(super) fn last_use(operation: Operation, answer: GetKeyLastUsageOutput) -> Result<LastUse, Failure> {
    let used = match answer.key_last_usage {
        Some(usage) => instant(operation, usage.timestamp)?.map(|at| {
            let what = usage.operation.map_or_else(|| "unknown".to_owned(), |what| what.as_str().to_owned());
            (at, what)
        }),
        None => None,
    };
    Ok(LastUse { used, tracked_since: instant(operation, answer.tracking_start_date)? })
}
