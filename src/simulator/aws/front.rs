//! The front door: every AWS request comes in here and leaves as AWS would have answered it.

/// No answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody answers; a client waits until its own patience ends.
    #[error("no answer came within the time allowed")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke before an answer came")]
    ConnectionLost,
}
