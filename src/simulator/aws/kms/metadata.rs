//! A key's metadata, as `DescribeKey` and `CreateKey` answer it.

use serde_json::{Value, json};

use super::key::{Key, KeySpec, KeyState, KeyUsage, MultiRegion, Origin, epoch};

/// The account's custom key store, and its cluster.
const HSM_STORE: (&str, &str) = ("cks-0f1e2d3c4b5a69788", "cluster-1a23b4cdefg");
/// The account's external key store.
const EXTERNAL_STORE: &str = "cks-8a7b6c5d4e3f20191";

impl Key {
    /// The key's metadata as `DescribeKey` and `CreateKey` answer it.
    #[must_use]
    pub fn metadata(&self) -> Value {
        let mut metadata = json!({
            "AWSAccountId": self.account,
            "KeyId": self.id,
            "Arn": self.arn(),
            "CreationDate": epoch(self.created),
            "Enabled": self.state == KeyState::Enabled,
            "Description": self.description,
            "KeyUsage": self.usage.as_str(),
            "KeyState": self.state.as_str(),
            "Origin": self.origin.as_str(),
            "KeyManager": self.manager.as_str(),
            "CustomerMasterKeySpec": self.spec.as_str(),
            "KeySpec": self.spec.as_str(),
            "MultiRegion": self.multi_region.is_some(),
        });
        if let Some((field, algorithms)) = self.algorithms() {
            metadata[field] = json!(algorithms);
        }
        if let Some(date) = self.deletion_date {
            metadata["DeletionDate"] = epoch(date);
        }
        if let Some(window) = self.pending_window {
            metadata["PendingDeletionWindowInDays"] = json!(window);
        }
        match self.origin {
            Origin::CloudHsm => {
                metadata["CustomKeyStoreId"] = json!(HSM_STORE.0);
                metadata["CloudHsmClusterId"] = json!(HSM_STORE.1);
            }
            Origin::ExternalKeyStore => {
                metadata["CustomKeyStoreId"] = json!(EXTERNAL_STORE);
                // The external manager's own name for the key: ours is as good as any.
                metadata["XksKeyConfiguration"] = json!({ "Id": format!("xks-{:.8}", self.id) });
            }
            Origin::AwsKms | Origin::External => {}
        }
        let kept_by_kms = matches!(self.origin, Origin::AwsKms | Origin::External);
        if let Some(material) = self.current().filter(|_| kept_by_kms) {
            metadata["CurrentKeyMaterialId"] = json!(material.id);
            if self.origin == Origin::External {
                metadata["ExpirationModel"] = json!(material.expiration_model());
                if let Some(valid_to) = material.valid_to {
                    metadata["ValidTo"] = epoch(valid_to);
                }
            }
        }
        if let Some(family) = &self.multi_region {
            metadata["MultiRegionConfiguration"] = self.family(family);
        }
        metadata
    }

    fn family(&self, family: &MultiRegion) -> Value {
        let member = |region: &String| json!({ "Arn": format!("arn:aws:kms:{region}:{}:key/{}", self.account, self.id), "Region": region });
        json!({
            "MultiRegionKeyType": if self.is_replica() { "REPLICA" } else { "PRIMARY" },
            "PrimaryKey": member(&family.primary_region),
            "ReplicaKeys": family.replica_regions.iter().map(member).collect::<Vec<_>>(),
        })
    }

    /// The algorithms that the spec and usage bring, and the field that lists them.
    fn algorithms(&self) -> Option<(&'static str, &'static [&'static str])> {
        let rsa_signing: &[&str] = &[
            "RSASSA_PKCS1_V1_5_SHA_256",
            "RSASSA_PKCS1_V1_5_SHA_384",
            "RSASSA_PKCS1_V1_5_SHA_512",
            "RSASSA_PSS_SHA_256",
            "RSASSA_PSS_SHA_384",
            "RSASSA_PSS_SHA_512",
        ];
        Some(match (self.usage, self.spec) {
            (KeyUsage::EncryptDecrypt, KeySpec::SymmetricDefault) => {
                ("EncryptionAlgorithms", &["SYMMETRIC_DEFAULT"])
            }
            (KeyUsage::EncryptDecrypt, _) => {
                ("EncryptionAlgorithms", &["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
            }
            (KeyUsage::KeyAgreement, _) => ("KeyAgreementAlgorithms", &["ECDH"]),
            (KeyUsage::SignVerify, KeySpec::EccNistP256 | KeySpec::EccSecgP256K1) => {
                ("SigningAlgorithms", &["ECDSA_SHA_256"])
            }
            (KeyUsage::SignVerify, KeySpec::EccNistP384) => ("SigningAlgorithms", &["ECDSA_SHA_384"]),
            (KeyUsage::SignVerify, KeySpec::EccNistP521) => ("SigningAlgorithms", &["ECDSA_SHA_512"]),
            (KeyUsage::SignVerify, _) => ("SigningAlgorithms", rsa_signing),
            (KeyUsage::GenerateVerifyMac, KeySpec::Hmac224) => ("MacAlgorithms", &["HMAC_SHA_224"]),
            (KeyUsage::GenerateVerifyMac, KeySpec::Hmac256) => ("MacAlgorithms", &["HMAC_SHA_256"]),
            (KeyUsage::GenerateVerifyMac, KeySpec::Hmac384) => ("MacAlgorithms", &["HMAC_SHA_384"]),
            (KeyUsage::GenerateVerifyMac, KeySpec::Hmac512) => ("MacAlgorithms", &["HMAC_SHA_512"]),
            (KeyUsage::GenerateVerifyMac, _) => return None,
        })
    }
}
