//! The structured log: what a person or a machine reads on stderr when there is no backend.
//!
//! Written by the assembler's thread, never by the thread that records: a full pipe delays the log, not the
//! agent. Never stdout. What cannot be written is dropped: a log is for whoever reads it now.

mod calls;
mod json;
mod pretty;

pub(crate) use calls::CallLines;

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
}

/// The format, with the line that is being made.
enum Format {
    Pretty { color: bool, line: String },
    Json { line: Vec<u8> },
}

impl Log {
    /// `None` when the format is off.
    pub(crate) fn new(format: LogFormat, color: bool, writer: Writer) -> Option<Self> {
        let format = match format {
            LogFormat::Off => return None,
            LogFormat::Json => Format::Json { line: Vec::new() },
            LogFormat::Pretty => Format::Pretty { color, line: String::new() },
        };
        Some(Self { format, writer })
    }

    pub(crate) fn started(&mut self, start: &SpanStart, depth: u16) {
        match &mut self.format {
            Format::Pretty { color, line } => pretty::started(line, start, depth, *color),
            Format::Json { line } => json::started(line, start),
        }
        self.write();
    }

    pub(crate) fn span(&mut self, span: &SpanData<'_>, depth: u16) {
        match &mut self.format {
            Format::Pretty { color, line } => pretty::span(line, span, depth, *color),
            Format::Json { line } => json::span(line, span),
        }
        self.write();
    }

    pub(crate) fn event(&mut self, event: &EventData<'_>) {
        // The host's own logs have their place already: whatever the host's subscriber writes them to.
        if event.kind == EventKind::HostLog {
            return;
        }
        match &mut self.format {
            Format::Pretty { color, line } => pretty::event(line, event, *color),
            Format::Json { line } => json::event(line, event),
        }
        self.write();
    }

    fn write(&mut self) {
        // One write a line, so that lines of several processes on one terminal do not mix.
        match &mut self.format {
            Format::Pretty { line, .. } if !line.is_empty() => {
                line.push('\n');
                self.writer.write_all(line.as_bytes()).ok();
                line.clear();
            }
            Format::Json { line } if !line.is_empty() => {
                line.push(b'\n');
                self.writer.write_all(line).ok();
                line.clear();
            }
            _ => {}
        }
    }

    pub(crate) fn flush(&mut self) {
        self.writer.flush().ok();
    }
}

#[cfg(test)]
mod tests;
