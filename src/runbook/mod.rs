//! The runbook format and the engine that walks it. No I/O: steps in, requests out.
