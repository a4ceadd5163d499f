//! The journal as an agent holds it.

use super::call::{CAPABILITY_CALL, Call};
use super::chain::Head;
use super::error::{AppendError, OpenError};
use super::frame;
use super::lock;
use super::options::{Durability, Options};
use super::reader::Damage;
use super::state::State;
use super::writer::Writer;
use crate::shell;
use crate::span::Span;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use vigil_core::contract::attr;
use vigil_core::id::SpanContext;

/// An open journal. It is written through any number of threads; dropping it flushes.
#[derive(Debug)]
pub struct Journal {
    stream: String,
    writer: Arc<Writer>,
    threads: Vec<JoinHandle<()>>,
}

/// What was found wrong with the file while it was written to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovery {
    /// Bytes in the middle that are no records: the first 100. They stay as they are.
    pub damaged: Vec<Damage>,
    /// How many such places there are.
    pub damaged_total: u64,
    /// How many bytes of torn ends were cut off. None was acknowledged.
    pub cut_bytes: u64,
    /// The last such end.
    pub cut: Option<Damage>,
}

impl Journal {
    /// A journal of `stream` (`lago.stream_id`), to be opened.
    pub fn options(stream: impl Into<String>) -> Options {
        Options { stream: stream.into(), durability: Durability::default() }
    }

    pub(super) fn open(options: Options, path: &Path) -> Result<Self, OpenError> {
        let Options { stream, durability } = options;
        if !frame::is_stream_id(&stream) {
            return Err(OpenError::StreamId);
        }
        let file = open_file(path)?;
        if !lock::wait(&file)? {
            return Err(OpenError::Busy(lock::WAIT_MAX));
        }
        let state = State::begin(&file, &stream, durability)?;
        lock::release(&file)?;
        if durability != Durability::None {
            // What is appended next is worth nothing without what is there.
            file.sync_all()?;
            sync_folder(path);
        }
        let writer = Arc::new(Writer::new(file, durability, state));
        let mut journal = Self { stream, writer, threads: Vec::new() };
        if durability != Durability::EachWrite {
            journal.start("journal", Writer::write_groups)?;
        }
        if durability == Durability::Group {
            journal.start("journal-sync", Writer::sync_groups)?;
        }
        Ok(journal)
    }

    fn start(&mut self, name: &str, work: fn(&Writer)) -> io::Result<()> {
        let writer = self.writer.clone();
        self.threads.push(shell::spawn(name, move || work(&writer))?);
        Ok(())
    }

    /// Appends an event that happened in `span`: its ids go into the envelope, and the journal's stream and the
    /// event's sequence and kind onto the span (`lago.stream_id`, `life.event_seq`, `life.event_kind`; the last one's
    /// where a span has several). With telemetry off nothing is different but that there are no ids.
    ///
    /// The event is in the chain when this returns; when it is on the disk is said by [`Durability`].
    ///
    /// # Errors
    /// Fails if:
    /// - the kind or the size of the payload is not one a journal takes,
    /// - another process kept the file locked for 5 s,
    /// - the event could not be written, or one before it.
    pub fn append(&self, span: &Span, kind: &str, payload: &[u8]) -> Result<Head, AppendError> {
        let context = span.context();
        let has_context = context.trace_id.0 != [0; 16];
        let head = self.append_in(has_context.then_some(context), kind, payload)?;
        span.set((self.stream.as_str(), head.sequence, kind), |(stream, sequence, kind)| {
            [
                (attr::LAGO_STREAM_ID, (*stream).into()),
                (attr::LIFE_EVENT_SEQ, (*sequence).into()),
                (attr::LIFE_EVENT_KIND, (*kind).into()),
            ]
        });
        Ok(head)
    }

    /// Appends an event that happened in a span of these ids ([`vigil::current()`](crate::current)), or in none.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    pub fn append_in(&self, context: Option<SpanContext>, kind: &str, payload: &[u8]) -> Result<Head, AppendError> {
        self.writer.append(context, kind, payload)
    }

    /// Appends a call of a capability and what came of it, as [`CAPABILITY_CALL`].
    ///
    /// # Errors
    /// As [`append`](Self::append); a name longer than 255 bytes counts as a kind.
    pub fn append_call(&self, context: Option<SpanContext>, call: &Call<'_>) -> Result<Head, AppendError> {
        let payload = call.to_payload().ok_or(AppendError::Kind)?;
        self.append_in(context, CAPABILITY_CALL, &payload)
    }

    /// Waits until everything appended so far is as safe as [`Durability`] says; gives the last such record.
    ///
    /// # Errors
    /// It could not be written.
    pub fn flush(&self) -> Result<Head, AppendError> {
        self.writer.flush()
    }

    /// The last record this journal knows of: its own, or one of another process before that.
    pub fn head(&self) -> Head {
        self.writer.head()
    }

    /// What was found wrong with the file so far.
    pub fn recovery(&self) -> Recovery {
        self.writer.recovery()
    }

    /// The stream (`lago.stream_id`).
    pub fn stream(&self) -> &str {
        &self.stream
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.writer.close();
        for thread in self.threads.drain(..) {
            // The threads write and sync the last group. Who wants to know whether that went well calls `flush`.
            drop(thread.join());
        }
    }
}

/// Opens or makes the file. It holds what the agent lives through: it is its owner's alone.
fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Makes sure that a new file is found after a power cut. Not every system lets a folder be synced; the file is.
fn sync_folder(path: &Path) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
}
