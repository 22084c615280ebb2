//! What the simulated account's history holds.
