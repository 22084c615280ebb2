//! Fault switches that tests and drills flip: what can go wrong between a client and AWS or SQL Server.

use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The switches, shared by the whole simulator. Nothing is wrong by default.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Fault>>>);

/// One thing that goes wrong, until it is taken back or its count has run out.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which calls it hits.
    pub on: Target,
    /// What happens to them.
    pub effect: Effect,
    /// How many more calls it hits; `None` for all until it is cleared.
    pub times: Option<u32>,
}

/// Which calls a fault hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every AWS call.
    Aws,
    /// Every call of one AWS operation, e.g. `DescribeKey`.
    Operation(String),
    /// One operation on the key with this id.
    Key { operation: String, key_id: String },
    /// Every AWS call in one Region.
    Region(String),
    /// Every connection and statement of one SQL server (its name), or of all.
    Sql(Option<String>),
    /// Every SQL statement whose text contains these words, upper and lower case alike.
    Statement(String),
}

/// What a fault does to a call that it hits.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// The answer comes later by this much.
    Latency(Duration),
    /// HTTP 400 `ThrottlingException`, for this share of calls (0 to 1, drawn from the seed).
    Throttle(f64),
    /// No answer ever; the call was not carried out.
    Timeout,
    /// No answer ever, though the call *was* carried out.
    TimeoutAfter,
    /// The connection breaks before the call is carried out.
    ConnectionLoss,
    /// The connection breaks after the call was carried out.
    ConnectionLossAfter,
    /// HTTP 400 `AccessDeniedException`; over SQL, error 229.
    AccessDenied,
    /// HTTP 500 `KMSInternalException` or the service's own like.
    ServerError,
    /// SQL: catalog rows are hidden as a missing VIEW ANY … DEFINITION permission hides them.
    HiddenCatalog,
    /// SQL: the login is refused (18456).
    LoginRefused,
}

impl Faults {
    /// Adds a fault.
    pub fn add(&self, fault: Fault) {
        self.lock().push(fault);
    }

    /// Adds several faults.
    pub fn add_all(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().extend(faults);
    }

    /// Takes every fault back.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The effects, in the order they were added, of every fault that `hits` names; each counts one hit.
    pub fn take(&self, hits: impl Fn(&Target) -> bool) -> Vec<Effect> {
        self.take_where(|fault| hits(&fault.on))
    }

    /// As [`Faults::take`], for those who choose by the effect, too.
    pub fn take_where(&self, hits: impl Fn(&Fault) -> bool) -> Vec<Effect> {
        let mut faults = self.lock();
        let effects = faults
            .iter_mut()
            .filter(|fault| hits(fault) && fault.times != Some(0))
            .map(|fault| {
                fault.times = fault.times.map(|left| left - 1);
                fault.effect.clone()
            })
            .collect();
        faults.retain(|fault| fault.times != Some(0));
        effects
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Fault>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
