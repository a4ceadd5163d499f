//! A directory as a destination: `traces.jsonl`, `logs.jsonl` and `metrics.jsonl`, one request a line in
//! OTLP/JSON, as the specification's file exporter has it.
//!
//! Files are appended to, and opened anew for every batch, so that one that was moved away or deleted under way
//! comes back. What cannot be written is lost as `io`, with one warning; a line that was cut short by a full
//! disk is ended before the next one begins.

use super::diagnostic::Problem;
use super::receipt::LossReason;
use super::retry::Verdict;
use super::transport::Attempt;
use crate::encode::json::to_json_line;
use crate::encode::{Batch, Signal};
use std::fs::{OpenOptions, create_dir_all};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

pub(super) struct FileSender {
    directory: PathBuf,
    file: PathBuf,
    /// The last line written has no end.
    torn: bool,
}

impl FileSender {
    pub(super) fn new(directory: &Path, signal: Signal) -> Self {
        Self { directory: directory.to_owned(), file: directory.join(format!("{signal}.jsonl")), torn: false }
    }

    pub(super) async fn send(&mut self, batch: &Batch) -> Attempt {
        let mut line = Vec::with_capacity(batch.body().len() * 2);
        if self.torn {
            line.push(b'\n');
        }
        if to_json_line(batch.signal(), batch.body(), &mut line).is_err() {
            return Attempt { verdict: Verdict::Drop(LossReason::Internal), problem: None, throttle: None };
        }
        let (directory, file) = (self.directory.clone(), self.file.clone());
        // A disk may hang; the other destinations must not.
        let written = tokio::task::spawn_blocking(move || append(&directory, &file, &line)).await;
        let (torn, error) = match written {
            Ok(Ok(())) => (false, None),
            Ok(Err(Failed { error, after_open })) => (self.torn || after_open, Some(error.kind())),
            Err(_) => (true, Some(io::ErrorKind::Other)),
        };
        self.torn = torn;
        match error {
            None => Attempt::delivered(0),
            Some(kind) => Attempt::new(Verdict::Drop(LossReason::Io), Problem::Io(kind)),
        }
    }
}

struct Failed {
    error: io::Error,
    /// Part of the line may be in the file.
    after_open: bool,
}

fn append(directory: &Path, file: &Path, line: &[u8]) -> Result<(), Failed> {
    let mut file = create_dir_all(directory)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(file))
        .map_err(|error| Failed { error, after_open: false })?;
    file.write_all(line).map_err(|error| Failed { error, after_open: true })
}
