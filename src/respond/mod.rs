//! Drives a run: does what the runbook engine asks, through the gate and the adapters, and reports each step.

pub mod view;
