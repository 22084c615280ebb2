//! Pre-login and LOGIN7: what a client says before it may say anything.

use super::reader::{Malformed, Reader};
use super::types::from_utf16;

/// TDS 7.3.B, the oldest that we speak: it brought datetime2 and null-compressed rows.
const OLDEST_TDS: u32 = 0x730B_0003;
/// TDS 7.4.
const TDS_7_4: u32 = 0x7400_0004;
/// TDS 8.0.
const TDS_8_0: u32 = 0x0800_0000;

/// What a side says about encryption in pre-login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Only the login is encrypted.
    Off,
    On,
    NotSupported,
    Required,
}

impl Encryption {
    fn from_byte(byte: u8) -> Result<Self, Malformed> {
        // The high bit announces a client certificate, which we never ask for.
        match byte & 0x7F {
            0 => Ok(Self::Off),
            1 => Ok(Self::On),
            2 => Ok(Self::NotSupported),
            // Beyond 3 it is TDS 8.0 that is spoken of, where the answer no longer matters.
            3..=8 => Ok(Self::Required),
            _ => Err(Malformed("unknown encryption in pre-login")),
        }
    }

    /// What the server, which can but need not encrypt, answers.
    pub fn answer(self) -> Self {
        match self {
            Self::Required => Self::On,
            other => other,
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::NotSupported => 2,
            Self::Required => 3,
        }
    }
}

/// A client's pre-login message, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prelogin {
    pub encryption: Encryption,
    /// The client asked about federated authentication, and so must be told.
    pub federated: bool,
}

impl Prelogin {
    /// Reads a pre-login message.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut prelogin = Self { encryption: Encryption::NotSupported, federated: false };
        let mut options = Reader::new(body);
        loop {
            let token = options.u8()?;
            if token == 0xFF {
                return Ok(prelogin);
            }
            let (offset, length) = (options.u16_be()?, options.u16_be()?);
            if token == 1 && length >= 1 {
                let byte = body.get(usize::from(offset)).ok_or(Malformed("a pre-login option is missing"))?;
                prelogin.encryption = Encryption::from_byte(*byte)?;
            }
            prelogin.federated |= token == 6;
        }
    }
}

/// The server's pre-login: its version, encryption, instance fine, no MARS, and, only where the client
/// asked, no federated authentication.
pub fn write_prelogin(version: [u8; 6], prelogin: Prelogin) -> Vec<u8> {
    let options: [(u8, &[u8]); 6] =
        [(0, &version), (1, &[prelogin.encryption.byte()]), (2, &[0]), (3, &[]), (4, &[0]), (6, &[0])];
    let options = &options[..if prelogin.federated { 6 } else { 5 }];
    let mut table = Vec::new();
    let mut data = Vec::new();
    for &(token, value) in options {
        let offset = options.len() * 5 + 1 + data.len();
        table.push(token);
        table.extend(u16::try_from(offset).unwrap_or(u16::MAX).to_be_bytes());
        table.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        data.extend_from_slice(value);
    }
    table.push(0xFF);
    table.extend(data);
    table
}

/// A LOGIN7 message.
#[derive(Clone, PartialEq, Eq)]
pub struct Login7 {
    pub tds_version: u32,
    pub packet_size: usize,
    pub host: String,
    pub user: String,
    pub password: String,
    pub application: String,
    pub database: String,
    /// Windows authentication was asked for, which needs a domain that we do not have.
    pub integrated: bool,
    /// The feature extensions asked for, by id; `None` where the client knows none.
    pub features: Option<Vec<u8>>,
}

impl std::fmt::Debug for Login7 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login7").field("user", &self.user).field("host", &self.host).finish_non_exhaustive()
    }
}

impl Login7 {
    /// Reads a LOGIN7 message.
    pub fn read(body: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Reader::new(body);
        let length = fields.length32()?;
        let body = body.get(..length).ok_or(Malformed("LOGIN7 is shorter than it says"))?;
        let tds_version = fields.u32()?;
        let packet_size = fields.length32()?;
        // Program version, process id, connection id, flags 1, flags 2, type flags, flags 3, time zone, locale.
        fields.take(12)?;
        let (_, flags2, _, flags3) = (fields.u8()?, fields.u8()?, fields.u8()?, fields.u8()?);
        fields.take(8)?;
        let host = text(body, &mut fields)?;
        let user = text(body, &mut fields)?;
        let password = reveal(slice(body, &mut fields)?);
        let application = text(body, &mut fields)?;
        let _server = slice(body, &mut fields)?;
        let (extension_at, _) = (fields.u16()?, fields.u16()?);
        let _library = slice(body, &mut fields)?;
        let _language = slice(body, &mut fields)?;
        let database = text(body, &mut fields)?;
        let features = (flags3 & 0x10 != 0).then(|| read_features(body, extension_at)).transpose()?;
        let integrated = flags2 & 0x80 != 0;
        Ok(Self {
            tds_version,
            packet_size,
            host,
            user,
            password,
            application,
            database,
            integrated,
            features,
        })
    }

    /// The TDS version for this connection: the client's, 7.4 at most; `None` where the client's is too old.
    pub fn negotiated_version(&self, strict: bool) -> Option<u32> {
        match self.tds_version {
            TDS_8_0 if strict => Some(TDS_8_0),
            version if version >= TDS_7_4 => Some(TDS_7_4),
            version if version >= OLDEST_TDS => Some(version),
            _ => None,
        }
    }
}

/// An offset and a length in UTF-16 units, and what they point to.
fn slice<'a>(body: &'a [u8], fields: &mut Reader) -> Result<&'a [u8], Malformed> {
    let (offset, units) = (usize::from(fields.u16()?), usize::from(fields.u16()?));
    if units == 0 {
        return Ok(&[]);
    }
    body.get(offset..offset + 2 * units).ok_or(Malformed("a LOGIN7 field lies outside of the message"))
}

fn text(body: &[u8], fields: &mut Reader) -> Result<String, Malformed> {
    slice(body, fields).map(from_utf16)
}

/// Undoes the protocol's thin veil over the password: XOR with 0xA5, then swapped nibbles.
fn reveal(veiled: &[u8]) -> String {
    let bytes: Vec<u8> = veiled.iter().map(|byte| (byte ^ 0xA5).rotate_left(4)).collect();
    from_utf16(&bytes)
}

/// The feature ids behind the extension pointer.
fn read_features(body: &[u8], pointer: u16) -> Result<Vec<u8>, Malformed> {
    let outside = Malformed("the feature extension lies outside of the message");
    let at = Reader::new(body.get(usize::from(pointer)..).ok_or(outside.clone())?).length32()?;
    let mut features = Reader::new(body.get(at..).ok_or(outside)?);
    let mut ids = Vec::new();
    loop {
        match features.u8()? {
            0xFF => return Ok(ids),
            id => {
                ids.push(id);
                let length = features.length32()?;
                features.take(length)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn arbitrary_messages_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Prelogin::read(&bytes);
            let _ = Login7::read(&bytes);
            let mut long_enough = u32::try_from(bytes.len()).unwrap().to_le_bytes().to_vec();
            long_enough.extend(&bytes);
            let _ = Login7::read(&long_enough);
        }
    }

    #[test]
    fn the_password_is_revealed() {
        // "aB" veiled: swap the nibbles of each byte, then XOR with 0xA5.
        assert_eq!(reveal(&[0x16 ^ 0xA5, 0xA5, 0x24 ^ 0xA5, 0xA5]), "aB");
    }

    #[test]
    fn our_prelogin_is_read_back() {
        for encryption in [Encryption::Off, Encryption::On, Encryption::NotSupported] {
            for federated in [false, true] {
                let prelogin = Prelogin { encryption, federated };
                assert_eq!(Prelogin::read(&write_prelogin([15, 0, 0, 0, 0, 0], prelogin)), Ok(prelogin));
            }
        }
    }
}
