//! Joins KMS and SQL Server into pairs; what depends on a key; refresh.
