//! Finding what services say in text that passed through terminals, wrappers and encodings.
//!
//! | file | does |
//! |---|---|
//! | `squeeze.rs` | forgets wraps, escapes, quotes and colours |
//! | `scan.rs` | finds every pattern of the tables in one pass |
//! | `said.rs` | tells what is said from what is talked about |
//! | `json.rs` | finds where a document holds what people and models write |
//! | `read.rs` | puts it together, window by window |

mod json;
mod read;
mod said;
mod scan;
mod squeeze;

pub(super) use read::{Reading, TimeSaid, read, said_patterns};
pub(super) use squeeze::{ansi_length, squeezed};
