//! The only road to a change: plan → preview → confirm → approve → execute → verify.

pub mod preview;
