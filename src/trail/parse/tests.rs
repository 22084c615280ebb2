use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Particulars, parse, particulars};
use crate::model::event::{Outcome, Severity};
use crate::model::text::Untrusted;

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A person who disables a key through an assumed role, as CloudTrail writes it.
fn disabled() -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:INC-2026-0142",
            "arn": "arn:aws:sts::111122223333:assumed-role/emergency-key-admin/INC-2026-0142",
            "accountId": "111122223333",
            "accessKeyId": "ASIAEXAMPLE",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role", "principalId": "AROAEXAMPLE", "accountId": "111122223333",
                    "arn": "arn:aws:iam::111122223333:role/emergency-key-admin",
                    "userName": "emergency-key-admin"
                },
                "attributes": { "creationDate": "2026-11-23T13:58:00Z", "mfaAuthenticated": "true" },
                "sourceIdentity": "oncall-b"
            }
        },
        "eventTime": "2026-11-23T14:02:31Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "DisableKey",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "portcullis/0.1",
        "requestParameters": { "keyId": "1234abcd-12ab-34cd-56ef-1234567890ab" },
        "responseElements": { "keyId": KEY },
        "requestID": "2f1c", "eventID": "e-1", "readOnly": false,
        "resources": [{ "accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY }],
        "eventType": "AwsApiCall", "managementEvent": true,
        "recipientAccountId": "111122223333", "eventCategory": "Management"
    })
}

fn with(changes: &[(&str, Value)]) -> Value {
    let mut record = disabled();
    for (pointer, value) in changes {
        *record.pointer_mut(pointer).expect("a field of the sample") = value.clone();
    }
    record
}

#[test]
fn the_person_stands_before_the_session_and_the_role() {
    let event = parse(&disabled().to_string()).unwrap();
    assert_eq!(event.who.name.raw(), "oncall-b");
    assert_eq!(event.who.role.as_ref().map(Untrusted::raw), Some("emergency-key-admin"));
    assert_eq!((event.who.mfa, event.read_only), (Some(true), Some(false)));
    assert_eq!((event.outcome, event.severity), (Outcome::Allowed, Severity::Notice));
}

#[test]
fn without_a_source_identity_the_session_name_stands() {
    let record = with(&[("/userIdentity/sessionContext/sourceIdentity", Value::Null)]);
    assert_eq!(parse(&record.to_string()).unwrap().who.name.raw(), "INC-2026-0142");
}

#[test]
fn users_root_and_services_go_by_their_own_names() {
    for (identity, name, kind) in [
        (json!({"type": "IAMUser", "userName": "alice", "accountId": "111122223333"}), "alice", "IAMUser"),
        (
            json!({"type": "Root", "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:root"}),
            "root",
            "Root",
        ),
        (json!({"type": "AWSService", "invokedBy": "rds.amazonaws.com"}), "rds.amazonaws.com", "AWSService"),
        (json!({"type": "AWSAccount", "principalId": "AIDAEXAMPLE"}), "AIDAEXAMPLE", "AWSAccount"),
    ] {
        let event = parse(&with(&[("/userIdentity", identity)]).to_string()).unwrap();
        assert_eq!((event.who.name.raw(), event.who.kind.raw()), (name, kind));
        assert_eq!(event.who.role, None, "{name} acts through no role");
    }
}

#[test]
fn a_key_comes_from_the_resources_once() {
    let event = parse(&disabled().to_string()).unwrap();
    assert_eq!(event.keys.iter().map(ToString::to_string).collect::<Vec<_>>(), [KEY]);
    assert_eq!(event.key_as_typed, None);
}

#[test]
fn without_resources_the_answer_names_the_key() {
    let event = parse(&with(&[("/resources", Value::Null)]).to_string()).unwrap();
    assert_eq!(event.keys[0].as_str(), KEY);
}

#[test]
fn without_any_arn_stands_what_was_typed() {
    let record = with(&[
        ("/resources", json!([])),
        ("/responseElements", Value::Null),
        ("/requestParameters/keyId", json!("alias/buzz-tutor/user-data")),
    ]);
    let event = parse(&record.to_string()).unwrap();
    assert_eq!(event.keys, []);
    assert_eq!(event.key_as_typed.unwrap().raw(), "alias/buzz-tutor/user-data");
}

#[test]
fn both_keys_of_a_re_encryption_are_named() {
    let other = KEY.replace("1234abcd", "9876fedc");
    let record = with(&[
        ("/eventName", json!("ReEncrypt")),
        ("/resources", json!([{ "ARN": KEY }, { "ARN": other, "type": "AWS::KMS::Key" }, { "ARN": KEY }])),
    ]);
    assert_eq!(parse(&record.to_string()).unwrap().keys.len(), 2);
}

#[test]
fn a_service_event_needs_no_parameters_and_nobody() {
    let record = json!({
        "eventVersion": "1.05", "userIdentity": { "accountId": "111122223333", "invokedBy": "AWS Internal" },
        "eventTime": "2026-11-20T03:11:09Z", "eventSource": "kms.amazonaws.com", "eventName": "RotateKey",
        "awsRegion": "eu-west-1", "sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal",
        "requestParameters": null, "responseElements": null, "eventID": "e-2", "readOnly": false,
        "resources": [{ "ARN": KEY, "accountId": "111122223333", "type": "AWS::KMS::Key" }],
        "eventType": "AwsServiceEvent",
        "serviceEventDetails": { "keyId": "1234abcd-12ab-34cd-56ef-1234567890ab", "rotationType": "AUTOMATIC" }
    });
    let event = parse(&record.to_string()).unwrap();
    assert_eq!((event.who.name.raw(), event.who.role), ("AWS Internal", None));
    assert_eq!((event.keys.len(), event.severity), (1, Severity::Notice));
}

#[test]
fn outcomes_are_told_apart() {
    let outcome = |code: &str| {
        let mut record = disabled();
        record["errorCode"] = json!(code);
        record["errorMessage"] = json!("because");
        let event = parse(&record.to_string()).unwrap();
        (event.outcome, event.severity)
    };
    for code in ["AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"] {
        let (outcome, severity) = outcome(code);
        assert!(matches!(outcome, Outcome::Denied { code: c, .. } if c == code), "{code}");
        assert_eq!(severity, Severity::Notice);
    }
    assert_eq!(outcome("DryRunOperationException"), (Outcome::DryRun, Severity::Info));
    assert!(matches!(outcome("KMSInvalidStateException"), (Outcome::Failed { .. }, Severity::Notice)));
}

#[test]
fn a_change_is_worth_a_look_and_use_is_daily_traffic() {
    let severity = |name: &str, read_only: bool, identity: Option<Value>| {
        let mut record = with(&[("/eventName", json!(name)), ("/readOnly", json!(read_only))]);
        if let Some(identity) = identity {
            record["userIdentity"] = identity;
        }
        parse(&record.to_string()).unwrap().severity
    };
    let service = || Some(json!({"type": "AssumedRole", "invokedBy": "rds.amazonaws.com"}));
    assert_eq!(severity("ScheduleKeyDeletion", false, None), Severity::Notice);
    assert_eq!(severity("TagResource", false, None), Severity::Notice);
    assert_eq!(severity("AssumeRole", true, None), Severity::Notice);
    assert_eq!(severity("AssumeRole", true, service()), Severity::Info);
    assert_eq!(severity("Decrypt", true, None), Severity::Info);
    assert_eq!(severity("DescribeKey", true, None), Severity::Info);
}

#[test]
fn use_of_a_dropped_key_is_worth_a_look() {
    let mut record = with(&[("/eventName", json!("Decrypt")), ("/readOnly", json!(true))]);
    record["errorCode"] = json!("DisabledException");
    assert_eq!(parse(&record.to_string()).unwrap().severity, Severity::Notice);
}

#[test]
fn a_record_without_id_time_or_name_is_kept_as_it_came() {
    for field in ["eventID", "eventTime", "eventName"] {
        let mut record = disabled();
        record.as_object_mut().unwrap().remove(field);
        let unparsed = parse(&record.to_string()).unwrap_err();
        assert!(unparsed.reason.contains(field), "{}", unparsed.reason);
        assert_eq!(*unparsed.raw, record.to_string());
    }
    assert!(parse(&with(&[("/eventTime", json!("yesterday"))]).to_string()).is_err());
}

#[test]
fn a_record_is_the_same_in_every_wrapping() {
    let bare = disabled();
    let event = parse(&bare.to_string()).unwrap();
    let looked_up = json!({"EventId": "e-1", "EventName": "DisableKey", "CloudTrailEvent": bare.to_string()});
    let bridged = json!({"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": bare});
    for wrapped in [looked_up, bridged] {
        assert_eq!(parse(&wrapped.to_string()).unwrap(), event);
    }
}

#[test]
fn who_called_is_told_in_every_part() {
    let who = parse(&disabled().to_string()).unwrap().who;
    assert_eq!(who.session.as_ref().map(Untrusted::raw), Some("INC-2026-0142"));
    assert_eq!(who.source_identity.as_ref().map(Untrusted::raw), Some("oncall-b"));
    assert!(who.principal.unwrap().raw().contains("assumed-role/emergency-key-admin"));
    assert!(who.access_key.is_some());
    let for_rds =
        with(&[("/userIdentity", json!({"type": "AssumedRole", "invokedBy": "rds.amazonaws.com"}))]);
    let event = parse(&for_rds.to_string()).unwrap();
    assert!(event.who.is_service() && !event.crosses_accounts());
}

#[test]
fn a_call_across_accounts_is_seen_by_its_accounts_or_its_shared_id() {
    let other = with(&[("/recipientAccountId", json!("444455556666"))]);
    assert!(parse(&other.to_string()).unwrap().crosses_accounts());
    let mut shared = disabled();
    shared["sharedEventID"] = json!("5e");
    assert!(parse(&shared.to_string()).unwrap().crosses_accounts());
}

#[test]
fn fields_of_an_unforeseen_kind_count_as_absent() {
    let record = with(&[
        ("/resources", json!({"ARN": KEY})),
        ("/requestParameters", json!("as text")),
        ("/responseElements", json!([1, 2])),
        ("/userIdentity", json!(7)),
        ("/eventSource", json!({"x": 1})),
        ("/readOnly", json!("perhaps")),
    ]);
    let event = parse(&record.to_string()).unwrap();
    assert_eq!((event.keys.len(), event.who.name.raw(), event.source.raw()), (0, "unknown", ""));
    assert_eq!(event.read_only, None);
}

#[test]
fn rds_names_its_key_as_kms_key_id() {
    let record = with(&[
        ("/eventSource", json!("rds.amazonaws.com")),
        ("/eventName", json!("CreateDBInstance")),
        ("/resources", Value::Null),
        ("/responseElements", json!({"kmsKeyId": KEY})),
        ("/requestParameters", json!({"kmsKeyId": "alias/buzz"})),
    ]);
    assert_eq!(parse(&record.to_string()).unwrap().keys[0].as_str(), KEY);
}

fn particulars_of(name: &str, parameters: Value) -> Option<Particulars> {
    let raw = with(&[("/eventName", json!(name)), ("/requestParameters", parameters)]).to_string();
    particulars(&parse(&raw).unwrap(), &raw)
}

#[test]
fn what_a_judgement_needs_is_had_from_the_record() {
    assert_eq!(
        particulars_of("PutKeyPolicy", json!({"policy": "{}", "bypassPolicyLockoutSafetyCheck": true})),
        Some(Particulars::KeyPolicy { policy: Some("{}".into()), bypasses_lockout_check: true })
    );
    assert_eq!(
        particulars_of(
            "CreateGrant",
            json!({"granteePrincipal": "g", "operations": ["Decrypt"], "constraints": {}})
        ),
        Some(Particulars::Grant {
            grantee: Some("g".into()),
            retiring: None,
            operations: vec!["Decrypt".into()],
            is_constrained: false
        })
    );
    assert_eq!(
        particulars_of("ScheduleKeyDeletion", json!({"pendingWindowInDays": 7})),
        Some(Particulars::Deletion { window_days: Some(7) })
    );
    assert_eq!(
        particulars_of("EnableKeyRotation", json!({"rotationPeriodInDays": "odd"})),
        Some(Particulars::RotationOn { period_days: None })
    );
    assert_eq!(
        particulars_of("UpdateAlias", json!({"aliasName": "alias/a", "targetKeyId": "k"})),
        Some(Particulars::Alias { name: Some("alias/a".into()), target: Some("k".into()) })
    );
    assert_eq!(particulars_of("DisableKey", json!({})), None);
}

#[test]
fn selectors_that_leave_kms_out_are_seen_in_both_forms() {
    let leaves_out = |parameters: Value| match particulars_of("PutEventSelectors", parameters) {
        Some(Particulars::EventSelectors { leaves_out_kms, leaves_out_management, .. }) => {
            (leaves_out_kms, leaves_out_management)
        }
        other => panic!("{other:?}"),
    };
    let basic = |fields: Value| json!({"trailName": "t", "eventSelectors": [fields]});
    let without = basic(
        json!({"includeManagementEvents": true, "excludeManagementEventSources": ["kms.amazonaws.com"]}),
    );
    assert_eq!(leaves_out(without), (true, false));
    assert_eq!(leaves_out(basic(json!({"includeManagementEvents": false}))), (false, true));
    assert_eq!(leaves_out(basic(json!({"includeManagementEvents": true}))), (false, false));
    let advanced = json!({"advancedEventSelectors": [{"fieldSelectors": [
        {"field": "eventCategory", "equals": ["Management"]},
        {"field": "eventSource", "notEquals": ["kms.amazonaws.com"]}
    ]}]});
    assert_eq!(leaves_out(advanced), (true, false));
}

/// Any JSON value at all, small.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "arn:aws:(kms|sts)::?[0-9]{0,12}:(key|assumed-role)/.{0,8}/?".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-zA-Z]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const PLACES: [&str; 16] = [
    "/userIdentity",
    "/userIdentity/type",
    "/userIdentity/arn",
    "/userIdentity/principalId",
    "/userIdentity/sessionContext",
    "/userIdentity/sessionContext/attributes",
    "/userIdentity/sessionContext/sessionIssuer",
    "/eventSource",
    "/eventTime",
    "/eventName",
    "/readOnly",
    "/requestParameters",
    "/requestParameters/keyId",
    "/responseElements",
    "/resources",
    "/resources/0",
];

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn no_change_to_a_record_makes_it_panic_or_lose_its_text(place in prop::sample::select(&PLACES[..]), value in any_json()) {
        let text = with(&[(place, value)]).to_string();
        match parse(&text) {
            Ok(event) => drop(particulars(&event, &text)),
            Err(unparsed) => prop_assert_eq!(&*unparsed.raw, text.as_str()),
        }
    }

    #[test]
    fn no_truncated_record_makes_it_panic(cut in 0usize..1200) {
        let text = disabled().to_string();
        let cut = cut.min(text.len());
        prop_assume!(text.is_char_boundary(cut));
        let _ = parse(&text[..cut]);
    }
}
