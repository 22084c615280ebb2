//! Everything that the simulated account holds, behind one lock.

use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::aws::cloudtrail::Trail;
use super::aws::kms::Kms;
use super::aws::quota::Quotas;
use super::aws::rds::Rds;
use super::aws::sns::Sns;
use super::aws::sqs::Sqs;
use super::aws::sts::Sts;
use super::sql::state::SqlServer;

/// The state of one pretend account and the SQL servers beside it.
#[derive(Debug)]
pub struct World {
    /// The account's 12-digit id.
    pub account: String,
    pub kms: Kms,
    pub sts: Sts,
    pub trail: Trail,
    pub sns: Sns,
    pub sqs: Sqs,
    pub rds: Rds,
    pub sql: Vec<SqlServer>,
    /// How often each account may still call.
    pub quotas: Quotas,
    /// Every random draw of the simulator comes from here, so that a seed repeats a run exactly.
    pub rng: StdRng,
}

impl World {
    /// An account with nothing in it.
    #[must_use]
    pub fn empty(account: &str, seed: u64) -> Self {
        Self {
            account: account.to_owned(),
            kms: Kms::default(),
            sts: Sts::default(),
            trail: Trail::default(),
            sns: Sns::default(),
            sqs: Sqs::default(),
            rds: Rds::default(),
            sql: Vec::new(),
            quotas: Quotas::default(),
            rng: StdRng::seed_from_u64(seed),
        }
    }
}
