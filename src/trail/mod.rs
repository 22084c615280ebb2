//! Key events: read, kept, followed, filtered, told.
//!
//! [`parse`] reads one CloudTrail record, [`particulars`] what a judgement of it needs beyond that. [`Store`] keeps
//! a million events and hands out [`Events`]; [`Filter`] asks them all at once. [`Follower`] fills a store from
//! LookupEvents, from a queue and from files, and publishes a [`TrailView`] after each page; [`load_once`] fills one for a headless
//! command; [`files`] reads trail logs.

pub mod files;
mod filter;
mod follow;
mod listen;
mod names;
mod parse;
mod present;
mod rules;
mod severity;
mod store;
mod sweep;
mod together;
mod uses;
mod view;
mod watched;

pub use filter::{Field, Filter, LANGUAGE};
pub use follow::{Backfills, FollowOptions, Follower};
pub use names::KeyNames;
pub use parse::{Particulars, Unparsed, parse, particulars};
pub use present::{EventLine, EventRecord, outcome_word, sentence};
pub use rules::context_of;
pub use store::{Batch, Column, Count, Ending, EventKey, Events, Question, Store, Taken};
pub use sweep::{Limits, load_judged, load_once};
pub use together::{EventId, newest_first, sorted_by};
pub use uses::{KeyTrail, KeyTrailLimits, KeyUse, in_a_hurry, key_use, read_key_trail};
pub use view::{Backfill, TrailSource, TrailView};
