//! Key material, and the ciphertexts made with it: AES-256-GCM for symmetric keys, RSA-OAEP for RSA keys.

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, PrivateDecryptingKey,
};
use jiff::Timestamp;
use rand::RngCore as _;
use rand::rngs::StdRng;

use super::key::{Key, KeySpec};

/// An encryption context: bound to a ciphertext as additional authenticated data.
pub type EncryptionContext = BTreeMap<String, String>;

/// One backing key of a symmetric KMS key.
#[derive(Clone)]
pub struct Material {
    /// 64 hexadecimal digits, as AWS gives them.
    pub id: String,
    secret: [u8; 32],
    /// When imported material expires; `None` for never.
    pub valid_to: Option<Timestamp>,
    /// `KeyMaterialDescription`, of imported material alone.
    pub description: Option<String>,
}

impl Material {
    pub(super) fn new(rng: &mut StdRng) -> Self {
        let mut secret = [0; 32];
        rng.fill_bytes(&mut secret);
        Self { id: super::key::random_hex(32, rng), secret, valid_to: None, description: None }
    }

    /// `ExpirationModel`, of imported material.
    pub(super) fn expiration_model(&self) -> &'static str {
        if self.valid_to.is_some() { "KEY_MATERIAL_EXPIRES" } else { "KEY_MATERIAL_DOES_NOT_EXPIRE" }
    }

    fn cipher(&self) -> Result<LessSafeKey, CryptoError> {
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &self.secret)?))
    }
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Cryptography said no: a wrong context, a changed ciphertext, a plaintext too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cryptographic operation failed")]
pub struct CryptoError;

impl From<aws_lc_rs::error::Unspecified> for CryptoError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self
    }
}

/// What a symmetric ciphertext says about itself before it is opened.
///
/// AWS's own format is opaque; ours keeps its first five bytes (`AQICAHh` in base64, as every KMS ciphertext
/// begins) and then names the key and the material, as AWS's must, because Decrypt needs no `KeyId`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub key_id: String,
    pub material_id: String,
    nonce: [u8; NONCE_LEN],
    sealed: Vec<u8>,
}

const MAGIC: [u8; 5] = [0x01, 0x02, 0x02, 0x00, 0x78];
const PLAIN_KEY: u8 = 0;
const MULTI_REGION_KEY: u8 = 1;
const HEADER: usize = MAGIC.len() + 1 + 16 + 32;

impl Blob {
    /// Reads a ciphertext; `None` if it is not one of ours.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (&kind, rest) = rest.split_first()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (material, rest) = rest.split_first_chunk::<32>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        let key_id = match kind {
            PLAIN_KEY => uuid::Uuid::from_bytes(*id).to_string(),
            MULTI_REGION_KEY => format!("mrk-{}", hex::encode(id)),
            _ => return None,
        };
        Some(Self { key_id, material_id: hex::encode(material), nonce: *nonce, sealed: sealed.to_vec() })
    }

    fn header(key_id: &str, material_id: &str) -> Result<Vec<u8>, CryptoError> {
        let (kind, digits) = match key_id.strip_prefix("mrk-") {
            Some(digits) => (MULTI_REGION_KEY, digits.to_owned()),
            None => (PLAIN_KEY, key_id.replace('-', "")),
        };
        let mut header = Vec::with_capacity(HEADER);
        header.extend_from_slice(&MAGIC);
        header.push(kind);
        header.extend(hex::decode(digits).map_err(|_| CryptoError)?);
        header.extend(hex::decode(material_id).map_err(|_| CryptoError)?);
        if header.len() == HEADER { Ok(header) } else { Err(CryptoError) }
    }
}

/// The context in an unambiguous form: each string behind its length, in the order of the keys.
fn associated_data(context: &EncryptionContext) -> Vec<u8> {
    let mut data = Vec::new();
    for word in context.iter().flat_map(|(key, value)| [key, value]) {
        data.extend((word.len() as u64).to_be_bytes());
        data.extend(word.as_bytes());
    }
    data
}

impl Key {
    /// Encrypts with the key's current material, bound to `context`. RSA keys take no context and use
    /// RSAES-OAEP with SHA-256; their pair is made on first use.
    ///
    /// # Errors
    ///
    /// If the key has no material, does not encrypt, or the plaintext is too long for it.
    pub fn wrap(
        &mut self,
        plaintext: &[u8],
        context: &EncryptionContext,
        rng: &mut StdRng,
    ) -> Result<Vec<u8>, CryptoError> {
        if self.spec != KeySpec::SymmetricDefault {
            return self.rsa_pair()?.encrypt(RsaAlgorithm::OaepSha256, plaintext);
        }
        let material = self.current().ok_or(CryptoError)?;
        let mut blob = Blob::header(&self.id, &material.id)?;
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        blob.extend(nonce);
        let mut sealed = plaintext.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        material.cipher()?.seal_in_place_append_tag(
            nonce,
            Aad::from(associated_data(context)),
            &mut sealed,
        )?;
        blob.extend(sealed);
        Ok(blob)
    }

    /// Opens what [`Key::wrap`] made with a symmetric key, whichever of its materials made it.
    ///
    /// # Errors
    ///
    /// If the material is gone, the context differs, or the ciphertext was changed.
    pub fn unwrap_blob(&self, blob: &Blob, context: &EncryptionContext) -> Result<Vec<u8>, CryptoError> {
        let material =
            self.materials.iter().find(|material| material.id == blob.material_id).ok_or(CryptoError)?;
        let mut buffer = blob.sealed.clone();
        let nonce = Nonce::assume_unique_for_key(blob.nonce);
        let plaintext =
            material.cipher()?.open_in_place(nonce, Aad::from(associated_data(context)), &mut buffer)?;
        Ok(plaintext.to_vec())
    }

    /// The key's RSA pair, made now if it was never needed before.
    ///
    /// # Errors
    ///
    /// If this is no RSA key.
    pub fn rsa_pair(&mut self) -> Result<&RsaPair, CryptoError> {
        if self.rsa.is_none() {
            self.rsa = Some(RsaPair::generate(self.spec)?);
        }
        self.rsa.as_ref().ok_or(CryptoError)
    }
}

/// The RSA encryption algorithms of KMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RsaAlgorithm {
    OaepSha1,
    OaepSha256,
}

impl RsaAlgorithm {
    fn oaep(self) -> &'static OaepAlgorithm {
        match self {
            Self::OaepSha1 => &OAEP_SHA1_MGF1SHA1,
            Self::OaepSha256 => &OAEP_SHA256_MGF1SHA256,
        }
    }
}

/// An RSA key pair. Its making does not follow the seed: the crypto library draws its own chance.
pub struct RsaPair {
    pkcs8: Vec<u8>,
}

impl RsaPair {
    fn generate(spec: KeySpec) -> Result<Self, CryptoError> {
        let size = match spec {
            KeySpec::Rsa2048 => KeySize::Rsa2048,
            KeySpec::Rsa3072 => KeySize::Rsa3072,
            KeySpec::Rsa4096 => KeySize::Rsa4096,
            _ => return Err(CryptoError),
        };
        let private = PrivateDecryptingKey::generate(size)?;
        let pkcs8: Pkcs8V1Der<'_> = private.as_der()?;
        Ok(Self { pkcs8: pkcs8.as_ref().to_vec() })
    }

    fn private(&self) -> Result<PrivateDecryptingKey, CryptoError> {
        PrivateDecryptingKey::from_pkcs8(&self.pkcs8).map_err(|_| CryptoError)
    }

    /// Encrypts with the public half.
    ///
    /// # Errors
    ///
    /// If the plaintext is too long for the modulus.
    pub fn encrypt(&self, algorithm: RsaAlgorithm, plaintext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let public = OaepPublicEncryptingKey::new(self.private()?.public_key())?;
        let mut ciphertext = vec![0; public.ciphertext_size()];
        let length = public.encrypt(algorithm.oaep(), plaintext, &mut ciphertext, None)?.len();
        ciphertext.truncate(length);
        Ok(ciphertext)
    }

    /// Decrypts with the private half.
    ///
    /// # Errors
    ///
    /// If the ciphertext was not made for this pair and algorithm.
    pub fn decrypt(&self, algorithm: RsaAlgorithm, ciphertext: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let private = OaepPrivateDecryptingKey::new(self.private()?)?;
        let mut plaintext = vec![0; private.min_output_size()];
        let length = private.decrypt(algorithm.oaep(), ciphertext, &mut plaintext, None)?.len();
        plaintext.truncate(length);
        Ok(plaintext)
    }
}

impl std::fmt::Debug for RsaPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RsaPair")
    }
}
