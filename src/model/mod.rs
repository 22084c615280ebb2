//! What a key, pair, state, age, event, plan *is*. Pure: no I/O and no clock; a time is passed in.

pub mod age;
pub mod arn;
pub mod aspect;
pub mod catalog;
pub mod column;
pub mod dependents;
pub mod duty;
pub mod event;
pub mod key;
pub mod operation;
pub mod pair;
pub mod particulars;
pub mod plan;
pub mod policy;
pub mod protected;
pub mod rotation;
pub mod seen;
pub mod selector;
mod sentence;
pub mod source;
pub mod text;
pub mod usage;

/// A validated incident id: what an operator calls the incident, e.g. `INC-2026-0142`.
///
/// 1–64 characters of `[A-Za-z0-9._-]`, beginning with a letter or digit: it becomes a file name, a role
/// session name and a message subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IncidentId(String);

/// Why a text is no incident id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no incident id: it takes 1–64 letters, digits, dots, dashes and underscores, and begins with a letter or digit", text::visible(.0))]
pub struct BadIncidentId(String);

impl IncidentId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IncidentId {
    type Error = BadIncidentId;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fits = (1..=64).contains(&id.len())
            && id.chars().all(allowed)
            && id.starts_with(|c: char| c.is_ascii_alphanumeric());
        if fits { Ok(Self(id)) } else { Err(BadIncidentId(id)) }
    }
}

impl std::str::FromStr for IncidentId {
    type Err = BadIncidentId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        Self::try_from(id.to_owned())
    }
}

impl From<IncidentId> for String {
    fn from(id: IncidentId) -> Self {
        id.0
    }
}

impl std::fmt::Display for IncidentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::IncidentId;

    #[test]
    fn an_incident_id_is_safe_as_a_file_name() {
        for good in ["INC-2026-0142", "a", "7.x_y"] {
            assert!(good.parse::<IncidentId>().is_ok(), "{good}");
        }
        for bad in ["", "../etc", ".hidden", "a b", "a/b", "a\u{1b}", &"x".repeat(65)] {
            assert!(bad.parse::<IncidentId>().is_err(), "{bad}");
        }
    }
}
