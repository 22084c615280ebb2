//! The whole program, from outside: in a terminal, killed, without a screen; and the console's real loop.
//!
//! One binary for all of it, because linking is what costs.

mod findings;
mod headless;
mod hostile;
mod killed;
mod program;
mod pty;
mod readonly;
mod runbooks;
mod sockets;
mod stage;
mod terminal;
mod trail;
