//! Cryptographic operations.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rand::RngCore as _;
use serde_json::json;

use super::KeyRef;
use super::desk::{Desk, Naming, violation};
use super::key::{Key, KeySpec, KeyUsage, LastUsage};
use super::material::{Blob, EncryptionContext, RsaAlgorithm};
use super::operations::Outcome;
use super::state::Rule;
use crate::simulator::aws::Refusal;

/// The longest plaintext and the longest ciphertext, in bytes.
const PLAINTEXT: usize = 4096;
const CIPHERTEXT: usize = 6144;

/// An encryption algorithm of KMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Symmetric,
    Rsa(RsaAlgorithm),
}

impl Algorithm {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "SYMMETRIC_DEFAULT" => Some(Self::Symmetric),
            "RSAES_OAEP_SHA_1" => Some(Self::Rsa(RsaAlgorithm::OaepSha1)),
            "RSAES_OAEP_SHA_256" => Some(Self::Rsa(RsaAlgorithm::OaepSha256)),
            _ => None,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Symmetric => "SYMMETRIC_DEFAULT",
            Self::Rsa(RsaAlgorithm::OaepSha1) => "RSAES_OAEP_SHA_1",
            Self::Rsa(RsaAlgorithm::OaepSha256) => "RSAES_OAEP_SHA_256",
        }
    }
}

/// What a ciphertext held, and which material opened it.
struct Opened {
    plaintext: Vec<u8>,
    material_id: Option<String>,
}

impl Desk<'_, '_> {
    pub fn encrypt(&mut self) -> Outcome {
        let plaintext = self.blob("Plaintext", PLAINTEXT)?;
        let context = self.encryption_context("EncryptionContext")?;
        let algorithm = self.algorithm("EncryptionAlgorithm")?;
        let place = self.find("KeyId", Naming::KeyOrAlias)?;
        self.ready(&place, "kms:Encrypt", &context, algorithm)?;
        self.unless_dry_run()?;
        let ciphertext = self.seal(&place, &plaintext, &context, algorithm)?;
        self.used(&place, "Encrypt")?;
        Ok(json!({
            "CiphertextBlob": BASE64_STANDARD.encode(ciphertext),
            "KeyId": self.key(&place)?.arn(),
            "EncryptionAlgorithm": algorithm.as_str(),
        }))
    }

    pub fn decrypt(&mut self) -> Outcome {
        let context = self.encryption_context("EncryptionContext")?;
        let algorithm = self.algorithm("EncryptionAlgorithm")?;
        let ignore = self.ignores_ciphertext()?;
        let ciphertext = if ignore { Vec::new() } else { self.blob("CiphertextBlob", CIPHERTEXT)? };
        let place = self.source("KeyId", &ciphertext, algorithm)?;
        self.ready(&place, "kms:Decrypt", &context, algorithm)?;
        if ignore {
            self.unless_dry_run()?;
        }
        let opened = self.open(&place, &ciphertext, &context, algorithm)?;
        self.unless_dry_run()?;
        self.used(&place, "Decrypt")?;
        let mut answer = json!({
            "KeyId": self.key(&place)?.arn(),
            "Plaintext": BASE64_STANDARD.encode(opened.plaintext),
            "EncryptionAlgorithm": algorithm.as_str(),
        });
        if let Some(material) = opened.material_id {
            answer["KeyMaterialId"] = json!(material);
            self.context.facts.additional_event_data.insert("keyMaterialId".into(), json!(material));
        }
        Ok(answer)
    }

    pub fn re_encrypt(&mut self) -> Outcome {
        let from_context = self.encryption_context("SourceEncryptionContext")?;
        let to_context = self.encryption_context("DestinationEncryptionContext")?;
        let (from_algorithm, to_algorithm) =
            (self.algorithm("SourceEncryptionAlgorithm")?, self.algorithm("DestinationEncryptionAlgorithm")?);
        let ignore = self.ignores_ciphertext()?;
        let ciphertext = if ignore { Vec::new() } else { self.blob("CiphertextBlob", CIPHERTEXT)? };
        let from = self.source("SourceKeyId", &ciphertext, from_algorithm)?;
        let to = self.find("DestinationKeyId", Naming::KeyOrAlias)?;
        self.ready(&from, "kms:ReEncryptFrom", &from_context, from_algorithm)?;
        self.ready(&to, "kms:ReEncryptTo", &to_context, to_algorithm)?;
        if ignore {
            self.unless_dry_run()?;
        }
        let opened = self.open(&from, &ciphertext, &from_context, from_algorithm)?;
        self.unless_dry_run()?;
        let sealed = self.seal(&to, &opened.plaintext, &to_context, to_algorithm)?;
        self.used(&from, "ReEncrypt")?;
        self.used(&to, "ReEncrypt")?;
        let mut answer = json!({
            "CiphertextBlob": BASE64_STANDARD.encode(sealed),
            "SourceKeyId": self.key(&from)?.arn(),
            "KeyId": self.key(&to)?.arn(),
            "SourceEncryptionAlgorithm": from_algorithm.as_str(),
            "DestinationEncryptionAlgorithm": to_algorithm.as_str(),
        });
        let destination = self.key(&to)?.current().map(|material| material.id.clone());
        for (field, shown, material) in [
            ("SourceKeyMaterialId", "sourceKeyMaterialId", opened.material_id),
            ("DestinationKeyMaterialId", "destinationKeyMaterialId", destination),
        ] {
            if let Some(material) = material {
                answer[field] = json!(material);
                self.context.facts.additional_event_data.insert(shown.into(), json!(material));
            }
        }
        Ok(answer)
    }

    pub fn generate_data_key(&mut self) -> Outcome {
        self.data_key("GenerateDataKey", true)
    }

    pub fn generate_data_key_without_plaintext(&mut self) -> Outcome {
        self.data_key("GenerateDataKeyWithoutPlaintext", false)
    }

    fn data_key(&mut self, operation: &str, with_plaintext: bool) -> Outcome {
        let length = self.data_key_length()?;
        let context = self.encryption_context("EncryptionContext")?;
        let place = self.find("KeyId", Naming::KeyOrAlias)?;
        self.ready(&place, &format!("kms:{operation}"), &context, Algorithm::Symmetric)?;
        self.unless_dry_run()?;
        let mut plaintext = vec![0; length];
        self.context.rng.fill_bytes(&mut plaintext);
        let ciphertext = self.seal(&place, &plaintext, &context, Algorithm::Symmetric)?;
        self.used(&place, operation)?;
        let key = self.key(&place)?;
        let mut answer = json!({ "CiphertextBlob": BASE64_STANDARD.encode(ciphertext), "KeyId": key.arn() });
        if with_plaintext {
            answer["Plaintext"] = json!(BASE64_STANDARD.encode(plaintext));
        }
        if let Some(material) = key.current().map(|material| material.id.clone()) {
            answer["KeyMaterialId"] = json!(material);
            self.context.facts.additional_event_data.insert("keyMaterialId".into(), json!(material));
        }
        Ok(answer)
    }

    fn data_key_length(&self) -> Result<usize, Refusal> {
        let bytes = self.integer("NumberOfBytes", 1, 1024)?;
        match (self.string("KeySpec")?, bytes) {
            (Some("AES_256"), None) => Ok(32),
            (Some("AES_128"), None) => Ok(16),
            (None, Some(bytes)) => Ok(usize::try_from(bytes).unwrap_or(32)),
            (Some("AES_256" | "AES_128"), Some(_)) | (None, None) => {
                Err(Refusal::new("ValidationException", "Please specify either number of bytes or key spec."))
            }
            (Some(other), _) => {
                Err(violation("KeySpec", other, "Member must satisfy enum value set: [AES_256, AES_128]"))
            }
        }
    }

    fn algorithm(&self, name: &str) -> Result<Algorithm, Refusal> {
        Ok(self.word(name, Algorithm::parse)?.unwrap_or(Algorithm::Symmetric))
    }

    /// Whether a dry run asks about the permission alone, without a ciphertext.
    fn ignores_ciphertext(&self) -> Result<bool, Refusal> {
        let ignores = self.strings("DryRunModifiers")?.iter().any(|modifier| modifier == "IGNORE_CIPHERTEXT");
        if ignores && !self.context.facts.dry_run {
            return Err(Refusal::new(
                "ValidationException",
                "DryRunModifiers can be used with DryRun alone.",
            ));
        }
        Ok(ignores)
    }

    /// The key that opens a ciphertext: the one named, which must be the one that made it, or the one that the
    /// ciphertext names itself.
    fn source(&mut self, name: &str, ciphertext: &[u8], algorithm: Algorithm) -> Result<KeyRef, Refusal> {
        let named = match self.string(name)? {
            Some(_) => Some(self.find(name, Naming::KeyOrAlias)?),
            None => None,
        };
        if let Some(place) = named {
            let blob = Blob::parse(ciphertext).filter(|_| algorithm == Algorithm::Symmetric);
            return match blob {
                Some(blob) if blob.key_id != place.id => {
                    let message =
                        "The key ID in the request does not identify a CMK that can perform this operation.";
                    Err(Refusal::new("IncorrectKeyException", message))
                }
                _ => Ok(place),
            };
        }
        if algorithm != Algorithm::Symmetric {
            let message =
                format!("{name} is required when the encryption algorithm is not SYMMETRIC_DEFAULT.");
            return Err(Refusal::new("ValidationException", message));
        }
        let blob = Blob::parse(ciphertext).ok_or_else(invalid_ciphertext)?;
        let place = KeyRef { region: self.call.region.clone(), id: blob.key_id };
        if self.kms.keys.contains_key(&place) {
            self.note_key(&place);
            return Ok(place);
        }
        let message = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
        Err(Refusal::new("AccessDeniedException", message))
    }

    /// Whether this caller may do this with the key, and the key is fit for it now.
    fn ready(
        &mut self,
        place: &KeyRef,
        action: &str,
        context: &EncryptionContext,
        algorithm: Algorithm,
    ) -> Result<(), Refusal> {
        self.authorize(place, action, Some(context))?;
        let key = self.key(place)?;
        Rule::Cryptographic.check(key)?;
        fits(key, action, algorithm)?;
        if algorithm != Algorithm::Symmetric && !context.is_empty() {
            let message = "EncryptionContext is not supported with asymmetric encryption algorithms.";
            return Err(Refusal::new("ValidationException", message));
        }
        let name = algorithm.as_str();
        if let Some(shown) = self
            .context
            .facts
            .request_parameters
            .as_object_mut()
            .filter(|_| action == "kms:Encrypt" || action == "kms:Decrypt")
        {
            shown.insert("encryptionAlgorithm".to_owned(), json!(name));
        }
        Ok(())
    }

    fn seal(
        &mut self,
        place: &KeyRef,
        plaintext: &[u8],
        context: &EncryptionContext,
        algorithm: Algorithm,
    ) -> Result<Vec<u8>, Refusal> {
        // The key and the chance are two parts of the desk, borrowed apart.
        let key = self.kms.keys.get_mut(place).ok_or_else(invalid_ciphertext)?;
        let sealed = match algorithm {
            Algorithm::Symmetric => key.wrap(plaintext, context, self.context.rng),
            Algorithm::Rsa(rsa) => key.rsa_pair().and_then(|pair| pair.encrypt(rsa, plaintext)),
        };
        sealed.map_err(|_| {
            let message = format!(
                "Plaintext is too long for algorithm {} and key spec {}",
                algorithm.as_str(),
                key.spec.as_str()
            );
            Refusal::new("ValidationException", message)
        })
    }

    fn open(
        &mut self,
        place: &KeyRef,
        ciphertext: &[u8],
        context: &EncryptionContext,
        algorithm: Algorithm,
    ) -> Result<Opened, Refusal> {
        let key = self.key_mut(place)?;
        let opened = match algorithm {
            Algorithm::Symmetric => {
                let blob = Blob::parse(ciphertext).ok_or_else(invalid_ciphertext)?;
                let material_id = Some(blob.material_id.clone());
                key.unwrap_blob(&blob, context).map(|plaintext| Opened { plaintext, material_id })
            }
            Algorithm::Rsa(rsa) => key
                .rsa_pair()
                .and_then(|pair| pair.decrypt(rsa, ciphertext))
                .map(|plaintext| Opened { plaintext, material_id: None }),
        };
        opened.map_err(|_| invalid_ciphertext())
    }

    /// Notes the last usage of a key.
    fn used(&mut self, place: &KeyRef, operation: &str) -> Result<(), Refusal> {
        let usage = LastUsage {
            operation: operation.to_owned(),
            at: self.call.at,
            event_id: self.context.facts.event_id.clone(),
            request_id: self.call.request_id.clone(),
        };
        self.key_mut(place)?.last_usage = Some(usage);
        Ok(())
    }
}

/// Whether a key's usage and spec serve this operation and algorithm.
fn fits(key: &Key, action: &str, algorithm: Algorithm) -> Result<(), Refusal> {
    let arn = key.arn();
    let operation = action.trim_start_matches("kms:");
    let message = if key.usage != KeyUsage::EncryptDecrypt {
        format!("{arn} key usage is {} which is not valid for {operation}.", key.usage.as_str())
    } else if operation.starts_with("GenerateDataKey") && key.spec != KeySpec::SymmetricDefault {
        format!("{arn} key spec {} is not valid for {operation}.", key.spec.as_str())
    } else if (key.spec == KeySpec::SymmetricDefault) != (algorithm == Algorithm::Symmetric) {
        format!("Algorithm {} and key spec {} are incompatible.", algorithm.as_str(), key.spec.as_str())
    } else {
        return Ok(());
    };
    Err(Refusal::new("InvalidKeyUsageException", message))
}

/// AWS gives no message with it, lest it help an attacker.
fn invalid_ciphertext() -> Refusal {
    Refusal::new("InvalidCiphertextException", "")
}
