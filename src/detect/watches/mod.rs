//! What shows only over many events: who uses which key from where, and who is refused again and again.

mod denials;
mod uses;

pub(super) use denials::Denials;
pub(super) use uses::Uses;
