//! Rows in words: what each column of the Keys screen says, what machines read, and the counts above.

mod counts;
mod line;
mod record;
mod state;

pub use counts::{Counts, counts};
pub use line::{PairLine, line};
pub use record::{PairRecord, record};
pub use state::{StateKind, key_state, row_state, why_not_visible};
