//! AWS names of keys and aliases, and the key paths in which SQL Server keeps them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::Untrusted;

/// The ARN of a KMS key: `arn:PARTITION:kms:REGION:ACCOUNT:key/KEY-ID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyArn {
    /// Shared: an inventory has the same ARN in many places.
    text: Arc<str>,
    region: Part,
    account: Part,
    id: u16,
}

/// The ARN of a KMS alias: `arn:PARTITION:kms:REGION:ACCOUNT:alias/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AliasArn {
    text: Arc<str>,
    region: Part,
    account: Part,
    name: u16,
}

/// Why a text is no ARN of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the ARN of a KMS {wanted}", super::text::visible(.text))]
pub struct BadArn {
    text: String,
    wanted: &'static str,
}

/// Where a part begins and ends in its text. SQL Server's longest key path has 4,000 characters.
type Part = (u16, u16);

fn part(text: &str, (from, to): Part) -> &str {
    &text[usize::from(from)..usize::from(to)]
}

/// Where the parts of `arn:PARTITION:kms:REGION:ACCOUNT:PREFIX REST` stand in it.
fn split(text: &str, prefix: &str) -> Option<(Part, Part, u16)> {
    let mut at = 0;
    let mut parts = [(0_usize, 0_usize); 5];
    for part in &mut parts {
        let end = at + text[at..].find(':')?;
        *part = (at, end);
        at = end + 1;
    }
    let [scheme, partition, service, region, account] = parts;
    let word = |(from, to): (usize, usize)| &text[from..to];
    let plain = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let fits = word(scheme).eq_ignore_ascii_case("arn")
        && plain(word(partition))
        && word(service).eq_ignore_ascii_case("kms")
        && plain(word(region))
        && word(account).len() == 12
        && word(account).bytes().all(|b| b.is_ascii_digit())
        && text.get(at..at + prefix.len()).is_some_and(|p| p.eq_ignore_ascii_case(prefix))
        && text.len() > at + prefix.len();
    let short = |at: usize| u16::try_from(at).ok();
    let place = |(from, to): (usize, usize)| Some((short(from)?, short(to)?));
    if fits { Some((place(region)?, place(account)?, short(at + prefix.len())?)) } else { None }
}

impl KeyArn {
    /// The ARN as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The Region, e.g. `eu-west-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        part(&self.text, self.region)
    }

    /// The owning account's 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        part(&self.text, self.account)
    }

    /// The key id: a UUID, or `mrk-` and 32 hex digits for a multi-Region key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.text[usize::from(self.id)..]
    }
}

impl FromStr for KeyArn {
    type Err = BadArn;

    fn from_str(text: &str) -> Result<Self, BadArn> {
        let bad = || BadArn { text: text.to_owned(), wanted: "key" };
        let (region, account, id) = split(text, "key/").ok_or_else(bad)?;
        if !text[usize::from(id)..].bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(bad());
        }
        // A key ARN is lower case throughout; SQL Server's envelopes and some tools change the case.
        Ok(Self { text: text.to_ascii_lowercase().into(), region, account, id })
    }
}

impl AliasArn {
    /// The ARN as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The Region, e.g. `eu-west-1`.
    #[must_use]
    pub fn region(&self) -> &str {
        part(&self.text, self.region)
    }

    /// The owning account's 12 digits.
    #[must_use]
    pub fn account(&self) -> &str {
        part(&self.text, self.account)
    }

    /// The alias without its `alias/` prefix, e.g. `buzz-tutor/user-data`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[usize::from(self.name)..]
    }
}

impl FromStr for AliasArn {
    type Err = BadArn;

    fn from_str(text: &str) -> Result<Self, BadArn> {
        let (region, account, name) =
            split(text, "alias/").ok_or_else(|| BadArn { text: text.to_owned(), wanted: "alias" })?;
        Ok(Self { text: text.into(), region, account, name })
    }
}

macro_rules! text_forms {
    ($($arn:ty),*) => {$(
        impl TryFrom<String> for $arn {
            type Error = BadArn;
            fn try_from(text: String) -> Result<Self, BadArn> {
                text.parse()
            }
        }
        impl From<$arn> for String {
            fn from(arn: $arn) -> Self {
                arn.text.as_ref().to_owned()
            }
        }
        impl fmt::Display for $arn {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                super::text::visible(&self.text).fmt(f)
            }
        }
    )*};
}
text_forms!(KeyArn, AliasArn);

/// What a column master key's `key_path` names, told by its shape and not by the provider's name, which is free text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPath {
    Key(KeyArn),
    Alias(AliasArn),
    /// No KMS ARN: a certificate store, a vault URL, a mistake.
    Other(Untrusted),
}

impl KeyPath {
    /// Reads a key path; surrounding blanks are passed over.
    #[must_use]
    pub fn read(path: &str) -> Self {
        let path = path.trim();
        path.parse()
            .map(Self::Key)
            .or_else(|_| path.parse().map(Self::Alias))
            .unwrap_or_else(|_| Self::Other(path.into()))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(arn) => arn.fmt(f),
            Self::Alias(arn) => arn.fmt(f),
            Self::Other(path) => path.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AliasArn, KeyArn, KeyPath};
    use proptest::prelude::*;

    #[test]
    fn a_key_arn_gives_its_parts() {
        let arn: KeyArn =
            "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab".parse().unwrap();
        assert_eq!(
            (arn.region(), arn.account(), arn.id()),
            ("eu-west-1", "111122223333", "1234abcd-12ab-34cd-56ef-1234567890ab")
        );
    }

    #[test]
    fn an_alias_keeps_its_case_and_slashes() {
        let arn: AliasArn = "arn:aws:kms:eu-west-1:111122223333:alias/Buzz/User-Data".parse().unwrap();
        assert_eq!(arn.name(), "Buzz/User-Data");
    }

    #[test]
    fn other_shapes_are_other_paths() {
        for path in [
            "",
            "CurrentUser/My/0123ABCD",
            "https://buzz.vault.azure.net/keys/cmk/1",
            "arn:aws:s3:::bucket",
            "arn:aws:kms:eu-west-1:1111:key/x",
            "arn:aws:kms:eu-west-1:111122223333:key/",
        ] {
            assert!(matches!(KeyPath::read(path), KeyPath::Other(_)), "{path}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(path in any::<String>()) {
            let _ = KeyPath::read(&path);
        }

        #[test]
        fn arn_like_text_never_panics(path in "(?i)arn:aws:kms:[^:]{0,4}:[0-9é]{10,13}:k?e?y?/?.{0,4}") {
            let _ = KeyPath::read(&path);
        }
    }
}
