//! SQL Server; the only room that names tiberius.
