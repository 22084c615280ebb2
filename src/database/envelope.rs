//! The layout of an encrypted column key, seen from outside.

use crate::model::catalog::Envelope;

/// The only version of the common layout.
const VERSION: u8 = 0x01;
/// Version, path length, ciphertext length.
const HEADER: usize = 5;

/// Reads an encrypted value: `0x01 | u16le path length | u16le ciphertext length | key path in UTF-16LE |
/// ciphertext | signature`, both lengths in bytes (the layout of Microsoft's own providers, which others
/// copy). A value of another shape is opaque, which is no error: the provider belongs to the customer, and a
/// bare KMS ciphertext may begin with 0x01 too.
#[must_use]
pub fn read(value: &[u8]) -> Envelope {
    common(value).unwrap_or(Envelope::Opaque { bytes: value.len() })
}

fn common(value: &[u8]) -> Option<Envelope> {
    let (header, rest) = value.split_at_checked(HEADER)?;
    let &[VERSION, path_low, path_high, text_low, text_high] = header else { return None };
    let path_bytes = usize::from(u16::from_le_bytes([path_low, path_high]));
    let ciphertext_bytes = usize::from(u16::from_le_bytes([text_low, text_high]));
    let (path, rest) = rest.split_at_checked(path_bytes)?;
    let signature_bytes = rest.len().checked_sub(ciphertext_bytes)?;
    if path.is_empty() || ciphertext_bytes == 0 {
        return None;
    }
    let key_path = utf16(path).filter(|path| !path.contains('\0'))?.into();
    Some(Envelope::Common { key_path, ciphertext_bytes, signature_bytes })
}

fn utf16(bytes: &[u8]) -> Option<String> {
    if !bytes.len().is_multiple_of(2) {
        return None;
    }
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::model::catalog::Envelope;
    use proptest::prelude::*;

    fn sealed(path: &str, ciphertext: &[u8], signature: &[u8]) -> Vec<u8> {
        let path: Vec<u8> = path.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut value = vec![1];
        value.extend(u16::try_from(path.len()).unwrap().to_le_bytes());
        value.extend(u16::try_from(ciphertext.len()).unwrap().to_le_bytes());
        value.extend(path);
        value.extend(ciphertext);
        value.extend(signature);
        value
    }

    /// Envelopes, signed and not; envelopes with a byte changed, cut short or made longer; lengths that nearly
    /// fit what follows; and any bytes at all.
    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        let bytes = |most: usize| prop::collection::vec(any::<u8>(), 0..most);
        let whole = (".{0,12}", bytes(40), bytes(40)).prop_map(|(p, c, s)| sealed(&p, &c, &s));
        let spoilt =
            (whole.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut v, at, byte)| {
                let at = at.index(v.len());
                v[at] = byte;
                v
            });
        let cut = (whole.clone(), any::<prop::sample::Index>()).prop_map(|(mut v, at)| {
            v.truncate(at.index(v.len()));
            v
        });
        let nearly = (0..24_u8, 0..24_u8, bytes(48))
            .prop_map(|(path, text, rest)| [&[1, path, 0, text, 0][..], &rest].concat());
        prop_oneof![whole, spoilt, cut, nearly, bytes(600)]
    }

    #[test]
    fn a_bare_kms_ciphertext_that_begins_with_one_is_opaque() {
        // KMS ciphertexts begin 01 02 02 00 …: read as an envelope, the path would be 514 bytes long.
        let mut bare = vec![0x01, 0x02, 0x02, 0x00, 0x78];
        bare.extend([7; 180]);
        assert_eq!(read(&bare), Envelope::Opaque { bytes: 185 });
    }

    #[test]
    fn lengths_count_bytes_not_characters() {
        let value = sealed("key/a", &[9; 4], &[]);
        assert_eq!(value[1], 10);
        assert_eq!(
            read(&value),
            Envelope::Common { key_path: "key/a".into(), ciphertext_bytes: 4, signature_bytes: 0 }
        );
    }

    proptest! {
        #[test]
        fn what_was_sealed_is_read_back(
            path in "[^\0]{1,40}", ciphertext in prop::collection::vec(any::<u8>(), 1..300), signature in prop::collection::vec(any::<u8>(), 0..260),
        ) {
            prop_assert_eq!(read(&sealed(&path, &ciphertext, &signature)), Envelope::Common {
                key_path: path.into(), ciphertext_bytes: ciphertext.len(), signature_bytes: signature.len(),
            });
        }

        #[test]
        fn any_bytes_are_read_and_every_byte_is_accounted_for(value in prop::collection::vec(any::<u8>(), 0..600)) {
            match read(&value) {
                Envelope::Opaque { bytes } => prop_assert_eq!(bytes, value.len()),
                Envelope::Common { key_path, ciphertext_bytes, signature_bytes } => {
                    let path = 2 * key_path.raw().encode_utf16().count();
                    prop_assert_eq!(5 + path + ciphertext_bytes + signature_bytes, value.len());
                }
            }
        }

        /// `mssql-auth` reads what Microsoft's clients open, which is always signed and may name any path. So:
        /// where it finds an envelope, we find the same, or call it opaque for an empty part or a path that is
        /// no text; and where it refuses, we find an envelope only if nothing but the signature is missing.
        #[test]
        fn another_reader_of_envelopes_agrees(value in any_value()) {
            use mssql_auth::cek_envelope::parse;
            match (read(&value), parse(&value)) {
                (Envelope::Common { key_path, ciphertext_bytes, signature_bytes }, Ok(theirs)) => {
                    prop_assert_eq!(theirs.ciphertext.len(), ciphertext_bytes);
                    prop_assert_eq!(theirs.signature.len(), signature_bytes);
                    let signed = mssql_auth::cek_envelope::build_signed_portion(key_path.raw(), theirs.ciphertext);
                    prop_assert_eq!(signed, theirs.signed_portion);
                }
                (Envelope::Common { signature_bytes, .. }, Err(_)) => prop_assert_eq!(signature_bytes, 0),
                (Envelope::Opaque { bytes }, Ok(theirs)) => {
                    prop_assert_eq!(bytes, value.len());
                    let path = &theirs.signed_portion[5..theirs.signed_portion.len() - theirs.ciphertext.len()];
                    let is_text = super::utf16(path).is_some_and(|path| !path.is_empty() && !path.contains('\0'));
                    prop_assert!(theirs.ciphertext.is_empty() || !is_text);
                }
                (Envelope::Opaque { bytes }, Err(_)) => prop_assert_eq!(bytes, value.len()),
            }
        }

        #[test]
        fn a_truncated_envelope_is_opaque(path in "[a-z]{1,20}", cut in 1usize..40) {
            let mut value = sealed(&path, &[5; 39], &[]);
            value.truncate(value.len() - cut);
            prop_assert_eq!(read(&value), Envelope::Opaque { bytes: value.len() });
        }
    }
}
