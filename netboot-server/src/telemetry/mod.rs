//! What happens, for people and for programs: the event stream, the log, and metrics.

pub mod events;
pub mod log;
pub(crate) mod malformed;
pub(crate) mod metrics;
