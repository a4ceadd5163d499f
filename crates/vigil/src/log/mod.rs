//! The structured log: what a person or a machine reads on stderr when there is no backend.
//!
//! Written by the assembler's thread, never by the thread that records: a full pipe delays the log, not the
//! agent. Never stdout. What cannot be written is dropped: a log is for whoever reads it now.

mod json;
mod pretty;

use crate::settings::LogFormat;
use std::io::Write;
use vigil_core::contract::EventKind;
use vigil_core::fact::{EventData, SpanData, SpanStart};

/// Where lines go.
pub(crate) type Writer = Box<dyn Write + Send>;

/// A log being written.
pub(crate) struct Log {
    format: Format,
    writer: Writer,
    line: String,
}

enum Format {
    Pretty { color: bool },
    Json,
}

impl Log {
    /// `None` when the format is off.
    pub(crate) fn new(format: LogFormat, color: bool, writer: Writer) -> Option<Self> {
        let format = match format {
            LogFormat::Off => return None,
            LogFormat::Json => Format::Json,
            LogFormat::Pretty => Format::Pretty { color },
        };
        Some(Self { format, writer, line: String::new() })
    }

    pub(crate) fn started(&mut self, start: &SpanStart, depth: u16) {
        match self.format {
            Format::Pretty { color } => pretty::started(&mut self.line, start, depth, color),
            Format::Json => json::started(&mut self.line, start),
        }
        self.write();
    }

    pub(crate) fn span(&mut self, span: &SpanData<'_>, depth: u16) {
        match self.format {
            Format::Pretty { color } => pretty::span(&mut self.line, span, depth, color),
            Format::Json => json::span(&mut self.line, span),
        }
        self.write();
    }

    pub(crate) fn event(&mut self, event: &EventData<'_>) {
        // The host's own logs have their place already: whatever the host's subscriber writes them to.
        if event.kind == EventKind::HostLog {
            return;
        }
        match self.format {
            Format::Pretty { color } => pretty::event(&mut self.line, event, color),
            Format::Json => json::event(&mut self.line, event),
        }
        self.write();
    }

    fn write(&mut self) {
        if !self.line.is_empty() {
            self.line.push('\n');
            // One write a line, so that lines of several processes on one terminal do not mix.
            self.writer.write_all(self.line.as_bytes()).ok();
            self.line.clear();
        }
    }

    pub(crate) fn flush(&mut self) {
        self.writer.flush().ok();
    }
}

#[cfg(test)]
mod tests;
