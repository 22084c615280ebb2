//! Key events: read, kept, followed, filtered, told.
//!
//! [`parse`] reads one CloudTrail record; [`Store`] keeps them, newest first; [`Follower`] fills one live and
//! publishes a [`TrailView`] after each page; [`load_once`] fills one for a headless command.

mod filter;
mod follow;
mod names;
mod parse;
mod present;
mod severity;
mod store;
mod sweep;
mod uses;

pub use filter::{BadFilter, Filter};
pub use follow::{FollowOptions, Follower};
pub use names::KeyNames;
pub use parse::{Unparsed, parse, parse_file};
pub use present::{EventLine, EventRecord, outcome_word};
pub use store::Store;
pub use sweep::{Limits, TrailView, load_once};
pub use uses::{KeyTrail, KeyTrailLimits, KeyUse, in_a_hurry, key_use, read_key_trail};
