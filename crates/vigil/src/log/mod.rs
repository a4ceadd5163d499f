//! The structured log: what a person or a machine reads on stderr when there is no backend.
//!
//! Written by the assembler's thread, never by the thread that records: a full pipe delays the log, not the
//! agent. Never stdout. What cannot be written is dropped: a log is for whoever reads it now. Lines of one round are
//! written together, whole lines of up to 4 KiB at a time.

mod calls;
mod json;
mod pretty;

pub(crate) use calls::CallLines;

use crate::settings::LogFormat;
use crate::time::Stamps;
use std::io::Write;
use vigil_core::contract::EventKind;
use vigil_core::fact::{EventData, SpanData, SpanStart};

/// Where lines go.
pub(crate) type Writer = Box<dyn Write + Send>;

/// Lines wait until the round ends or they have this many bytes: 4 KiB, what a pipe takes in one piece, so that lines
/// of several processes on one terminal do not mix.
const WRITE_BYTES: usize = 4 << 10;

/// A log being written.
pub(crate) struct Log {
    format: Format,
    /// Whole lines that wait to be written, and at its end the one that is being made.
    waiting: Vec<u8>,
    writer: Writer,
}

enum Format {
    Pretty { color: bool, line: String },
    Json(Stamps),
}

impl Log {
    /// `None` when the format is off.
    pub(crate) fn new(format: LogFormat, color: bool, writer: Writer) -> Option<Self> {
        let format = match format {
            LogFormat::Off => return None,
            LogFormat::Json => Format::Json(Stamps::default()),
            LogFormat::Pretty => Format::Pretty { color, line: String::new() },
        };
        Some(Self { format, waiting: Vec::new(), writer })
    }

    pub(crate) fn started(&mut self, start: &SpanStart, depth: u16) {
        self.line(|format, waiting| match format {
            Format::Pretty { color, line } => pretty::started(line, start, depth, *color),
            Format::Json(stamps) => json::started(waiting, stamps, start),
        });
    }

    pub(crate) fn span(&mut self, span: &SpanData<'_>, depth: u16) {
        self.line(|format, waiting| match format {
            Format::Pretty { color, line } => pretty::span(line, span, depth, *color),
            Format::Json(stamps) => json::span(waiting, stamps, span),
        });
    }

    pub(crate) fn event(&mut self, event: &EventData<'_>) {
        // The host's own logs have their place already: whatever the host's subscriber writes them to.
        if event.kind == EventKind::HostLog {
            return;
        }
        self.line(|format, waiting| match format {
            Format::Pretty { color, line } => pretty::event(line, event, *color),
            Format::Json(stamps) => json::event(waiting, stamps, event),
        });
    }

    #[inline]
    fn line(&mut self, make: impl FnOnce(&mut Format, &mut Vec<u8>)) {
        let whole = self.waiting.len();
        make(&mut self.format, &mut self.waiting);
        if let Format::Pretty { line, .. } = &mut self.format
            && !line.is_empty()
        {
            self.waiting.extend_from_slice(line.as_bytes());
            self.waiting.push(b'\n');
            line.clear();
        }
        if self.waiting.len() > WRITE_BYTES
            && let Some(before) = self.waiting.get(..whole)
        {
            self.writer.write_all(before).ok();
            self.waiting.drain(..whole);
        }
    }

    /// Writes what waits.
    pub(crate) fn write(&mut self) {
        if !self.waiting.is_empty() {
            self.writer.write_all(&self.waiting).ok();
            self.waiting.clear();
        }
    }

    pub(crate) fn flush(&mut self) {
        self.write();
        self.writer.flush().ok();
    }
}

#[cfg(test)]
mod tests;
