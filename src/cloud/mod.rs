//! AWS; the only room that names its SDK.
