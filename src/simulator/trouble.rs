//! Faults that can be asked for by a word, on the command line: a part of the estate that cannot be read.

use std::fmt;
use std::str::FromStr;

use super::faults::{Effect, Fault, Target};
use super::seed::{HOME, REPLICA};
use super::world::World;

/// A part of the estate that cannot be read, as somebody asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The SQL server (or every one) breaks off each connection.
    DeadSql(Option<String>),
    /// The SQL server (or every one) hides its catalog, as a missing permission does.
    HiddenCatalog(Option<String>),
    /// The Region never answers.
    SilentRegion(String),
}

/// Every form, for the help.
pub const FORMS: &str = "dead-sql[=SERVER], hidden-catalog[=SERVER], silent-region=REGION";

/// Why a fault cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTrouble {
    #[error("`{0}` is no fault; there are: {FORMS}")]
    Unknown(String),
    #[error("there is no SQL server `{0}` in this account; there are: {1}")]
    NoServer(String, String),
    #[error("the account keeps nothing in the Region `{0}`; it is in {HOME} and {REPLICA}")]
    NoRegion(String),
}

impl FromStr for Trouble {
    type Err = NoTrouble;

    fn from_str(text: &str) -> Result<Self, NoTrouble> {
        let (word, of) = text.split_once('=').map_or((text, None), |(word, of)| (word, Some(of.to_owned())));
        match (word, of) {
            ("dead-sql", server) => Ok(Self::DeadSql(server)),
            ("hidden-catalog", server) => Ok(Self::HiddenCatalog(server)),
            ("silent-region", Some(region)) if !region.is_empty() => Ok(Self::SilentRegion(region)),
            _ => Err(NoTrouble::Unknown(text.escape_debug().to_string())),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, of) = match self {
            Self::DeadSql(server) => ("dead-sql", server.as_ref()),
            Self::HiddenCatalog(server) => ("hidden-catalog", server.as_ref()),
            Self::SilentRegion(region) => ("silent-region", Some(region)),
        };
        f.write_str(word)?;
        of.map_or(Ok(()), |of| write!(f, "={of}"))
    }
}

impl Trouble {
    /// The fault that it is in this account. A server may be named by what stands before its first dot.
    ///
    /// # Errors
    /// Where the account has no such server or Region.
    pub fn fault(&self, world: &World) -> Result<Fault, NoTrouble> {
        let (on, effect) = match self {
            Self::DeadSql(server) => (on_server(server.as_deref(), world)?, Effect::ConnectionLoss),
            Self::HiddenCatalog(server) => (on_server(server.as_deref(), world)?, Effect::HiddenCatalog),
            Self::SilentRegion(region) if [HOME, REPLICA].contains(&region.as_str()) => {
                (Target::Region(region.clone()), Effect::Timeout)
            }
            Self::SilentRegion(region) => return Err(NoTrouble::NoRegion(region.escape_debug().to_string())),
        };
        Ok(Fault { on, effect, times: None })
    }
}

fn on_server(wanted: Option<&str>, world: &World) -> Result<Target, NoTrouble> {
    let Some(wanted) = wanted else { return Ok(Target::Sql(None)) };
    let mut names = world.sql.iter().map(|server| &server.name);
    let found = names.find(|name| *name == wanted || name.split('.').next() == Some(wanted));
    found.map(|name| Target::Sql(Some(name.clone()))).ok_or_else(|| {
        let all: Vec<&str> = world.sql.iter().map(|server| server.name.as_str()).collect();
        NoTrouble::NoServer(wanted.escape_debug().to_string(), all.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::{NoTrouble, Trouble};
    use crate::simulator::faults::{Effect, Fault, Target};
    use crate::simulator::seed;

    #[test]
    fn a_word_becomes_a_fault_of_this_account_or_says_what_there_is() {
        let world = seed::buzz_tutor(7, "2026-05-04T12:00:00Z".parse().unwrap());
        let fault = |word: &str| word.parse::<Trouble>().and_then(|trouble| trouble.fault(&world));
        let staging = Target::Sql(Some("buzz-staging-1.sim.internal".into()));
        let forever = |on, effect| Ok(Fault { on, effect, times: None });
        assert_eq!(fault("dead-sql"), forever(Target::Sql(None), Effect::ConnectionLoss));
        assert_eq!(fault("dead-sql=buzz-staging-1"), forever(staging.clone(), Effect::ConnectionLoss));
        assert_eq!(
            fault("hidden-catalog=buzz-staging-1.sim.internal"),
            forever(staging, Effect::HiddenCatalog)
        );
        let replica = Target::Region(seed::REPLICA.into());
        assert_eq!(fault(&format!("silent-region={}", seed::REPLICA)), forever(replica, Effect::Timeout));
        for nonsense in ["", "silent-region", "silent-region=", "dead-sq\u{1b}l", "=", "dead"] {
            assert!(matches!(fault(nonsense), Err(NoTrouble::Unknown(_))), "{nonsense:?}");
        }
        assert!(fault("silent-region=mars-1").unwrap_err().to_string().contains(seed::HOME));
        assert!(fault("dead-sql=oracle").unwrap_err().to_string().contains("buzz-prod-1.sim.internal"));
        assert!(!fault("dead-sql=\u{1b}[2J").unwrap_err().to_string().contains('\u{1b}'));
    }

    #[test]
    fn it_is_written_as_it_is_read() {
        for word in ["dead-sql", "dead-sql=a", "hidden-catalog", "silent-region=eu-west-1"] {
            assert_eq!(word.parse::<Trouble>().unwrap().to_string(), word);
        }
    }
}
