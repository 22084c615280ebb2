//! A CloudTrail record as it is written, as far as portcullis reads it. Every field may be missing.

use serde::Deserialize;

use super::lenient::{List, Part, Text, Truth};

/// One record. Source: CloudTrail user guide, "CloudTrail record contents".
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(borrow, rename = "eventID")]
    pub(super) event_id: Text<'a>,
    #[serde(borrow)]
    pub(super) event_time: Text<'a>,
    #[serde(borrow)]
    pub(super) event_name: Text<'a>,
    #[serde(borrow)]
    pub(super) event_source: Text<'a>,
    #[serde(borrow)]
    pub(super) event_type: Text<'a>,
    #[serde(borrow)]
    pub(super) aws_region: Text<'a>,
    #[serde(borrow, rename = "sourceIPAddress")]
    pub(super) source_ip_address: Text<'a>,
    #[serde(borrow)]
    pub(super) user_agent: Text<'a>,
    #[serde(borrow)]
    pub(super) error_code: Text<'a>,
    #[serde(borrow)]
    pub(super) error_message: Text<'a>,
    pub(super) read_only: Truth,
    #[serde(borrow)]
    pub(super) recipient_account_id: Text<'a>,
    #[serde(borrow, rename = "sharedEventID")]
    pub(super) shared_event_id: Text<'a>,
    #[serde(borrow)]
    pub(super) vpc_endpoint_id: Text<'a>,
    pub(super) session_credential_from_console: Truth,
    #[serde(borrow)]
    pub(super) user_identity: Part<UserIdentity<'a>>,
    #[serde(borrow)]
    pub(super) resources: List<Resource<'a>>,
    #[serde(borrow)]
    pub(super) request_parameters: Part<KeyNamed<'a>>,
    #[serde(borrow)]
    pub(super) response_elements: Part<KeyNamed<'a>>,
    #[serde(borrow)]
    pub(super) service_event_details: Part<KeyNamed<'a>>,
    #[serde(borrow)]
    pub(super) additional_event_data: Part<Additional<'a>>,
    /// Where this is one of LookupEvents' own events: the record, as text.
    #[serde(borrow, rename = "CloudTrailEvent")]
    pub(super) cloud_trail_event: Text<'a>,
}

/// EventBridge's envelope.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Envelope<'a> {
    #[serde(borrow)]
    pub(super) detail: Part<Record<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct UserIdentity<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) principal_id: Text<'a>,
    #[serde(borrow)]
    pub(super) arn: Text<'a>,
    #[serde(borrow)]
    pub(super) account_id: Text<'a>,
    #[serde(borrow)]
    pub(super) access_key_id: Text<'a>,
    #[serde(borrow)]
    pub(super) user_name: Text<'a>,
    #[serde(borrow)]
    pub(super) invoked_by: Text<'a>,
    #[serde(borrow)]
    pub(super) source_identity: Text<'a>,
    #[serde(borrow)]
    pub(super) session_context: Part<SessionContext<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SessionContext<'a> {
    #[serde(borrow)]
    pub(super) source_identity: Text<'a>,
    pub(super) attributes: Part<Attributes>,
    #[serde(borrow)]
    pub(super) session_issuer: Part<SessionIssuer<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Attributes {
    pub(super) mfa_authenticated: Truth,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SessionIssuer<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(borrow)]
    pub(super) account_id: Text<'a>,
    #[serde(borrow)]
    pub(super) user_name: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resource<'a> {
    #[serde(borrow, rename = "ARN", alias = "arn")]
    pub(super) arn: Text<'a>,
}

/// Where parameters and answers name keys: as the caller typed them, or as the service answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct KeyNamed<'a> {
    #[serde(borrow)]
    pub(super) key_id: Text<'a>,
    #[serde(borrow)]
    pub(super) key_arn: Text<'a>,
    #[serde(borrow)]
    pub(super) target_key_id: Text<'a>,
    #[serde(borrow)]
    pub(super) destination_key_id: Text<'a>,
    #[serde(borrow)]
    pub(super) source_key_id: Text<'a>,
    /// As RDS, Secrets Manager and most other services call it.
    #[serde(borrow)]
    pub(super) kms_key_id: Text<'a>,
    #[serde(borrow)]
    pub(super) alias_name: Text<'a>,
    #[serde(borrow)]
    pub(super) key_metadata: Part<Made<'a>>,
    #[serde(borrow)]
    pub(super) replica_key_metadata: Part<Made<'a>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Made<'a> {
    #[serde(borrow)]
    pub(super) arn: Text<'a>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Additional<'a> {
    #[serde(borrow)]
    pub(super) key_material_id: Text<'a>,
}

impl<'a> KeyNamed<'a> {
    /// What it names, keys made or answered first.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> + use<'_, 'a> {
        let made = [&self.key_metadata.0.arn, &self.replica_key_metadata.0.arn];
        let told = [
            &self.key_id,
            &self.key_arn,
            &self.target_key_id,
            &self.destination_key_id,
            &self.source_key_id,
            &self.kms_key_id,
        ];
        told.into_iter().chain(made).filter_map(Text::get)
    }
}
