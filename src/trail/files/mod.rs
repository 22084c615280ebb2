//! Trail logs in files and folders, and on standard input: what S3 holds, what people saved, what tools piped.
//!
//! [`Found`] says what there is to read and what is passed over; [`read`] reads it on every core, a file at a time,
//! and hands each record to a [`Sink`]. Reading is bounded in memory, can be stopped at any record, and accounts for
//! every record: those read are those understood and those not.

mod count;
mod find;
mod inflate;
mod load;
mod read;
mod skim;

pub use count::{Counted, count_by};
pub use find::{Found, Missing, PassedOver};
pub use load::{load, load_into};
pub use read::{Sink, Tally, Trouble, read};
pub use skim::{Piece, Skimmed, Splitter};
