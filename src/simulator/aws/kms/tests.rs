use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::{Strategy as _, any, proptest};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::key::{
    Grant, Key, KeyManager, KeySpec, KeySpecification, KeyState, KeyUsage, Origin, RotationType, days,
};
use super::operations::governed;
use super::state::{Rule, TABLE, Verdict};
use super::{KeyRef, Kms};
use crate::simulator::aws::access::{Access, keys_of, principal_of};
use crate::simulator::aws::policy::Policy;
use crate::simulator::aws::{Call, Caller, Context, Facts, Identity, Refusal, Reply};

const ACCOUNT: &str = "111122223333";
const FOREIGN: &str = "444455556666";
const REGION: &str = "eu-west-1";

struct Desk {
    kms: Kms,
    rng: StdRng,
    now: Timestamp,
    facts: Facts,
}

impl Desk {
    fn new() -> Self {
        Self {
            kms: Kms::default(),
            rng: StdRng::seed_from_u64(7),
            now: "2026-03-01T12:00:00Z".parse().expect("a time"),
            facts: Facts::default(),
        }
    }

    fn key(&mut self) -> String {
        self.make(KeySpecification::symmetric(REGION, ACCOUNT, self.now))
    }

    fn make(&mut self, specification: KeySpecification) -> String {
        self.kms.create(specification, &mut self.rng).id.clone()
    }

    fn truth(&mut self, id: &str) -> &mut Key {
        self.kms.key_mut(REGION, id).expect("the key")
    }

    /// As an administrator of the account.
    fn ask(&mut self, operation: &str, input: Value) -> Result<Value, Refusal> {
        let allow = r#"{"Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;
        self.ask_as(ACCOUNT, "admin", &[allow], operation, input)
    }

    fn ask_as(
        &mut self,
        account: &str,
        user: &str,
        policies: &[&str],
        operation: &str,
        input: Value,
    ) -> Result<Value, Refusal> {
        let caller = Caller {
            account: account.to_owned(),
            access_key_id: "AKIAEXAMPLE".to_owned(),
            identity: Identity::User { name: user.to_owned(), mfa: false },
        };
        let call = Call {
            at: self.now,
            service: "kms".to_owned(),
            region: REGION.to_owned(),
            operation: operation.to_owned(),
            caller: caller.clone(),
            input,
            request_id: "r-1".to_owned(),
            source_ip: "203.0.113.1".to_owned(),
            user_agent: "tests".to_owned(),
        };
        let access = Access {
            principal: principal_of(&caller),
            keys: keys_of(&call),
            caller,
            identity: policies.iter().map(|text| Policy::parse(text).expect("a policy")).collect(),
            session: None,
        };
        let mut context = Context { account: ACCOUNT, rng: &mut self.rng, facts: Facts::default() };
        let outcome = self.kms.handle(&call, &access, &mut context);
        self.facts = context.facts;
        outcome.map(|reply| match reply {
            Reply::Json(value) => value,
            Reply::Xml(_) => panic!("KMS speaks JSON"),
        })
    }

    fn code(&mut self, operation: &str, input: Value) -> String {
        match self.ask(operation, input) {
            Ok(_) => "ok".to_owned(),
            Err(refusal) => refusal.code,
        }
    }
}

fn b64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}

/// An input with which an operation succeeds on an enabled symmetric key.
fn input_for(operation: &str, id: &str) -> Value {
    let mut input = json!({ "KeyId": id });
    let more = match operation {
        "CreateGrant" => {
            json!({ "GranteePrincipal": "arn:aws:iam::111122223333:role/app", "Operations": ["Decrypt"] })
        }
        "PutKeyPolicy" => json!({ "Policy": super::key::default_policy(ACCOUNT) }),
        "TagResource" => json!({ "Tags": [{ "TagKey": "a", "TagValue": "b" }] }),
        "UntagResource" => json!({ "TagKeys": ["a"] }),
        "UpdateKeyDescription" => json!({ "Description": "d" }),
        "Encrypt" => json!({ "Plaintext": b64("x") }),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => json!({ "KeySpec": "AES_256" }),
        _ => json!({}),
    };
    input.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    input
}

#[test]
fn every_rule_has_a_row_of_the_state_table() {
    for (_, rule) in governed() {
        assert_eq!(TABLE.iter().filter(|(one, _)| *one == rule).count(), 1, "{rule:?}");
    }
}

/// The table as AWS documents it, written out anew: E ok, D `DisabledException`, X `KMSInvalidStateException`,
/// U `UnsupportedOperationException`. States in the order Enabled, Disabled, `PendingDeletion`,
/// `PendingReplicaDeletion`, `PendingImport`, Unavailable, Creating, Updating.
const DOCUMENTED: &[(&str, &str)] = &[
    ("CancelKeyDeletion", "XXEEXXXX"),
    ("CreateGrant", "EDXXXEXE"),
    ("DescribeKey", "EEEEEEEE"),
    ("DisableKey", "EEXXXEXX"),
    ("DisableKeyRotation", "EDXXUUXE"),
    ("EnableKey", "EEXXXEXX"),
    ("EnableKeyRotation", "EDXXUUXE"),
    ("Encrypt", "EDXXXXXE"),
    ("GenerateDataKey", "EDXXXXXE"),
    ("GenerateDataKeyWithoutPlaintext", "EDXXXXXE"),
    ("GetKeyLastUsage", "EEEEEEEE"),
    ("GetKeyPolicy", "EEEEEEEE"),
    ("GetKeyRotationStatus", "EEEEUUEE"),
    ("ListGrants", "EEEEEEEE"),
    ("ListKeyPolicies", "EEEEEEEE"),
    ("ListKeyRotations", "EEEEEEEE"),
    ("ListResourceTags", "EEEEEEEE"),
    ("PutKeyPolicy", "EEEEEEEE"),
    ("RotateKeyOnDemand", "EDXXUUXE"),
    ("ScheduleKeyDeletion", "EEXXEEEX"),
    ("TagResource", "EEXXEEEE"),
    ("UntagResource", "EEXXEEEE"),
    ("UpdateKeyDescription", "EEXXEEEE"),
];

#[test]
fn each_state_allows_each_call_as_documented() {
    for (operation, column) in DOCUMENTED {
        for (&state, letter) in KeyState::ALL.iter().zip(column.chars()) {
            let mut desk = Desk::new();
            let id = desk.key();
            desk.truth(&id).state = state;
            let expected = match letter {
                'E' => "ok",
                'D' => "DisabledException",
                'X' => "KMSInvalidStateException",
                _ => "UnsupportedOperationException",
            };
            assert_eq!(
                desk.code(operation, input_for(operation, &id)),
                expected,
                "{operation} while {state:?}"
            );
        }
    }
    let covered: Vec<&str> = DOCUMENTED.iter().map(|(name, _)| *name).collect();
    for (name, _) in governed() {
        assert!(name == "RevokeGrant" || covered.contains(&name), "{name} is not in the documented table");
    }
}

#[test]
fn decrypt_and_re_encrypt_need_a_usable_key_too() {
    for (&state, letter) in KeyState::ALL.iter().zip("EDXXXXXE".chars()) {
        let mut desk = Desk::new();
        let (id, other) = (desk.key(), desk.key());
        let sealed = desk.ask("Encrypt", json!({ "KeyId": id, "Plaintext": b64("x") })).expect("sealed");
        let blob = sealed["CiphertextBlob"].clone();
        desk.truth(&id).state = state;
        let expected = match letter {
            'E' => "ok",
            'D' => "DisabledException",
            _ => "KMSInvalidStateException",
        };
        assert_eq!(desk.code("Decrypt", json!({ "CiphertextBlob": blob })), expected, "{state:?}");
        let input = json!({ "CiphertextBlob": blob, "DestinationKeyId": other });
        assert_eq!(desk.code("ReEncrypt", input), expected, "from, {state:?}");
        let other_sealed =
            desk.ask("Encrypt", json!({ "KeyId": other, "Plaintext": b64("x") })).expect("sealed");
        let input = json!({ "CiphertextBlob": other_sealed["CiphertextBlob"], "DestinationKeyId": id });
        assert_eq!(desk.code("ReEncrypt", input), expected, "to, {state:?}");
    }
}

#[test]
fn refusals_carry_the_words_of_aws() {
    let mut desk = Desk::new();
    let id = desk.key();
    let arn = desk.truth(&id).arn();
    desk.truth(&id).state = KeyState::Disabled;
    let encrypt = json!({ "KeyId": id, "Plaintext": b64("x") });
    let refusal = desk.ask("Encrypt", encrypt.clone()).expect_err("disabled");
    assert_eq!(refusal.message, format!("{arn} is disabled."));
    assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
    let refusal = desk.ask("CancelKeyDeletion", json!({ "KeyId": id })).expect_err("nothing to cancel");
    assert_eq!(refusal.message, format!("{arn} is not pending deletion."));
    desk.ask("ScheduleKeyDeletion", json!({ "KeyId": id })).expect("scheduled");
    let refusal = desk.ask("EnableKey", json!({ "KeyId": id })).expect_err("pending");
    assert_eq!(refusal, Refusal::new("KMSInvalidStateException", format!("{arn} is pending deletion.")));
}

#[test]
fn keys_are_named_as_each_operation_allows() {
    let mut desk = Desk::new();
    let id = desk.key();
    let arn = desk.truth(&id).arn();
    desk.kms.add_alias(REGION, ACCOUNT, "alias/buzz", &id, desk.now);
    let alias_arn = format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/buzz");
    for name in [id.as_str(), &arn, "alias/buzz", &alias_arn] {
        let found = desk.ask("DescribeKey", json!({ "KeyId": name })).expect("found");
        assert_eq!(found["KeyMetadata"]["Arn"], json!(arn));
        assert_eq!(desk.facts.resources[0].arn, arn, "the record names the key however it was asked for");
        assert_eq!(desk.facts.request_parameters["keyId"], json!(name));
    }
    assert_eq!(desk.code("DisableKey", json!({ "KeyId": "alias/buzz" })), "NotFoundException");
    assert_eq!(desk.code("DisableKey", json!({ "KeyId": alias_arn })), "InvalidArnException");
    for (name, message) in [
        ("nonsense", "Invalid keyId 'nonsense'".to_owned()),
        (
            "00000000-1111-4222-8333-444444444444",
            format!(
                "Key 'arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-1111-4222-8333-444444444444' does not exist"
            ),
        ),
        ("alias/none", format!("Alias arn:aws:kms:{REGION}:{ACCOUNT}:alias/none is not found.")),
        ("arn:aws:kms:us-east-1:111122223333:key/x", "Invalid arn us-east-1".to_owned()),
    ] {
        let refusal = desk.ask("DescribeKey", json!({ "KeyId": name })).expect_err(name);
        assert_eq!(refusal, Refusal::new("NotFoundException", message));
    }
    assert_eq!(desk.code("DescribeKey", json!({})), "ValidationException");
    assert_eq!(desk.code("DescribeKey", json!({ "KeyId": 7 })), "SerializationException");
}

#[test]
fn pages_hold_every_key_once_and_markers_are_checked() {
    let mut desk = Desk::new();
    let mut made: Vec<String> = (0..7).map(|_| desk.key()).collect();
    made.sort();
    let (mut seen, mut marker) = (Vec::new(), None);
    loop {
        let mut input = json!({ "Limit": 3 });
        if let Some(marker) = &marker {
            input["Marker"] = json!(marker);
        }
        let page = desk.ask("ListKeys", input).expect("a page");
        let keys = page["Keys"].as_array().expect("keys");
        assert!(keys.len() <= 3);
        seen.extend(keys.iter().map(|key| key["KeyId"].as_str().expect("an id").to_owned()));
        assert_eq!(page["Truncated"], json!(page.get("NextMarker").is_some()));
        match page["NextMarker"].as_str() {
            Some(next) => marker = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(seen, made);
    assert_eq!(desk.code("ListKeys", json!({ "Marker": "no marker of ours" })), "InvalidMarkerException");
    let other = json!({ "Marker": marker.expect("a marker of ListKeys") });
    assert_eq!(desk.code("ListAliases", other), "InvalidMarkerException");
    assert_eq!(desk.code("ListKeys", json!({ "Limit": 0 })), "ValidationException");
    assert_eq!(desk.code("ListKeys", json!({ "Limit": 1001 })), "ValidationException");
}

#[test]
fn old_ciphertexts_open_after_rotation_and_say_which_material_made_them() {
    let mut desk = Desk::new();
    let id = desk.key();
    let context = json!({ "db": "buzz_prod" });
    let seal = json!({ "KeyId": id, "Plaintext": b64("secret"), "EncryptionContext": context });
    let first = desk.truth(&id).current().expect("material").id.clone();
    let before = desk.ask("Encrypt", seal.clone()).expect("sealed")["CiphertextBlob"].clone();
    assert!(before.as_str().expect("base64").starts_with("AQICAHg"));
    desk.ask("RotateKeyOnDemand", json!({ "KeyId": id })).expect("rotated");
    let second = desk.truth(&id).current().expect("material").id.clone();
    assert_ne!(first, second);
    let after = desk.ask("Encrypt", seal).expect("sealed")["CiphertextBlob"].clone();
    for (blob, material) in [(before.clone(), first), (after, second)] {
        let input = json!({ "CiphertextBlob": blob, "EncryptionContext": context });
        let opened = desk.ask("Decrypt", input).expect("opened");
        assert_eq!(opened["Plaintext"], json!(b64("secret")));
        assert_eq!(opened["KeyMaterialId"], json!(material));
        assert_eq!(desk.facts.additional_event_data["keyMaterialId"], json!(material));
    }
    assert!(desk.facts.request_parameters.get("ciphertextBlob").is_none());
    assert_eq!(desk.code("Decrypt", json!({ "CiphertextBlob": before })), "InvalidCiphertextException");
    let other = json!({ "db": "buzz_arch" });
    let input = json!({ "CiphertextBlob": before, "EncryptionContext": other });
    assert_eq!(desk.code("Decrypt", input), "InvalidCiphertextException");
    let wrong_key = desk.key();
    let input = json!({ "CiphertextBlob": before, "EncryptionContext": context, "KeyId": wrong_key });
    assert_eq!(desk.code("Decrypt", input), "IncorrectKeyException");
}

#[test]
fn re_encryption_moves_a_plaintext_between_keys() {
    let mut desk = Desk::new();
    let (from, to) = (desk.key(), desk.key());
    let sealed = desk.ask("Encrypt", json!({ "KeyId": from, "Plaintext": b64("cek") })).expect("sealed");
    let input = json!({
        "CiphertextBlob": sealed["CiphertextBlob"],
        "DestinationKeyId": to,
        "DestinationEncryptionContext": { "a": "b" },
    });
    let moved = desk.ask("ReEncrypt", input).expect("moved");
    assert_eq!(moved["KeyId"], json!(desk.truth(&to).arn()));
    assert_eq!(desk.facts.resources.len(), 2);
    let input = json!({ "CiphertextBlob": moved["CiphertextBlob"], "EncryptionContext": { "a": "b" } });
    assert_eq!(desk.ask("Decrypt", input).expect("opened")["Plaintext"], json!(b64("cek")));
    let usage = desk.ask("GetKeyLastUsage", json!({ "KeyId": from })).expect("usage");
    assert_eq!(usage["KeyLastUsage"]["Operation"], json!("ReEncrypt"));
}

#[test]
fn data_keys_open_to_the_plaintext_that_came_with_them() {
    let mut desk = Desk::new();
    let id = desk.key();
    let made = desk.ask("GenerateDataKey", json!({ "KeyId": id, "KeySpec": "AES_256" })).expect("a data key");
    let opened = desk.ask("Decrypt", json!({ "CiphertextBlob": made["CiphertextBlob"] })).expect("opened");
    assert_eq!(opened["Plaintext"], made["Plaintext"]);
    let plain = made["Plaintext"].as_str().expect("base64");
    assert_eq!(BASE64_STANDARD.decode(plain).expect("bytes").len(), 32);
    let bare = json!({ "KeyId": id, "NumberOfBytes": 64 });
    let without = desk.ask("GenerateDataKeyWithoutPlaintext", bare).expect("a data key");
    assert!(without.get("Plaintext").is_none());
    assert_eq!(desk.code("GenerateDataKey", json!({ "KeyId": id })), "ValidationException");
}

#[test]
fn rsa_keys_encrypt_with_oaep_and_take_no_context() {
    let mut desk = Desk::new();
    let base = KeySpecification::symmetric(REGION, ACCOUNT, desk.now);
    let id = desk.make(KeySpecification { spec: KeySpec::Rsa2048, ..base });
    let seal = json!({ "KeyId": id, "Plaintext": b64("cek"), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256" });
    let sealed = desk.ask("Encrypt", seal.clone()).expect("sealed");
    let open = json!({ "KeyId": id, "CiphertextBlob": sealed["CiphertextBlob"], "EncryptionAlgorithm": "RSAES_OAEP_SHA_256" });
    assert_eq!(desk.ask("Decrypt", open.clone()).expect("opened")["Plaintext"], json!(b64("cek")));
    let mut nameless = open;
    nameless.as_object_mut().expect("an object").remove("KeyId");
    assert_eq!(desk.code("Decrypt", nameless), "ValidationException");
    let mut with_context = seal;
    with_context["EncryptionContext"] = json!({ "a": "b" });
    assert_eq!(desk.code("Encrypt", with_context), "ValidationException");
    assert_eq!(
        desk.code("Encrypt", json!({ "KeyId": id, "Plaintext": b64("x") })),
        "InvalidKeyUsageException"
    );
    assert_eq!(desk.code("GetKeyRotationStatus", json!({ "KeyId": id })), "UnsupportedOperationException");
}

#[test]
fn keys_of_other_usages_do_not_encrypt() {
    for (spec, usage) in
        [(KeySpec::Hmac256, KeyUsage::GenerateVerifyMac), (KeySpec::EccNistP256, KeyUsage::SignVerify)]
    {
        let mut desk = Desk::new();
        let base = KeySpecification::symmetric(REGION, ACCOUNT, desk.now);
        let id = desk.make(KeySpecification { spec, usage, ..base });
        assert_eq!(
            desk.code("Encrypt", json!({ "KeyId": id, "Plaintext": b64("x") })),
            "InvalidKeyUsageException"
        );
        assert_eq!(desk.code("EnableKeyRotation", json!({ "KeyId": id })), "UnsupportedOperationException");
    }
}

#[test]
fn dry_runs_change_nothing_and_say_so() {
    let mut desk = Desk::new();
    let id = desk.key();
    let dry = |operation: &str| {
        let mut input = input_for(operation, &id);
        input["DryRun"] = json!(true);
        input
    };
    for operation in ["Encrypt", "GenerateDataKey", "CreateGrant"] {
        assert_eq!(desk.code(operation, dry(operation)), "DryRunOperationException");
        assert!(desk.facts.dry_run);
    }
    let ignoring = json!({ "KeyId": id, "DryRun": true, "DryRunModifiers": ["IGNORE_CIPHERTEXT"] });
    assert_eq!(desk.code("Decrypt", ignoring), "DryRunOperationException");
    assert!(desk.truth(&id).grants.is_empty());
    assert!(desk.truth(&id).last_usage.is_none());
    desk.truth(&id).state = KeyState::Disabled;
    assert_eq!(desk.code("Encrypt", dry("Encrypt")), "DisabledException");
}

#[test]
fn on_demand_rotation_ends_at_the_twenty_fifth() {
    let mut desk = Desk::new();
    let id = desk.key();
    for _ in 0..25 {
        desk.ask("RotateKeyOnDemand", json!({ "KeyId": id })).expect("rotated");
    }
    assert_eq!(desk.code("RotateKeyOnDemand", json!({ "KeyId": id })), "LimitExceededException");
    let all = json!({ "KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL" });
    let materials = desk.ask("ListKeyRotations", all).expect("materials");
    let materials = materials["Rotations"].as_array().expect("entries");
    assert_eq!(materials.len(), 26);
    assert!(materials[0].get("RotationDate").is_none(), "the first material was never rotated to");
    assert_eq!(materials[25]["KeyMaterialState"], json!("CURRENT"));
    assert_eq!(materials[25]["RotationType"], json!("ON_DEMAND"));
    let rotations = desk.ask("ListKeyRotations", json!({ "KeyId": id })).expect("rotations");
    assert_eq!(rotations["Rotations"].as_array().expect("entries").len(), 25);
    let (now, mut rng) = (desk.now, StdRng::seed_from_u64(1));
    let events = desk.kms.settle(now, &mut rng);
    assert_eq!(events.len(), 25);
    assert_eq!(events[0].details["rotationType"], json!("ON_DEMAND"));
}

#[test]
fn automatic_rotation_comes_on_its_date_unless_it_stalls_or_the_key_is_disabled() {
    let mut desk = Desk::new();
    let (due, stalled, disabled) = (desk.key(), desk.key(), desk.key());
    for id in [&due, &stalled, &disabled] {
        desk.ask("EnableKeyRotation", json!({ "KeyId": id, "RotationPeriodInDays": 90 })).expect("enabled");
    }
    desk.truth(&stalled).rotation.as_mut().expect("rotation").stalled = true;
    desk.truth(&disabled).state = KeyState::Disabled;
    let start = desk.now;
    desk.now = start + days(200);
    let events = desk.kms.settle(desk.now, &mut desk.rng);
    assert_eq!(events.len(), 2, "two periods have passed");
    assert!(events.iter().all(|event| event.name == "RotateKey" && event.resources[0].arn.ends_with(&due)));
    assert_eq!(desk.truth(&due).rotations.last().map(|rotation| rotation.at), Some(start + days(180)));
    assert!(desk.truth(&stalled).rotations.is_empty());
    let status = desk.ask("GetKeyRotationStatus", json!({ "KeyId": stalled })).expect("status");
    let next = status["NextRotationDate"].as_f64().expect("a date");
    assert!(next < desk.now.as_duration().as_secs_f64(), "an overdue rotation shows as such");
    desk.ask("EnableKey", json!({ "KeyId": disabled })).expect("enabled");
    assert_eq!(desk.kms.settle(desk.now, &mut desk.rng).len(), 2, "a key enabled again catches up");
    for period in [89, 2561] {
        let input = json!({ "KeyId": due, "RotationPeriodInDays": period });
        assert_eq!(desk.code("EnableKeyRotation", input), "ValidationException");
    }
}

#[test]
fn deletion_waits_out_its_window_and_then_takes_the_aliases_along() {
    let mut desk = Desk::new();
    let id = desk.key();
    desk.kms.add_alias(REGION, ACCOUNT, "alias/legacy", &id, desk.now);
    desk.ask("EnableKeyRotation", json!({ "KeyId": id })).expect("enabled");
    for window in [6, 31] {
        let input = json!({ "KeyId": id, "PendingWindowInDays": window });
        assert_eq!(desk.code("ScheduleKeyDeletion", input), "ValidationException");
    }
    let input = json!({ "KeyId": id, "PendingWindowInDays": 7 });
    let scheduled = desk.ask("ScheduleKeyDeletion", input).expect("scheduled");
    assert_eq!(scheduled["KeyState"], json!("PendingDeletion"));
    let status = desk.ask("GetKeyRotationStatus", json!({ "KeyId": id })).expect("status");
    assert_eq!(status["KeyRotationEnabled"], json!(false));
    desk.ask("CancelKeyDeletion", json!({ "KeyId": id })).expect("cancelled");
    assert_eq!(desk.truth(&id).state, KeyState::Disabled);
    let input = json!({ "KeyId": id, "PendingWindowInDays": 7 });
    desk.ask("ScheduleKeyDeletion", input).expect("scheduled again");
    let end = desk.now + days(7);
    assert!(desk.kms.settle(end - SignedDuration::from_secs(1), &mut desk.rng).is_empty());
    let events = desk.kms.settle(end, &mut desk.rng);
    assert_eq!(events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["DeleteKey"]);
    assert_eq!(desk.code("DescribeKey", json!({ "KeyId": id })), "NotFoundException");
    assert_eq!(desk.kms.aliases().count(), 0);
}

#[test]
fn a_primary_waits_for_its_replicas_and_each_region_stands_by_itself() {
    let mut desk = Desk::new();
    let base = KeySpecification::symmetric(REGION, ACCOUNT, desk.now);
    let id = desk.make(KeySpecification { multi_region: true, ..base });
    desk.kms.replicate(REGION, &id, "us-east-1", desk.now).expect("a replica");
    desk.ask("DisableKey", json!({ "KeyId": id })).expect("disabled");
    assert_eq!(desk.kms.key("us-east-1", &id).map(|key| key.state), Some(KeyState::Enabled));
    let scheduled =
        desk.ask("ScheduleKeyDeletion", json!({ "KeyId": id, "PendingWindowInDays": 7 })).expect("scheduled");
    assert_eq!(scheduled["KeyState"], json!("PendingReplicaDeletion"));
    assert!(scheduled.get("DeletionDate").is_none());
    let now = desk.now;
    desk.kms.key_mut("us-east-1", &id).expect("the replica").schedule_deletion(now, 7);
    desk.kms.settle(now + days(8), &mut desk.rng);
    assert_eq!(desk.truth(&id).state, KeyState::PendingDeletion);
    assert_eq!(desk.truth(&id).deletion_date, Some(now + days(14)));
}

#[test]
fn rotation_of_a_primary_reaches_its_replicas() {
    let mut desk = Desk::new();
    let base = KeySpecification::symmetric(REGION, ACCOUNT, desk.now);
    let id = desk.make(KeySpecification { multi_region: true, ..base });
    desk.kms.replicate(REGION, &id, "us-east-1", desk.now).expect("a replica");
    desk.ask("RotateKeyOnDemand", json!({ "KeyId": id })).expect("rotated");
    let material =
        |desk: &Desk, region| desk.kms.key(region, &id).and_then(Key::current).map(|one| one.id.clone());
    assert!(material(&desk, REGION).is_some());
    assert_eq!(material(&desk, REGION), material(&desk, "us-east-1"));
}

#[test]
fn imported_material_expires_and_rotation_needs_the_next_import() {
    let mut desk = Desk::new();
    let base = KeySpecification::symmetric(REGION, ACCOUNT, desk.now);
    let id = desk.make(KeySpecification { origin: Origin::External, ..base });
    assert_eq!(desk.truth(&id).state, KeyState::PendingImport);
    let (until, mut rng) = (desk.now + days(10), StdRng::seed_from_u64(9));
    desk.truth(&id).import(Some(until), &mut rng);
    assert_eq!(desk.code("EnableKeyRotation", json!({ "KeyId": id })), "UnsupportedOperationException");
    assert_eq!(desk.code("RotateKeyOnDemand", json!({ "KeyId": id })), "KMSInvalidStateException");
    desk.truth(&id).import(Some(until), &mut rng);
    let all = json!({ "KeyId": id, "IncludeKeyMaterial": "ALL_KEY_MATERIAL" });
    let states = |answer: &Value| -> Vec<Value> {
        let entries = answer["Rotations"].as_array().expect("entries");
        entries.iter().map(|entry| entry["KeyMaterialState"].clone()).collect()
    };
    let waiting = desk.ask("ListKeyRotations", all.clone()).expect("materials");
    assert_eq!(states(&waiting), ["CURRENT", "PENDING_ROTATION"]);
    desk.ask("RotateKeyOnDemand", json!({ "KeyId": id })).expect("rotated to the import");
    let done = desk.ask("ListKeyRotations", all).expect("materials");
    assert_eq!(states(&done), ["NON_CURRENT", "CURRENT"]);
    assert_eq!(desk.kms.settle(desk.now, &mut rng).len(), 1);
    let seen = desk.ask("DescribeKey", json!({ "KeyId": id })).expect("metadata");
    assert_eq!(seen["KeyMetadata"]["ExpirationModel"], json!("KEY_MATERIAL_EXPIRES"));
    let events = desk.kms.settle(until, &mut rng);
    assert_eq!(events[0].name, "DeleteExpiredKeyMaterial");
    assert_eq!(desk.truth(&id).state, KeyState::PendingImport);
}

#[test]
fn other_accounts_need_the_key_policy_and_their_own() {
    let allow = r#"{"Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}"#;
    let mut desk = Desk::new();
    let id = desk.key();
    let arn = desk.truth(&id).arn();
    let input = json!({ "KeyId": arn });
    let refusal = desk.ask_as(FOREIGN, "eve", &[allow], "DescribeKey", input.clone()).expect_err("denied");
    assert_eq!(refusal.code, "AccessDeniedException");
    assert!(refusal.message.contains("no resource-based policies allow access"), "{}", refusal.message);
    let open = json!({ "Statement": [
        { "Effect": "Allow", "Principal": { "AWS": ACCOUNT }, "Action": "kms:*", "Resource": "*" },
        { "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{FOREIGN}:root") }, "Action": "kms:*", "Resource": "*" },
    ] });
    desk.truth(&id).policy = open.to_string();
    desk.ask_as(FOREIGN, "eve", &[allow], "DescribeKey", input.clone()).expect("allowed by both");
    let refusal =
        desk.ask_as(FOREIGN, "eve", &[], "DescribeKey", input.clone()).expect_err("own IAM is silent");
    assert!(
        refusal.message.contains("no identity-based policy allows the kms:DescribeKey action"),
        "{}",
        refusal.message
    );
    let refusal =
        desk.ask_as(FOREIGN, "eve", &[allow], "DisableKey", input).expect_err("never across accounts");
    assert_eq!(refusal.code, "AccessDeniedException");
    assert_eq!(desk.truth(&id).state, KeyState::Enabled);
}

#[test]
fn grants_allow_their_operations_under_their_context() {
    let mut desk = Desk::new();
    let id = desk.key();
    let (now, mut rng) = (desk.now, StdRng::seed_from_u64(3));
    let mut grant =
        Grant::new(&format!("arn:aws:iam::{ACCOUNT}:user/app"), &["Encrypt"], ACCOUNT, now, &mut rng);
    grant.context_subset = Some(BTreeMap::from([("db".to_owned(), "buzz".to_owned())]));
    desk.truth(&id).grants.push(grant);
    let encrypt =
        |context: Value| json!({ "KeyId": id, "Plaintext": b64("x"), "EncryptionContext": context });
    let mut ask = |operation: &str, input| {
        desk.ask_as(ACCOUNT, "app", &[], operation, input).map(|_| ()).map_err(|no| no.code)
    };
    assert_eq!(ask("Encrypt", encrypt(json!({ "db": "buzz", "more": "x" }))), Ok(()));
    assert_eq!(ask("Encrypt", encrypt(json!({ "db": "other" }))), Err("AccessDeniedException".to_owned()));
    assert_eq!(ask("DescribeKey", json!({ "KeyId": id })), Err("AccessDeniedException".to_owned()));
}

#[test]
fn grants_come_and_go() {
    let mut desk = Desk::new();
    let id = desk.key();
    let mut input = input_for("CreateGrant", &id);
    input["Name"] = json!("once");
    let made = desk.ask("CreateGrant", input.clone()).expect("a grant");
    assert_eq!(desk.ask("CreateGrant", input).expect("the same grant")["GrantId"], made["GrantId"]);
    assert_eq!(desk.facts.response_elements["grantId"], made["GrantId"]);
    let listed = desk.ask("ListGrants", json!({ "KeyId": id })).expect("grants");
    assert_eq!(listed["Grants"].as_array().map(Vec::len), Some(1));
    let revoke = json!({ "KeyId": id, "GrantId": made["GrantId"] });
    assert_eq!(desk.code("RevokeGrant", revoke.clone()), "ok");
    assert_eq!(desk.code("RevokeGrant", revoke), "NotFoundException");
    let made = desk.ask("CreateGrant", input_for("CreateGrant", &id)).expect("a grant");
    assert_eq!(desk.code("RetireGrant", json!({ "GrantToken": made["GrantToken"] })), "ok");
    assert!(desk.truth(&id).grants.is_empty());
    let mut unknown = input_for("CreateGrant", &id);
    unknown["Operations"] = json!(["Destroy"]);
    assert_eq!(desk.code("CreateGrant", unknown), "ValidationException");
}

#[test]
fn a_policy_that_locks_its_author_out_is_refused_unless_bypassed() {
    let mut desk = Desk::new();
    let id = desk.key();
    let lockout = json!({ "Statement": [{ "Effect": "Allow", "Principal": { "AWS": FOREIGN }, "Action": "kms:*", "Resource": "*" }] });
    let mut input = json!({ "KeyId": id, "Policy": lockout.to_string() });
    let refusal = desk.ask("PutKeyPolicy", input.clone()).expect_err("a lockout");
    assert_eq!(refusal.code, "MalformedPolicyDocumentException");
    input["BypassPolicyLockoutSafetyCheck"] = json!(true);
    desk.ask("PutKeyPolicy", input).expect("bypassed");
    assert_eq!(desk.code("DescribeKey", json!({ "KeyId": id })), "AccessDeniedException");
}

#[test]
fn aws_managed_keys_can_be_seen_and_not_changed() {
    let mut desk = Desk::new();
    let base = KeySpecification::symmetric(REGION, ACCOUNT, desk.now);
    let id = desk.make(KeySpecification { manager: KeyManager::Aws, ..base });
    assert_eq!(desk.code("DescribeKey", json!({ "KeyId": id })), "ok");
    assert_eq!(desk.code("DisableKey", json!({ "KeyId": id })), "AccessDeniedException");
}

#[test]
fn aliases_point_and_move_and_go() {
    let mut desk = Desk::new();
    let (one, two) = (desk.key(), desk.key());
    let name = "alias/buzz-tutor/user-data";
    desk.ask("CreateAlias", json!({ "AliasName": name, "TargetKeyId": one })).expect("made");
    assert_eq!(
        desk.code("CreateAlias", json!({ "AliasName": name, "TargetKeyId": two })),
        "AlreadyExistsException"
    );
    desk.ask("UpdateAlias", json!({ "AliasName": name, "TargetKeyId": two })).expect("moved");
    let arn = desk.truth(&two).arn();
    assert_eq!(desk.facts.response_elements["keyId"], json!(arn));
    let listed = desk.ask("ListAliases", json!({ "KeyId": two })).expect("aliases");
    assert_eq!(listed["Aliases"][0]["AliasName"], json!(name));
    desk.truth(&one).state = KeyState::PendingDeletion;
    assert_eq!(
        desk.code("UpdateAlias", json!({ "AliasName": name, "TargetKeyId": one })),
        "KMSInvalidStateException"
    );
    for bad in ["buzz", "alias/", "alias/aws/rds", "alias/a b"] {
        assert_ne!(desk.code("CreateAlias", json!({ "AliasName": bad, "TargetKeyId": two })), "ok", "{bad}");
    }
    desk.ask("DeleteAlias", json!({ "AliasName": name })).expect("deleted");
    assert_eq!(desk.code("DeleteAlias", json!({ "AliasName": name })), "NotFoundException");
}

#[test]
fn keys_are_made_as_asked_and_the_seed_decides_their_ids() {
    let make = || {
        let mut desk = Desk::new();
        let input = json!({ "Description": "d", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC", "Tags": [{ "TagKey": "a", "TagValue": "b" }] });
        desk.ask("CreateKey", input).expect("a key")["KeyMetadata"].clone()
    };
    let metadata = make();
    assert_eq!(metadata["MacAlgorithms"], json!(["HMAC_SHA_256"]));
    assert_eq!(metadata, make());
    let mut desk = Desk::new();
    assert_eq!(desk.code("CreateKey", json!({ "KeySpec": "HMAC_256" })), "ValidationException");
    assert_eq!(desk.code("CreateKey", json!({ "KeySpec": "NOPE" })), "ValidationException");
    assert_eq!(desk.code("Nonsense", json!({})), "UnknownOperationException");
}

#[test]
fn cancelling_is_governed_by_its_own_row() {
    assert_eq!(Rule::CancelDeletion.verdict(KeyState::Enabled), Verdict::NotPendingDeletion);
    assert_eq!(Rule::CancelDeletion.verdict(KeyState::PendingReplicaDeletion), Verdict::Allowed);
}

proptest! {
    #[test]
    fn what_is_wrapped_unwraps_under_its_own_context_alone(
        plaintext in proptest::collection::vec(any::<u8>(), 1..200),
        context in proptest::collection::btree_map(".{0,8}", ".{0,8}", 0..4),
        other in proptest::collection::btree_map(".{0,8}", ".{0,8}", 0..4).prop_map(|mut map| { map.insert("only-here".into(), "x".into()); map }),
        multi_region: bool,
        flip in any::<proptest::sample::Index>(),
    ) {
        let mut desk = Desk::new();
        let base = KeySpecification::symmetric(REGION, ACCOUNT, desk.now);
        let id = desk.make(KeySpecification { multi_region, ..base });
        let key = desk.kms.keys.get_mut(&KeyRef { region: REGION.into(), id: id.clone() }).expect("the key");
        key.rotate("2026-01-01T00:00:00Z".parse().expect("a time"), RotationType::Automatic, &mut desk.rng);
        let mut bytes = key.wrap(&plaintext, &context, &mut desk.rng).expect("sealed");
        let blob = super::material::Blob::parse(&bytes).expect("ours");
        proptest::prop_assert_eq!(&blob.key_id, &id);
        proptest::prop_assert_eq!(key.unwrap_blob(&blob, &context).expect("opened"), plaintext);
        proptest::prop_assert!(key.unwrap_blob(&blob, &other).is_err());
        // Any bit of the sealed part changed, and it does not open.
        let at = 54 + flip.index(bytes.len() - 54);
        bytes[at] ^= 1;
        let changed = super::material::Blob::parse(&bytes).expect("still shaped like ours");
        proptest::prop_assert!(key.unwrap_blob(&changed, &context).is_err());
    }
}
