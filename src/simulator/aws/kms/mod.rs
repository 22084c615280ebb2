//! KMS: keys, their state table, rotation, grants, policies, real AES-GCM.

/// Every key of the account, in every Region.
#[derive(Debug, Default)]
pub struct Kms {}
