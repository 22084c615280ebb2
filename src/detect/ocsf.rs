//! Events and findings in OCSF's words.
