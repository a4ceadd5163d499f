//! Handlers that are ready to use.

mod chance;
mod command;
mod engine;
mod fetch;
mod files;
#[cfg_attr(unix, path = "open_unix.rs")]
#[cfg_attr(not(unix), path = "open_other.rs")]
mod open;
mod places;
mod url;

pub use chance::{DrawBytes, ReadClock};
pub use command::{CommandOutput, CommandRequest, RunCommand};
pub use fetch::{Fetch, FetchRequest, FetchResponse};
pub use files::{ReadFile, WriteFile, WriteRequest};

pub(super) use places::Places;
