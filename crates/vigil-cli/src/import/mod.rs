//! `vigil import`: recordings on disk become the records a live run would have given.
//!
//! A session's streams are observed one by one, each with the session's transcripts; a session without a stream
//! is observed from its transcripts alone. Files are read [`CHUNK_BYTES`] at a time, so their size does not
//! matter. A file that cannot be read is told, and the others go on.

mod beside;
mod discover;

use crate::args::{DELIVER_WITHIN_DEFAULT, ImportArgs};
use crate::output::{Styles, to_stderr, to_stdout};
use crate::recording::Recording;
use crate::report::{self, Gaps, ProcessEnd, Report};
use crate::system;
use beside::Timing;
use discover::{Session, Stream, discover};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use vigil_adapters::{Observer, Options, RunEnd, Summary, TranscriptFile};
use vigil_core::fact::UnixNanos;
use vigil_core::vocab::Originator;

/// How much of a file is read at once: 256 KiB.
const CHUNK_BYTES: usize = 256 << 10;
/// Progress is shown after this time, and this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Imports what the paths hold.
pub(crate) fn import(arguments: ImportArgs) -> ExitCode {
    let found = discover(&arguments.paths);
    for (path, why) in &found.skipped {
        tell_skipped(path, why);
    }
    let mut importer = Importer::new(&arguments);
    let count = found.sessions.len();
    for (index, session) in found.sessions.iter().enumerate() {
        importer.session(session);
        importer.show_progress(index + 1, count);
    }
    importer.end(&arguments)
}

fn tell_skipped(path: &Path, why: &str) {
    to_stderr(&format!("vigil: {} skipped: {why}\n", crate::output::printable(&path.to_string_lossy())));
}

struct Importer {
    recording: Recording,
    summaries: Vec<(Summary, Option<ProcessEnd>)>,
    progress: Option<Instant>,
}

impl Importer {
    fn new(arguments: &ImportArgs) -> Self {
        let progress = (!arguments.quiet && io::stderr().is_terminal()).then(system::instant);
        Self {
            recording: Recording::new(
                arguments.destinations.start(arguments.quiet, false),
                arguments.destinations.deliver_within.unwrap_or(DELIVER_WITHIN_DEFAULT),
            ),
            summaries: Vec::new(),
            progress,
        }
    }

    fn session(&mut self, session: &Session) {
        for stream in &session.streams {
            let mut observer = self.observer();
            let timing = beside::timing(&stream.path);
            if let Err(error) = self.read_stream(stream, timing.as_ref(), &mut observer) {
                tell_skipped(&stream.path, &error.to_string());
                continue;
            }
            self.read_transcripts(session, &mut observer);
            let exit_code = beside::exit_code(&stream.path);
            let last_line = timing.as_ref().and_then(|timing| timing.lines.last()).map(|(at, _)| *at);
            // A lone result names no time: it was made no later than its file was written.
            let written = stream.is_result_only && session.transcripts.is_empty();
            let end = RunEnd {
                at: last_line.or_else(|| written.then(|| modified(&stream.path)).flatten()),
                exit_code,
                signal: None,
                started_at: timing.map(|timing| timing.started_at),
            };
            self.end_run(observer, end);
        }
        if session.streams.is_empty() {
            let mut observer = self.observer();
            if self.read_transcripts(session, &mut observer) {
                self.end_run(observer, RunEnd::default());
            }
        }
    }

    fn observer(&self) -> Observer {
        Observer::new(Options {
            originator: Originator::Cli,
            capture_content: self.recording.telemetry.content_allowed(),
            ..Options::default()
        })
    }

    fn read_stream(&mut self, stream: &Stream, timing: Option<&Timing>, observer: &mut Observer) -> io::Result<()> {
        let mut file = File::open(&stream.path)?;
        for (at, bytes) in timing.into_iter().flat_map(|timing| &timing.lines) {
            self.read_chunks((&mut file).take(*bytes), observer, |observer, chunk| observer.stdout(chunk, *at))?;
        }
        // Without a timing that is all of it.
        self.read_chunks(file, observer, |observer, chunk| observer.stdout(chunk, UnixNanos(0)))
    }

    /// Reads the session's own transcript and those of its sub-agents; whether any could be read.
    fn read_transcripts(&mut self, session: &Session, observer: &mut Observer) -> bool {
        let mut any = false;
        // A session may go on in another project's folder. What several files hold alike counts once, by its ids.
        for path in &session.transcripts {
            let read = File::open(path).and_then(|file| {
                self.read_chunks(file, observer, |observer, chunk| observer.transcript(TranscriptFile::Main, chunk))
            });
            match read {
                Ok(()) => any = true,
                Err(error) => tell_skipped(path, &error.to_string()),
            }
        }
        for (agent_id, path) in &session.sub_agents {
            let meta = crate::run::transcripts::read_meta(path);
            let which = TranscriptFile::SubAgent { agent_id, meta: meta.as_deref() };
            let read = File::open(path)
                .and_then(|file| self.read_chunks(file, observer, |observer, chunk| observer.transcript(which, chunk)));
            match read {
                Ok(()) => any = true,
                Err(error) => tell_skipped(path, &error.to_string()),
            }
        }
        any
    }

    fn read_chunks(
        &mut self,
        mut from: impl Read,
        observer: &mut Observer,
        mut give: impl FnMut(&mut Observer, &[u8]),
    ) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => give(observer, &buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            self.recording.record(observer.drain());
        }
    }

    fn end_run(&mut self, observer: Observer, end: RunEnd) {
        let (facts, summary) = observer.finish(end);
        self.recording.record(facts);
        let process = end.exit_code.map(|code| ProcessEnd { exit_code: Some(code), signal: None });
        self.summaries.push((summary, process));
    }

    fn show_progress(&mut self, done: usize, count: usize) {
        let Some(last) = &mut self.progress else { return };
        if last.elapsed() >= PROGRESS_EVERY && done < count {
            *last = system::instant();
            to_stderr(&format!("\r\u{1b}[Kvigil: {done} of {count} sessions\r"));
        }
    }

    fn end(self, arguments: &ImportArgs) -> ExitCode {
        if self.progress.is_some() {
            to_stderr("\u{1b}[K");
        }
        let receipt = arguments.destinations.end(&self.recording.telemetry);
        let destinations = self.recording.telemetry.destinations();
        let reports = || {
            self.summaries.iter().map(|(summary, process)| Report { summary, process: *process, gaps: Gaps::default() })
        };
        if arguments.json {
            let runs: Vec<_> = reports().map(|report| report.json()).collect();
            let delivery = report::delivery_json(destinations, &receipt);
            to_stdout(&format!("{}\n", serde_json::json!({ "runs": runs, "delivery": delivery })));
        } else if !arguments.quiet {
            let styles = Styles::for_stream(&io::stdout());
            let mut text: String = reports().map(|report| report.text(styles)).collect();
            if !self.summaries.is_empty() {
                text += &format!("{}:\n", crate::output::counted(self.summaries.len() as u64, "run", "runs"));
                text += &report::delivery_text("", destinations, &receipt, styles);
            }
            to_stdout(&text);
        }
        if self.summaries.is_empty() {
            to_stderr("vigil: nothing was imported\n");
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
}

fn modified(path: &Path) -> Option<UnixNanos> {
    Some(system::unix_nanos(fs::metadata(path).ok()?.modified().ok()?))
}
