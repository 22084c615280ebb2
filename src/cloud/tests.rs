use serde_json::{Value, json};

use super::canned::{Answer, Call, Canned, caller_identity, no, now, ok, xml};
use super::{Failure, Lookup, NoAnswer};
use crate::model::key::{KeyState, Manager, Origin};
use crate::model::seen::{Cause, Seen};

const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn metadata() -> Value {
    json!({ "KeyMetadata": {
        "KeyId": ID, "Arn": KEY, "AWSAccountId": "111122223333", "CreationDate": 1_700_000_000.25,
        "Enabled": false, "Description": "user data", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "PendingDeletion",
        "DeletionDate": 1_800_000_000, "Origin": "AWS_KMS", "KeyManager": "CUSTOMER",
        "KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT", "MultiRegion": true,
        "MultiRegionConfiguration": {
            "MultiRegionKeyType": "PRIMARY", "PrimaryKey": { "Arn": KEY, "Region": "eu-west-1" },
            "ReplicaKeys": [{ "Arn": KEY.replace("eu-west-1", "us-east-1"), "Region": "us-east-1" }]
        }
    }})
}

/// Every read of KMS, well answered.
fn kms(call: &Call) -> Answer {
    match call.operation.as_str() {
        "DescribeKey" => ok(metadata()),
        "ListResourceTags" => {
            ok(json!({ "Tags": [{ "TagKey": "team", "TagValue": "buzz" }], "Truncated": false }))
        }
        "GetKeyRotationStatus" => ok(json!({
            "KeyId": KEY, "KeyRotationEnabled": true, "RotationPeriodInDays": 90, "NextRotationDate": 1_800_000_000
        })),
        "ListKeyRotations" => ok(json!({ "Truncated": false, "Rotations": [
            { "KeyId": KEY, "KeyMaterialId": "m0", "KeyMaterialState": "NON_CURRENT" },
            { "KeyId": KEY, "KeyMaterialId": "m1", "KeyMaterialState": "CURRENT", "RotationDate": 1_750_000_000,
              "RotationType": "AUTOMATIC" }
        ] })),
        "ListGrants" => ok(json!({ "Truncated": false, "Grants": [{
            "KeyId": KEY, "GrantId": "g1", "Name": "", "GranteePrincipal": "rds.eu-west-1.amazonaws.com",
            "CreationDate": 1_700_000_000, "Operations": ["Decrypt", "CreateGrant"],
            "Constraints": { "EncryptionContextSubset": { "b": "2", "a": "1" } }
        }] })),
        "GetKeyPolicy" => ok(json!({ "Policy": "{\"Version\":\"2012-10-17\"}", "PolicyName": "default" })),
        "GetKeyLastUsage" => ok(json!({
            "KeyId": KEY, "TrackingStartDate": 1_700_000_000,
            "KeyLastUsage": { "Operation": "Decrypt", "Timestamp": 1_760_000_000 }
        })),
        other => no(400, "UnknownOperationException", other),
    }
}

#[tokio::test]
async fn every_fact_of_a_key_is_read() {
    let canned = Canned::new(kms);
    let reads = canned.session().await.kms("eu-west-1");
    let key = reads.describe(ID).await.unwrap();
    assert_eq!(
        (&key.state, &key.origin, &key.manager),
        (&KeyState::PendingDeletion, &Origin::AwsKms, &Manager::Customer)
    );
    assert_eq!((key.read_at, key.created.as_millisecond()), (now(), 1_700_000_000_250));
    assert_eq!(key.multi_region.as_ref().unwrap().replicas[0].region(), "us-east-1");
    assert_eq!(key.tags, Seen::Loading);

    let key = reads.filled(key).await;
    assert_eq!(key.tags.known().unwrap()["team"].raw(), "buzz");
    assert_eq!(key.rotation.known().unwrap().period_days, Some(90));
    let rotations = key.rotations.known().unwrap();
    assert_eq!(
        rotations.iter().map(|r| r.material_id.as_deref()).collect::<Vec<_>>(),
        [Some("m1"), Some("m0")]
    );
    let grant = &key.grants.known().unwrap()[0];
    assert_eq!(grant.name, None, "an empty name is no name");
    assert_eq!(grant.constraints.as_ref().unwrap().raw(), r#"{"EncryptionContextSubset":{"a":"1","b":"2"}}"#);
    assert!(key.policy.known().is_some());
    assert_eq!(key.last_use.known().unwrap().used.as_ref().unwrap().1, "Decrypt");
}

#[tokio::test]
async fn a_fact_that_is_denied_leaves_the_others() {
    let canned = Canned::new(|call| match call.operation.as_str() {
        "ListGrants" => no(400, "AccessDeniedException", "User is not authorized to perform: kms:ListGrants"),
        "GetKeyRotationStatus" => no(400, "UnsupportedOperationException", "no\u{1b}[2J"),
        _ => kms(call),
    });
    let reads = canned.session().await.kms("eu-west-1");
    let key = reads.filled(reads.describe(ID).await.unwrap()).await;
    let denied = key.grants.not_visible().unwrap();
    assert_eq!(denied.cause, Cause::Denied);
    assert!(denied.reason.contains("kms:ListGrants denied: AccessDeniedException"), "{}", denied.reason);
    let unsupported = key.rotation.not_visible().unwrap();
    assert_eq!(unsupported.cause, Cause::Unsupported);
    assert!(unsupported.reason.contains("no␛[2J"), "{}", unsupported.reason);
    assert!(key.policy.known().is_some());
}

#[tokio::test]
async fn no_use_seen_is_not_the_same_as_not_seen() {
    let canned =
        Canned::new(|_| ok(json!({ "KeyId": KEY, "TrackingStartDate": 1_700_000_000, "KeyLastUsage": {} })));
    let last = canned.session().await.kms("eu-west-1").last_usage(&KEY.parse().unwrap()).await.unwrap();
    assert_eq!(last.used, None);
    assert!(last.tracked_since.is_some());
}

/// A key's ARN with this number in it.
fn arn(n: usize) -> String {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{n:08}-12ab-34cd-56ef-1234567890ab")
}

#[tokio::test]
async fn every_page_of_keys_and_aliases_is_read() {
    let canned = Canned::new(|call| {
        let page: usize = call.input["Marker"].as_str().map_or(0, |marker| marker.parse().unwrap());
        let more = page < 2;
        let rest = json!({ "Truncated": more, "NextMarker": more.then(|| (page + 1).to_string()) });
        let mut answer = match call.operation.as_str() {
            "ListKeys" => json!({ "Keys": [{ "KeyId": "k", "KeyArn": arn(page) }] }),
            _ => json!({ "Aliases": [{
                "AliasName": format!("alias/buzz/{page}"), "TargetKeyId": ID,
                "AliasArn": format!("arn:aws:kms:eu-west-1:111122223333:alias/buzz/{page}")
            }] }),
        };
        answer.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        ok(answer)
    });
    let reads = canned.session().await.kms("eu-west-1");
    let keys = reads.list_keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.as_str().to_owned()).collect::<Vec<_>>(), [arn(0), arn(1), arn(2)]);
    let aliases = reads.list_aliases().await.unwrap();
    assert_eq!(
        aliases.iter().map(|alias| alias.name.raw()).collect::<Vec<_>>(),
        ["buzz/0", "buzz/1", "buzz/2"]
    );
}

#[tokio::test]
async fn a_list_that_ignores_its_marker_ends() {
    let canned = Canned::new(|_| {
        ok(json!({ "Keys": [{ "KeyId": "k", "KeyArn": arn(0) }], "Truncated": true, "NextMarker": "same" }))
    });
    let failure = canned.session().await.kms("eu-west-1").list_keys().await.unwrap_err();
    assert_eq!(failure.cause, Cause::Unreadable);
    assert_eq!(canned.calls().len(), 2);
}

async fn describing(answer: impl Fn() -> Answer + Send + Sync + 'static) -> (Failure, usize) {
    let canned = Canned::new(move |_| answer());
    let failure = canned.session().await.kms("eu-west-1").describe(ID).await.unwrap_err();
    (failure, canned.calls().len())
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_cause() {
    for (status, code, cause) in [
        (400, "AccessDeniedException", Cause::Denied),
        (400, "ExpiredTokenException", Cause::Denied),
        (400, "NotFoundException", Cause::NotFound),
        (400, "ThrottlingException", Cause::Throttled),
        (400, "KMSInvalidStateException", Cause::Unsupported),
        (400, "com.amazonaws.kms#UnsupportedOperationException", Cause::Unsupported),
        (500, "KMSInternalException", Cause::Unreachable),
    ] {
        let (failure, _) = describing(move || no(status, code, "a reason")).await;
        assert_eq!(failure.cause, cause, "{failure}");
        assert_eq!(failure.had_no_effect, status < 500, "{failure}");
        assert_eq!(failure.request_id.as_deref(), Some("req-1"));
        assert!(failure.to_string().starts_with("kms:DescribeKey "), "{failure}");
    }
    let (lost, tries) = describing(|| Err(NoAnswer::ConnectionLost)).await;
    assert_eq!((lost.cause, lost.had_no_effect, tries), (Cause::Unreachable, false, 3), "{lost}");
    let (late, _) = describing(|| Err(NoAnswer::TimedOut)).await;
    assert_eq!((late.cause, late.had_no_effect), (Cause::TimedOut, false), "{late}");
    let (odd, _) = describing(|| ok(json!({ "KeyMetadata": { "KeyId": ID } }))).await;
    assert_eq!(odd.cause, Cause::Unreadable, "{odd}");
    let (garbled, _) = describing(|| xml("<html>proxy says no</html>")).await;
    assert_eq!(garbled.cause, Cause::Unreadable, "{garbled}");
}

#[derive(Debug)]
struct Silent;

#[async_trait::async_trait]
impl super::InProcessHttp for Silent {
    async fn send(&self, _: http::Request<bytes::Bytes>) -> Answer {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_wire_that_never_answers_times_out() {
    let super::HttpWire::InProcess { credentials, .. } = Canned::in_turn([]).wire() else { unreachable!() };
    let wire = super::HttpWire::InProcess { http: std::sync::Arc::new(Silent), credentials };
    let session = super::CloudSession::open(&super::canned::environment(), wire, &super::canned::clock())
        .await
        .unwrap();
    let begun = tokio::time::Instant::now();
    let failure = session.kms("eu-west-1").describe(ID).await.unwrap_err();
    assert_eq!((failure.cause, failure.had_no_effect), (Cause::TimedOut, false));
    assert!(begun.elapsed().as_secs() <= 31, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn requests_are_signed_with_the_clocks_time_and_never_carry_the_secret() {
    let canned = Canned::new(kms);
    canned.session().await.kms("eu-west-1").describe(ID).await.unwrap();
    let headers = canned.calls().remove(0).headers;
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("x-amz-date"), "20261123T140000Z");
    assert!(header("authorization").contains("AKIAEXAMPLE/20261123/eu-west-1/kms/aws4_request"));
    assert!(header("user-agent").contains("portcullis") || header("x-amz-user-agent").contains("portcullis"));
    assert!(!format!("{headers:?}{canned:?}{:?}", canned.wire()).contains("a-very-secret-key"));
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "to see that the wall refuses them")]
async fn the_wall_refuses_what_is_no_read_before_it_is_sent() {
    let canned = Canned::new(|_| ok(json!({})));
    let session = canned.session().await;
    let config = session.kms_config("eu-west-1").interceptor(super::wall::ReadOnlyWall).build();
    let client = aws_sdk_kms::Client::from_conf(config);
    let refused = client.disable_key().key_id(ID).send().await.unwrap_err();
    let refused = Failure::of("kms:DisableKey", &refused);
    assert!(refused.message.contains("KMS:DisableKey is not a read"), "{refused}");
    assert!(refused.had_no_effect);
    let refused = client.put_key_policy().key_id(ID).policy("{}").send().await.unwrap_err();
    assert!(Failure::of("kms:PutKeyPolicy", &refused).message.contains("not a read"));
    assert_eq!(canned.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn who_we_are_comes_from_sts() {
    let canned = Canned::in_turn([caller_identity()]);
    let identity = canned.session().await.identity().await.unwrap();
    assert_eq!((identity.account.as_str(), identity.user_id.as_str()), ("111122223333", "AIDAEXAMPLE"));
}

#[tokio::test]
async fn every_page_of_rds_is_read() {
    let page = |id: &str, marker: &str| {
        xml(&format!(
            "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult>\
             <DBInstances><DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><Engine>sqlserver-ee</Engine>\
             <DBInstanceStatus>available</DBInstanceStatus><StorageEncrypted>true</StorageEncrypted>\
             <KmsKeyId>{KEY}</KmsKeyId><Endpoint><Address>{id}.example</Address><Port>1433</Port></Endpoint>\
             </DBInstance></DBInstances>{marker}</DescribeDBInstancesResult></DescribeDBInstancesResponse>"
        ))
    };
    let canned = Canned::in_turn([page("buzz-prod-1", "<Marker>m</Marker>"), page("buzz-arch-1", "")]);
    let instances = canned.session().await.rds("eu-west-1").instances().await.unwrap();
    assert_eq!(instances.iter().map(|i| i.id.raw()).collect::<Vec<_>>(), ["buzz-prod-1", "buzz-arch-1"]);
    assert_eq!(instances[0].storage_key.as_ref().unwrap().as_str(), KEY);
    assert_eq!(canned.calls()[1].input["Marker"], "m");
}

#[tokio::test(start_paused = true)]
async fn a_page_of_the_trail_asks_one_attribute_once() {
    let canned = Canned::in_turn([
        ok(json!({ "Events": [{ "EventId": "e", "CloudTrailEvent": "{}" }], "NextToken": "t" })),
        no(400, "ThrottlingException", "Rate exceeded"),
    ]);
    let reads = canned.session().await.trail("eu-west-1");
    let page = reads.page(&Lookup::ReadOnly(false), now(), now(), None).await.unwrap();
    assert_eq!((page.records, page.next.as_deref()), (vec!["{}".to_owned()], Some("t")));
    let asked = &canned.calls()[0].input;
    assert_eq!(asked["LookupAttributes"], json!([{ "AttributeKey": "ReadOnly", "AttributeValue": "false" }]));

    let throttled = reads.page(&Lookup::ReadOnly(false), now(), now(), page.next).await.unwrap_err();
    assert_eq!((throttled.cause, canned.calls().len()), (Cause::Throttled, 2), "tried once");
}
