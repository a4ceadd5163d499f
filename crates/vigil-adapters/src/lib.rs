//! Foreign records of agents, as facts of Vigil's contract: bytes in, spans and events out.
//!
//! An [`Observer`] follows one run of an agent: live, as the bytes of its output arrive, or afterwards from a
//! recorded stream, a transcript, or both. It does no IO, starts no thread and reads no clock: times are in the
//! record or are given. Ids come from the record's own, so that a run seen twice gives the same spans.
//!
//! Memory is bounded whatever the length of the record (some megabytes): what is complete is handed out by
//! [`Observer::drain`] and forgotten. Nothing in a record makes it panic; what is not understood is counted.
//!
//! ```
//! use vigil_adapters::{Observer, Options, RunEnd};
//!
//! let mut observer = Observer::new(Options::default());
//! observer.stdout(b"{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s1\",\"model\":\"claude-x\"}\n", Default::default());
//! let (facts, summary) = observer.finish(RunEnd { exit_code: Some(0), ..RunEnd::default() });
//! assert_eq!(summary.session_id.as_deref(), Some("s1"));
//! assert!(summary.truncated, "there was no result line");
//! assert_eq!(facts.len(), 1);
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `observer` | [`Observer`]: the entry, and programs that are not understood |
//! | `detect`, `paths` | formats by content, and where records are kept |
//! | `summary`, `outcome` | what a run came to |
//! | `throttle` | throttling in what a program writes |
//! | `claude` | Claude Code; another agent is another such folder |
//! | `lines`, `lenient`, `time` | reading foreign bytes |
#![warn(missing_docs)]

mod claude;
mod detect;
mod lenient;
mod lines;
mod observer;
mod outcome;
mod paths;
mod summary;
mod throttle;
mod time;

pub use detect::{Format, detect, session_key};
pub use observer::{Observer, Options, RunEnd, TranscriptFile, TranscriptRequest};
pub use paths::{TranscriptPaths, agent_id_of_file, transcript_paths, transcript_paths_in};
pub use summary::{Note, Summary};
pub use time::parse_rfc3339;
