//! What a call asked for and was answered, beyond what every event has: read from the record when somebody asks.

use serde_json::Value;

use crate::model::event::KeyEvent;
use crate::model::particulars::Particulars;

/// The particulars of an event from its record, where its kind has any. Some 10 µs: for the few events that a
/// judgement looks into, by their name.
#[must_use]
pub fn particulars(event: &KeyEvent, raw: &str) -> Option<Particulars> {
    let record = unwrapped(serde_json::from_str(raw).ok()?);
    let asked = &record["requestParameters"];
    Some(match event.name.raw() {
        "PutKeyPolicy" | "CreateKey" => Particulars::KeyPolicy {
            policy: text(asked, "policy"),
            bypasses_lockout_check: bypasses_lockout_check(asked),
        },
        "ReplicateKey" => Particulars::Replica {
            region: text(asked, "replicaRegion"),
            policy: text(asked, "policy"),
            bypasses_lockout_check: bypasses_lockout_check(asked),
        },
        "UpdatePrimaryRegion" => Particulars::Primary { region: text(asked, "primaryRegion") },
        "CreateGrant" => grant(asked),
        "ScheduleKeyDeletion" => Particulars::Deletion { window_days: number(asked, "pendingWindowInDays") },
        "CreateAlias" | "UpdateAlias" | "DeleteAlias" => {
            Particulars::Alias { name: text(asked, "aliasName"), target: text(asked, "targetKeyId") }
        }
        "EnableKeyRotation" => Particulars::RotationOn { period_days: number(asked, "rotationPeriodInDays") },
        "RotateKey" => {
            let details = &record["serviceEventDetails"];
            Particulars::Rotated {
                kind: text(details, "rotationType"),
                previous: text(details, "previousKeyMaterialId"),
                current: text(details, "currentKeyMaterialId"),
            }
        }
        "ImportKeyMaterial" => Particulars::Imported { expires: text(asked, "validTo") },
        "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity" | "AssumeRoot" => {
            Particulars::RoleAssumed {
                role: text(asked, "roleArn")?,
                session: text(asked, "roleSessionName"),
                source_identity: text(asked, "sourceIdentity"),
                mfa_serial: text(asked, "serialNumber"),
            }
        }
        "GetSecretValue" => Particulars::SecretRead { secret: text(asked, "secretId")? },
        "PutEventSelectors" => event_selectors(asked),
        "ConsoleLogin" => Particulars::SignIn { mfa: yes(&record["additionalEventData"]["MFAUsed"]) },
        _ if event.source.raw() == "cloudtrail.amazonaws.com" => Particulars::Trail {
            name: text(asked, "name")
                .or_else(|| text(asked, "trailName"))
                .or_else(|| text(asked, "eventDataStore")),
        },
        _ => return None,
    })
}

/// The record itself, out of LookupEvents' or EventBridge's wrapping.
fn unwrapped(mut record: Value) -> Value {
    if record["eventID"].is_string() {
        return record;
    }
    if let Some(inner) = record["CloudTrailEvent"].as_str().and_then(|text| serde_json::from_str(text).ok()) {
        return inner;
    }
    if record["detail"].is_object() { record["detail"].take() } else { record }
}

fn bypasses_lockout_check(asked: &Value) -> bool {
    truth(&asked["bypassPolicyLockoutSafetyCheck"]) == Some(true)
}

fn text(part: &Value, field: &str) -> Option<String> {
    part[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn number(part: &Value, field: &str) -> Option<u32> {
    part[field].as_u64().and_then(|number| number.try_into().ok())
}

fn truth(value: &Value) -> Option<bool> {
    value.as_bool().or_else(|| value.as_str()?.to_ascii_lowercase().parse().ok())
}

fn yes(value: &Value) -> Option<bool> {
    match value.as_str()? {
        "Yes" => Some(true),
        "No" => Some(false),
        _ => None,
    }
}

fn grant(asked: &Value) -> Particulars {
    let operations = asked["operations"].as_array().into_iter().flatten();
    Particulars::Grant {
        grantee: text(asked, "granteePrincipal"),
        retiring: text(asked, "retiringPrincipal"),
        operations: operations.filter_map(|word| word.as_str().map(str::to_owned)).collect(),
        is_constrained: asked["constraints"].as_object().is_some_and(|bounds| !bounds.is_empty()),
    }
}

/// Basic selectors name the sources that they leave out; advanced ones exclude by field.
fn event_selectors(asked: &Value) -> Particulars {
    const KMS: &str = "kms.amazonaws.com";
    let basic = asked["eventSelectors"].as_array().map_or(&[][..], Vec::as_slice);
    let advanced = asked["advancedEventSelectors"].as_array().map_or(&[][..], Vec::as_slice);
    let lists = |value: &Value| value.as_array().is_some_and(|list| list.iter().any(|one| one == KMS));
    let basic_without = basic.iter().any(|selector| lists(&selector["excludeManagementEventSources"]));
    let advanced_without = advanced.iter().any(|selector| {
        let fields = selector["fieldSelectors"].as_array();
        fields
            .into_iter()
            .flatten()
            .any(|field| field["field"] == "eventSource" && lists(&field["notEquals"]))
    });
    let includes = |selector: &Value| truth(&selector["includeManagementEvents"]) != Some(false);
    let is_management = |selector: &Value| selector.to_string().contains("\"Management\"");
    let any_management =
        basic.iter().any(includes) || advanced.iter().any(is_management) || basic.len() + advanced.len() == 0;
    Particulars::EventSelectors {
        trail: text(asked, "trailName"),
        leaves_out_kms: basic_without || advanced_without,
        leaves_out_management: !any_management,
    }
}
