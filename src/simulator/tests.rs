//! The AWS front as the AWS SDK sees it: an independent reader of our answers and signer of its requests.

#![expect(
    clippy::disallowed_methods,
    reason = "the simulator is judged by AWS's own client, changes and all"
)]

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{DataKeySpec, KeyState as SdkKeyState};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::Simulator;
use super::aws::front::NoAnswer;
use super::aws::kms::key::{KeySpecification, KeyState};
use super::aws::sts::{MfaDevice, Role, User, totp};
use super::clock::VirtualClock;
use super::faults::{Effect, Fault, Target};
use super::world::World;

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const SEED: &[u8] = b"12345678901234567890";
const SERIAL: &str = "arn:aws:iam::111122223333:mfa/oncall-a";
const ROLE: &str = "arn:aws:iam::111122223333:role/emergency-key-admin";

/// Hands the SDK's requests to the simulator.
#[derive(Clone, Debug)]
struct Wire(Simulator);

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let simulator = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| Bytes::copy_from_slice(body.bytes().unwrap_or_default()));
            let response = simulator.http(request).await.map_err(|lost| match lost {
                NoAnswer::Timeout => ConnectorError::timeout(lost.into()),
                NoAnswer::ConnectionLost => ConnectorError::io(lost.into()),
            })?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn user(name: &str, policies: &[&str]) -> User {
    User {
        account: ACCOUNT.to_owned(),
        name: name.to_owned(),
        access_key_id: format!("AKIA{}", name.to_uppercase().replace('-', "")),
        secret: format!("secret of {name}"),
        mfa: Some(MfaDevice { serial: SERIAL.replace("oncall-a", name), seed: SEED.to_vec() }),
        policies: policies.iter().map(|&policy| policy.to_owned()).collect(),
    }
}

const EVERYTHING: &str = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

fn simulator() -> Simulator {
    let mut world = World::empty(ACCOUNT, 11);
    world.sts.users = vec![user("oncall-a", &[EVERYTHING]), user("nobody", &[])];
    world.sts.roles = vec![Role {
        account: ACCOUNT.to_owned(),
        name: "emergency-key-admin".to_owned(),
        id: "AROAEXAMPLEEXAMPLE123".to_owned(),
        trust: r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},
            "Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}},
            {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"sts:SetSourceIdentity",
             "Condition":{"StringEquals":{"sts:SourceIdentity":"oncall-a"}}}]}"#
            .to_owned(),
        policies: vec![
            r#"{"Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*",
            "Condition":{"StringEquals":{"aws:PrincipalTag/EmergencyAccess":"true"},"Bool":{"aws:MultiFactorAuthPresent":"true"}}}]}"#
                .to_owned(),
        ],
        max_session: 3600,
    }];
    Simulator::new(world, VirtualClock::running(Timestamp::now(), 1.0))
}

fn new_key(simulator: &Simulator) -> String {
    let mut world = simulator.world();
    let World { kms, rng, .. } = &mut *world;
    kms.create(KeySpecification::symmetric(REGION, ACCOUNT, simulator.clock().now()), rng).id.clone()
}

fn user_credentials(simulator: &Simulator, name: &str) -> Credentials {
    let world = simulator.world();
    let user = world.sts.users.iter().find(|user| user.name == name).expect("the user");
    Credentials::new(&user.access_key_id, &user.secret, None, None, "tests")
}

fn kms_as(simulator: &Simulator, credentials: Credentials) -> aws_sdk_kms::Client {
    let wire = SharedHttpConnector::new(Wire(simulator.clone()));
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new(REGION))
        .credentials_provider(credentials)
        .retry_config(aws_sdk_kms::config::retry::RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| wire.clone()))
        .build();
    aws_sdk_kms::Client::from_conf(config)
}

fn kms(simulator: &Simulator) -> aws_sdk_kms::Client {
    kms_as(simulator, user_credentials(simulator, "oncall-a"))
}

fn sts_as(simulator: &Simulator, credentials: Credentials) -> aws_sdk_sts::Client {
    let wire = SharedHttpConnector::new(Wire(simulator.clone()));
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(aws_sdk_sts::config::BehaviorVersion::latest())
        .region(aws_sdk_sts::config::Region::new(REGION))
        .credentials_provider(credentials)
        .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| wire.clone()))
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

fn sts(simulator: &Simulator) -> aws_sdk_sts::Client {
    sts_as(simulator, user_credentials(simulator, "oncall-a"))
}

fn from_sts(credentials: Option<&aws_sdk_sts::types::Credentials>) -> Credentials {
    let given = credentials.expect("credentials");
    Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        None,
        "tests",
    )
}

#[tokio::test]
async fn the_sdk_reads_our_keys_and_errors() {
    let simulator = simulator();
    let (client, id) = (kms(&simulator), new_key(&simulator));
    let listed = client.list_keys().send().await.expect("keys");
    assert_eq!(listed.keys()[0].key_id(), Some(id.as_str()));
    let metadata =
        client.describe_key().key_id(&id).send().await.expect("metadata").key_metadata.expect("metadata");
    assert_eq!(metadata.key_state(), Some(&SdkKeyState::Enabled));
    assert!(metadata.creation_date().is_some());
    let sealed = client.encrypt().key_id(&id).plaintext(Blob::new("cek")).send().await.expect("sealed");
    let opened = client
        .decrypt()
        .ciphertext_blob(sealed.ciphertext_blob.expect("a blob"))
        .send()
        .await
        .expect("opened");
    assert_eq!(opened.plaintext(), Some(&Blob::new("cek")));
    client.generate_data_key().key_id(&id).key_spec(DataKeySpec::Aes256).send().await.expect("a data key");
    client.enable_key_rotation().key_id(&id).rotation_period_in_days(90).send().await.expect("rotation on");
    let status = client.get_key_rotation_status().key_id(&id).send().await.expect("status");
    assert_eq!((status.key_rotation_enabled(), status.rotation_period_in_days()), (true, Some(90)));
    let usage = client.get_key_last_usage().key_id(&id).send().await.expect("usage");
    let used = usage.key_last_usage().expect("a use");
    assert!(used.timestamp().is_some() && used.cloud_trail_event_id().is_some());
    client.disable_key().key_id(&id).send().await.expect("disabled");
    let refusal = client
        .encrypt()
        .key_id(&id)
        .plaintext(Blob::new("x"))
        .send()
        .await
        .expect_err("disabled")
        .into_service_error();
    assert!(refusal.is_disabled_exception());
    assert!(refusal.message().is_some_and(|message| message.ends_with(&format!("key/{id} is disabled."))));
    let dry = client.encrypt().key_id(&id).plaintext(Blob::new("x")).dry_run(true).send().await;
    assert!(dry.expect_err("still disabled").into_service_error().is_disabled_exception());
    let none =
        client.describe_key().key_id("alias/none").send().await.expect_err("no alias").into_service_error();
    assert!(none.is_not_found_exception());
}

#[tokio::test]
async fn the_record_holds_what_was_asked_by_whom() {
    let simulator = simulator();
    let (client, id) = (kms(&simulator), new_key(&simulator));
    client.list_keys().send().await.expect("keys");
    client.describe_key().key_id(&id).send().await.expect("metadata");
    assert!(simulator.calls().iter().all(|call| !call.mutating));
    client.cancel_key_deletion().key_id(&id).send().await.expect_err("nothing to cancel");
    let calls = simulator.calls();
    let last = calls.last().expect("a call");
    assert!(last.mutating && last.answered);
    assert_eq!(last.operation, "CancelKeyDeletion");
    assert_eq!(last.error.as_deref(), Some("KMSInvalidStateException"));
    assert_eq!(last.key_id.as_ref(), Some(&id));
    assert_eq!(last.caller.as_deref(), Some("arn:aws:iam::111122223333:user/oncall-a"));
}

#[tokio::test]
async fn credentials_that_are_not_right_are_refused_by_name() {
    let simulator = simulator();
    for (id, secret, token, code) in [
        ("AKIAUNKNOWN", "x", None, "UnrecognizedClientException"),
        ("AKIAONCALLA", "wrong", None, "InvalidSignatureException"),
        (
            "AKIAONCALLA",
            "secret of oncall-a",
            Some("a token it never had".to_owned()),
            "UnrecognizedClientException",
        ),
    ] {
        let client = kms_as(&simulator, Credentials::new(id, secret, token, None, "tests"));
        let refusal = client.list_keys().send().await.expect_err("refused").into_service_error();
        assert_eq!(refusal.code(), Some(code));
    }
    let client = sts_as(&simulator, Credentials::new("AKIAUNKNOWN", "x", None, None, "tests"));
    let refusal = client.get_caller_identity().send().await.expect_err("refused").into_service_error();
    assert_eq!(refusal.code(), Some("InvalidClientTokenId"));
    simulator.clock().advance(SignedDuration::from_mins(6));
    let refusal = kms(&simulator).list_keys().send().await.expect_err("too late").into_service_error();
    assert_eq!(refusal.code(), Some("InvalidSignatureException"));
    assert!(refusal.message().is_some_and(|message| message.starts_with("Signature expired: ")));
    assert!(simulator.calls().iter().all(|call| call.caller.is_none()));
}

#[tokio::test]
async fn a_user_without_policies_may_ask_who_it_is_and_no_more() {
    let simulator = simulator();
    let credentials = user_credentials(&simulator, "nobody");
    let me = sts_as(&simulator, credentials.clone()).get_caller_identity().send().await.expect("who I am");
    assert_eq!(me.arn(), Some("arn:aws:iam::111122223333:user/nobody"));
    assert_eq!(me.account(), Some(ACCOUNT));
    let refusal =
        kms_as(&simulator, credentials).list_keys().send().await.expect_err("denied").into_service_error();
    assert_eq!(refusal.code(), Some("AccessDeniedException"));
    assert_eq!(
        refusal.message(),
        Some(
            "User: arn:aws:iam::111122223333:user/nobody is not authorized to perform: kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action"
        )
    );
}

fn emergency(
    client: &aws_sdk_sts::Client,
) -> aws_sdk_sts::operation::assume_role::builders::AssumeRoleFluentBuilder {
    let tag = aws_sdk_sts::types::Tag::builder().key("EmergencyAccess").value("true").build().expect("a tag");
    client
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("INC-2026-0142")
        .tags(tag)
        .source_identity("oncall-a")
}

#[tokio::test]
async fn an_emergency_session_does_one_thing_to_one_key() {
    let simulator = simulator();
    let (target, other) = (new_key(&simulator), new_key(&simulator));
    let policy = format!(
        r#"{{"Statement":[{{"Effect":"Allow","Action":"kms:DisableKey","Resource":"arn:aws:kms:{REGION}:{ACCOUNT}:key/{target}"}}]}}"#
    );
    let code = totp::code(SEED, simulator.clock().now());
    let request = emergency(&sts(&simulator)).serial_number(SERIAL).token_code(&code).policy(policy);
    let assumed = request.clone().send().await.expect("assumed");
    assert_eq!(
        assumed.assumed_role_user().map(aws_sdk_sts::types::AssumedRoleUser::arn),
        Some("arn:aws:sts::111122223333:assumed-role/emergency-key-admin/INC-2026-0142")
    );
    assert_eq!(assumed.source_identity(), Some("oncall-a"));
    let again = request.send().await.expect_err("a code works once").into_service_error();
    assert_eq!(again.code(), Some("AccessDenied"));
    assert!(again.message().is_some_and(|message| message.contains("invalid MFA one time pass code")));

    let session = kms_as(&simulator, from_sts(assumed.credentials()));
    session.disable_key().key_id(&target).send().await.expect("the one thing");
    let refusal =
        session.disable_key().key_id(&other).send().await.expect_err("another key").into_service_error();
    assert_eq!(refusal.code(), Some("AccessDeniedException"));
    assert!(
        refusal
            .message()
            .is_some_and(|message| message.contains("no session policy allows the kms:DisableKey action"))
    );
    session.enable_key().key_id(&target).send().await.expect_err("another action");
    let keys = |id: &str| simulator.world().kms.key(REGION, id).map(|key| key.state);
    assert_eq!((keys(&target), keys(&other)), (Some(KeyState::Disabled), Some(KeyState::Enabled)));
}

#[tokio::test]
async fn the_role_asks_for_mfa_tags_and_the_right_person() {
    let simulator = simulator();
    let client = sts(&simulator);
    let bare = emergency(&client).send().await.expect_err("no MFA").into_service_error();
    assert_eq!(
        bare.message(),
        Some(
            "User: arn:aws:iam::111122223333:user/oncall-a is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::111122223333:role/emergency-key-admin"
        )
    );
    let now = simulator.clock().now();
    let wrong = emergency(&client).serial_number(SERIAL).token_code(totp::code(b"another device", now));
    assert_eq!(wrong.send().await.expect_err("wrong code").into_service_error().code(), Some("AccessDenied"));
    let half =
        emergency(&client).serial_number(SERIAL).send().await.expect_err("no code").into_service_error();
    assert!(half.message().is_some_and(|message| message.contains("must provide both MFA serial number")));
    let code = totp::code(SEED, now);
    let somebody = emergency(&client).source_identity("oncall-b").serial_number(SERIAL).token_code(code);
    let refusal = somebody.send().await.expect_err("not the person").into_service_error();
    assert!(
        refusal.message().is_some_and(|message| message.contains("sts:SetSourceIdentity")),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn a_session_without_its_tag_has_no_power_and_sessions_end() {
    let simulator = simulator();
    let id = new_key(&simulator);
    let code = totp::code(SEED, simulator.clock().now());
    let plain = sts(&simulator)
        .get_session_token()
        .serial_number(SERIAL)
        .token_code(code)
        .send()
        .await
        .expect("a session");
    let with_mfa = sts_as(&simulator, from_sts(plain.credentials()));
    let untagged = with_mfa
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("INC-1")
        .send()
        .await
        .expect("MFA carried over");
    let session = kms_as(&simulator, from_sts(untagged.credentials()));
    let refusal = session.disable_key().key_id(&id).send().await.expect_err("no tag").into_service_error();
    assert_eq!(refusal.code(), Some("AccessDeniedException"));
    let tagged = emergency(&with_mfa).duration_seconds(900).send().await.expect("assumed");
    let credentials = from_sts(tagged.credentials());
    kms_as(&simulator, credentials.clone()).disable_key().key_id(&id).send().await.expect("allowed");
    // The SDK signs by the machine's clock, so the session's end is brought here instead.
    let presigned = presigned_identity(&simulator, &credentials, 16 * 60);
    simulator.clock().advance(SignedDuration::from_mins(15));
    let (status, body) = text(simulator.http(presigned).await.expect("an answer"));
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("<Code>ExpiredToken</Code>"), "{body}");
    let long = emergency(&sts(&simulator)).duration_seconds(7200).send().await;
    long.expect_err("longer than the role allows");
}

/// A `GetCallerIdentity` signed by AWS's own signer, with one more header signed.
fn presigned_identity(simulator: &Simulator, credentials: &Credentials, seconds: u64) -> Request<Bytes> {
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
    use aws_sigv4::sign::v4;
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(std::time::Duration::from_secs(seconds));
    let identity = credentials.clone().into();
    let time = SystemTime::UNIX_EPOCH + simulator.clock().now().as_duration().unsigned_abs();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("sts")
        .time(time)
        .settings(settings)
        .build()
        .expect("parameters");
    let url = "https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15";
    let headers = [("x-portcullis-plan", "7f3ac21e")];
    let signable =
        SignableRequest::new("GET", url, headers.into_iter(), SignableBody::Bytes(&[])).expect("signable");
    let (instructions, _) = sign(signable, &params.into()).expect("signed").into_parts();
    let mut request =
        Request::get(url).header(headers[0].0, headers[0].1).body(Bytes::new()).expect("a request");
    instructions.apply_to_request_http1x(&mut request);
    request
}

fn text(response: Response<Bytes>) -> (StatusCode, String) {
    let (parts, body) = response.into_parts();
    (parts.status, String::from_utf8(body.to_vec()).expect("text"))
}

#[tokio::test]
async fn a_presigned_identity_proves_who_signed_and_what() {
    let simulator = simulator();
    let credentials = user_credentials(&simulator, "oncall-a");
    let request = presigned_identity(&simulator, &credentials, 900);
    let (status, body) = text(simulator.http(request.clone()).await.expect("an answer"));
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains("<Arn>arn:aws:iam::111122223333:user/oncall-a</Arn>"), "{body}");
    let mut altered = request.clone();
    altered.headers_mut().insert("x-portcullis-plan", "another".parse().expect("a value"));
    let (status, body) = text(simulator.http(altered).await.expect("an answer"));
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("<Code>SignatureDoesNotMatch</Code>"), "{body}");
    simulator.clock().advance(SignedDuration::from_mins(16));
    let (_, body) = text(simulator.http(request).await.expect("an answer"));
    assert!(body.contains("Signature expired"), "{body}");
}

#[tokio::test]
async fn unsigned_requests_get_the_error_of_their_protocol() {
    let simulator = simulator();
    let json = Request::post("http://localhost/")
        .header("x-amz-target", "TrentService.ListKeys")
        .header("content-type", "application/x-amz-json-1.1")
        .body(Bytes::from_static(b"{}"))
        .expect("a request");
    let (status, body) = text(simulator.http(json).await.expect("an answer"));
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(
        body,
        r#"{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}"#
    );
    let query = Request::post("http://localhost/")
        .body(Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15"));
    let response = simulator.http(query.expect("a request")).await.expect("an answer");
    assert!(response.headers().contains_key("x-amzn-requestid"));
    let (status, body) = text(response);
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("<Type>Sender</Type><Code>MissingAuthenticationToken</Code>"), "{body}");
}

#[tokio::test]
async fn what_we_do_not_have_is_refused() {
    let simulator = simulator();
    let refusal = kms(&simulator)
        .generate_random()
        .number_of_bytes(8)
        .send()
        .await
        .expect_err("unknown")
        .into_service_error();
    assert_eq!(refusal.code(), Some("UnknownOperationException"));
    let request = sts(&simulator).decode_authorization_message().encoded_message("x").send().await;
    assert_eq!(request.expect_err("unknown").into_service_error().code(), Some("InvalidAction"));
}

#[tokio::test]
async fn quotas_throttle_until_they_are_switched_off() {
    let simulator = simulator();
    let (client, id) = (kms(&simulator), new_key(&simulator));
    let mut throttled = 0;
    for _ in 0..40 {
        if let Err(refusal) = client.disable_key().key_id(&id).send().await {
            assert_eq!(refusal.into_service_error().code(), Some("ThrottlingException"));
            throttled += 1;
        }
    }
    assert!(throttled > 0);
    simulator.set_quotas(false);
    for _ in 0..40 {
        client.disable_key().key_id(&id).send().await.expect("no quota");
    }
}

#[tokio::test]
async fn faults_fail_calls_before_and_after_they_are_carried_out() {
    let simulator = simulator();
    simulator.set_quotas(false);
    let (client, id) = (kms(&simulator), new_key(&simulator));
    let state = || simulator.world().kms.key(REGION, &id).map(|key| key.state);
    let on = Target::Key { operation: "DisableKey".to_owned(), key_id: id.clone() };
    let arm = |effect| simulator.faults().add(Fault { on: on.clone(), effect, times: Some(1) });
    let arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{id}");
    let disable = || client.disable_key().key_id(&arn).send();
    for effect in [Effect::Timeout, Effect::ConnectionLoss] {
        arm(effect);
        assert!(disable().await.expect_err("lost").as_service_error().is_none());
        assert_eq!(state(), Some(KeyState::Enabled));
    }
    for (effect, code) in [
        (Effect::AccessDenied, "AccessDeniedException"),
        (Effect::ServerError, "KMSInternalException"),
        (Effect::Throttle(1.0), "ThrottlingException"),
    ] {
        arm(effect);
        assert_eq!(disable().await.expect_err("refused").into_service_error().code(), Some(code));
        assert_eq!(state(), Some(KeyState::Enabled));
    }
    for effect in [Effect::TimeoutAfter, Effect::ConnectionLossAfter] {
        simulator.world().kms.key_mut(REGION, &id).expect("the key").state = KeyState::Enabled;
        arm(effect);
        assert!(disable().await.expect_err("lost").as_service_error().is_none());
        assert_eq!(state(), Some(KeyState::Disabled), "it was carried out though nobody was told");
        assert!(simulator.calls().last().is_some_and(|call| !call.answered && call.error.is_none()));
    }
    disable().await.expect("no fault is left");
}
