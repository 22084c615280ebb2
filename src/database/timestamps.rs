//! SQL Server's dates as timestamps.
