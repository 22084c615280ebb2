//! `DescribeDBInstances`: which instances, a page at a time, as XML.

use std::fmt::Write as _;

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::instance::Instance;
use crate::simulator::aws::{Call, Context, Refusal, Reply};

/// Answers `DescribeDBInstances`.
pub(super) fn describe(
    instances: &[Instance],
    call: &Call,
    context: &mut Context<'_>,
) -> Result<Reply, Refusal> {
    let text = |name: &str| call.input.get(name).and_then(Value::as_str);
    let wanted = text("DBInstanceIdentifier").filter(|name| !name.is_empty());
    context.facts.request_parameters =
        wanted.map_or(Value::Null, |name| json!({"dBInstanceIdentifier": name}));
    refuse_filters(call)?;
    let page_size = max_records(text("MaxRecords"))?;
    let mut visible: Vec<&Instance> = instances.iter().filter(|instance| instance.is_in(call)).collect();
    visible.sort_by(|a, b| a.identifier.cmp(&b.identifier));
    if let Some(wanted) = wanted {
        // AWS takes the ARN for the identifier too.
        visible.retain(|one| one.identifier.eq_ignore_ascii_case(wanted) || one.arn() == wanted);
        if visible.is_empty() {
            return Err(not_found(wanted));
        }
    }
    let from = match text("Marker").filter(|marker| !marker.is_empty()) {
        None => 0,
        Some(marker) => visible
            .iter()
            .position(|instance| marker_of(instance) == marker)
            .ok_or_else(|| invalid("Invalid Marker: it is not from an earlier answer"))?,
    };
    let (page, rest) = visible[from..].split_at(page_size.min(visible.len() - from));
    let rendered: String = page.iter().map(|instance| render(instance, call.at)).collect();
    let marker = rest.first().map(|next| format!("<Marker>{}</Marker>", marker_of(next))).unwrap_or_default();
    Ok(Reply::Xml(format!("<DBInstances>{rendered}</DBInstances>{marker}")))
}

/// One `<DBInstance>`.
pub(super) fn render(instance: &Instance, now: Timestamp) -> String {
    let mut xml = String::with_capacity(2048);
    xml.push_str("<DBInstance>");
    let mut put = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = write!(xml, "<{name}>{}</{name}>", escape(value));
    };
    put("DBInstanceIdentifier", &instance.identifier);
    put("DBInstanceArn", &instance.arn());
    put("DBInstanceClass", &instance.class);
    put("DBInstanceStatus", instance.status());
    put("Engine", &instance.engine);
    put("EngineVersion", &instance.engine_version);
    put("LicenseModel", "license-included");
    put("MasterUsername", "buzzadmin");
    put("InstanceCreateTime", &instance.created.to_string());
    put("AvailabilityZone", &format!("{}a", instance.region));
    put("MultiAZ", if instance.multi_az { "true" } else { "false" });
    put("AllocatedStorage", &instance.allocated_storage.to_string());
    put("StorageType", "gp3");
    put("StorageEncrypted", if instance.kms_key_id.is_some() { "true" } else { "false" });
    if let Some(key) = &instance.kms_key_id {
        put("KmsKeyId", key);
    }
    put("DbiResourceId", &resource_id(instance));
    put("BackupRetentionPeriod", &instance.backup_retention.to_string());
    put("LatestRestorableTime", &(now - SignedDuration::from_mins(5)).to_string());
    if let Some(restart) = instance.automatic_restart() {
        put("AutomaticRestartTime", &restart.to_string());
    }
    put("CACertificateIdentifier", "rds-ca-rsa2048-g1");
    put("PubliclyAccessible", "false");
    put("DeletionProtection", "true");
    let _ = write!(
        xml,
        "<Endpoint><Address>{}</Address><Port>{}</Port><HostedZoneId>Z29XKXDKYMONMX</HostedZoneId></Endpoint>",
        escape(&format!("{}.c1xyz2abc3de.{}.rds.amazonaws.com", instance.identifier, instance.region)),
        instance.port,
    );
    xml.push_str("<TagList>");
    for (key, value) in &instance.tags {
        let _ = write!(xml, "<Tag><Key>{}</Key><Value>{}</Value></Tag>", escape(key), escape(value));
    }
    xml.push_str("</TagList></DBInstance>");
    xml
}

/// `DBInstanceNotFound`, HTTP 404.
pub(super) fn not_found(name: &str) -> Refusal {
    Refusal {
        status: StatusCode::NOT_FOUND,
        ..Refusal::new("DBInstanceNotFound", format!("DBInstance {name} not found."))
    }
}

/// `MaxRecords`: 20–100, by default 100.
fn max_records(given: Option<&str>) -> Result<usize, Refusal> {
    let Some(given) = given else { return Ok(100) };
    given
        .parse()
        .ok()
        .filter(|count| (20..=100).contains(count))
        .ok_or_else(|| invalid(format!("Invalid value {given} for MaxRecords. Must be between 20 and 100")))
}

/// A filter that were ignored would be a lie.
fn refuse_filters(call: &Call) -> Result<(), Refusal> {
    let filtered =
        call.input.as_object().is_some_and(|input| input.keys().any(|name| name.starts_with("Filters.")));
    if filtered {
        return Err(invalid(
            "The simulator's DescribeDBInstances takes no Filters; name an instance instead",
        ));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::new("InvalidParameterValue", message)
}

fn marker_of(instance: &Instance) -> String {
    hex::encode(&instance.identifier)
}

fn resource_id(instance: &Instance) -> String {
    use crate::simulator::aws::cloudtrail::actor::unique_id;
    unique_id("db-", &instance.account, &instance.identifier)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
