//! A simulated AWS account and SQL Server, on the wire.
//!
//! A house of its own: it uses none of portcullis' other rooms, so that a mistake in our client
//! code cannot be repeated here unseen. In process it needs no port ([`Simulator::http`] and
//! [`Simulator::sql`] are handed to the SDK and to the TDS client); on loopback
//! other clients judge it.

pub mod aws;
pub mod clock;
pub mod faults;
pub mod sql;
pub mod world;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clock::VirtualClock;
use faults::Faults;
use world::World;

/// The whole pretend account. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulator {
    world: Arc<Mutex<World>>,
    clock: VirtualClock,
    faults: Faults,
    sql: Arc<sql::Sql>,
}

impl Simulator {
    /// A simulator over this world, running on this clock.
    #[must_use]
    pub fn new(world: World, clock: VirtualClock) -> Self {
        Self { world: Arc::new(Mutex::new(world)), clock, faults: Faults::default(), sql: Arc::default() }
    }

    /// The clock that everything here runs on.
    #[must_use]
    pub fn clock(&self) -> &VirtualClock {
        &self.clock
    }

    /// The fault switches.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What the SQL servers share beside the world.
    fn sql_runtime(&self) -> &sql::Sql {
        &self.sql
    }

    /// The truth, for tests, drills and the services themselves. Never held across an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
