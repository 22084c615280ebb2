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
#[cfg(test)]
mod tests;
pub mod traffic;
pub mod trouble;
pub mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws::front::{Answered, Injected, Inquiry, NoAnswer, settle};
use bytes::Bytes;
use clock::VirtualClock;
use faults::{Effect, Faults};
use rand::Rng as _;
use record::{Record, RecordedCall};
use tokio::time::Instant;
use world::World;

/// How often a long poll looks whether there is a message.
const LOOK: Duration = Duration::from_millis(100);

/// The whole pretend account. Clones share it.
#[derive(Clone, Debug)]
pub struct Simulator {
    world: Arc<Mutex<World>>,
    clock: VirtualClock,
    faults: Faults,
    record: Record,
    quotas: Arc<AtomicBool>,
    sql: Arc<sql::Sql>,
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
            sql: Arc::default(),
        }
    }

    /// Lets parts of the account fail to answer from now on; all of them, or none where one cannot be had.
    ///
    /// # Errors
    /// Where the account has no such part.
    pub fn trouble(&self, troubles: &[trouble::Trouble]) -> Result<(), trouble::NoTrouble> {
        let world = self.world();
        let faults: Result<Vec<_>, _> = troubles.iter().map(|trouble| trouble.fault(&world)).collect();
        self.faults.add_all(faults?);
        Ok(())
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

    /// Answers one AWS request, whatever its service, as AWS would.
    ///
    /// # Errors
    ///
    /// Only when a fault switch says that no answer comes; AWS's own refusals are answers.
    /// [`NoAnswer::Timeout`] is told at once: whoever stands for the network decides how long to wait.
    pub async fn http(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        let inquiry = Inquiry::of(&request);
        let effects = {
            let world = self.world();
            self.faults.take(|target| inquiry.is_hit_by(target, &world))
        };
        for effect in &effects {
            if let Effect::Latency(delay) = effect {
                tokio::time::sleep(*delay).await;
            }
        }
        if let Some((lost, code)) = effects.iter().find_map(lost_before) {
            let mut recorded = inquiry.record(&self.world(), self.clock.now());
            recorded.error = Some(code.to_owned());
            recorded.answered = false;
            self.record.push(recorded);
            return Err(lost);
        }
        if effects.is_empty() {
            self.wait_for_message(&inquiry).await;
        }
        let quotas = self.quotas.load(Ordering::Relaxed);
        let Answered { response, mut recorded } = {
            let mut world = self.world();
            let injected = effects.iter().find_map(|effect| injected(effect, &mut world));
            inquiry.answer(&mut world, &request, self.clock.now(), quotas, injected)
        };
        let lost = effects.iter().find_map(lost_after);
        recorded.answered = lost.is_none();
        self.record.push(recorded);
        lost.map_or(Ok(response), Err)
    }

    /// A long poll waits here, where nobody else has to wait for it.
    async fn wait_for_message(&self, inquiry: &Inquiry) {
        let Some((url, wait)) = inquiry.long_poll() else { return };
        let until = Instant::now() + wait;
        while Instant::now() < until {
            {
                let (mut world, now) = (self.world(), self.clock.now());
                settle(&mut world, now);
                if world.sqs.would_answer(&url, now) {
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
        }
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

    /// Keeps no record of the calls to come: nobody will ask for [`Simulator::calls`].
    pub fn stop_recording(&self) {
        self.record.stop();
    }

    /// Switches request quotas on (as they are at first) or off.
    pub fn set_quotas(&self, on: bool) {
        self.quotas.store(on, Ordering::Relaxed);
    }
}

/// How a fault loses a call before it is carried out, and what the record calls it.
fn lost_before(effect: &Effect) -> Option<(NoAnswer, &'static str)> {
    match effect {
        Effect::Timeout => Some((NoAnswer::Timeout, "Timeout")),
        Effect::ConnectionLoss => Some((NoAnswer::ConnectionLost, "ConnectionLoss")),
        _ => None,
    }
}

/// How a fault loses the answer to a call that was carried out.
fn lost_after(effect: &Effect) -> Option<NoAnswer> {
    match effect {
        Effect::TimeoutAfter => Some(NoAnswer::Timeout),
        Effect::ConnectionLossAfter => Some(NoAnswer::ConnectionLost),
        _ => None,
    }
}

/// The refusal that a fault puts in an answer's place.
fn injected(effect: &Effect, world: &mut World) -> Option<Injected> {
    match effect {
        Effect::Throttle(share) => {
            world.rng.random_bool(share.clamp(0.0, 1.0)).then_some(Injected::Throttled)
        }
        Effect::AccessDenied => Some(Injected::AccessDenied),
        Effect::ServerError => Some(Injected::ServerError),
        _ => None,
    }
}
