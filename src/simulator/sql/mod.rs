//! The simulated SQL Server: TDS 7.4 with TLS, the catalog views, the audit procedure.

pub mod state;
