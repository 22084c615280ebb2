//! The binary in a pseudo-terminal: what a person sees, at the sizes people have.

mod pty;

use pty::Terminal;

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 45)];
