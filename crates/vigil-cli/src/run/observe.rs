//! The observing side of a run: a thread that reads what the child wrote and what it left on disk, and records
//! the facts. The child never waits for it beyond what [`super::tap`] allows.

use super::plan::Agent;
use super::tap::{Taken, Tap, Wants};
use super::transcripts::{Before, Changed, Transcripts, projects_folder};
use crate::recording::Recording;
use crate::system;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use vigil::Telemetry;
use vigil_adapters::{Observer, RunEnd, Summary};

/// How often the disk is looked at while nothing comes: 1 s.
const TICK: Duration = Duration::from_secs(1);
/// The shortest time between two readings of a session's files while the child runs: 100 ms.
const READ_EVERY: Duration = Duration::from_millis(100);

/// The niceness of the observing thread: a third of the share of the command's own where both want a core.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// What is observed of one run.
pub(crate) struct Watch {
    observer: Observer,
    recording: Recording,
    disk: Option<Disk>,
    /// Bytes of output that were dropped before they could be read.
    unobserved: u64,
}

/// Where the agent's session is to be found on disk.
struct Disk {
    projects: PathBuf,
    transcripts: Option<Transcripts>,
    /// Looked at when no session is named; `None` when the output will name it.
    before: Option<Before>,
    ambiguous: bool,
    last_read: Option<Instant>,
}

/// What a run came to.
pub(crate) struct Observed {
    pub(crate) summary: Summary,
    /// Bytes of output that were not observed.
    pub(crate) unobserved: u64,
    /// Several sessions changed in the command's project folder, and none was taken for its own.
    pub(crate) ambiguous: bool,
}

impl Watch {
    /// Begins before the child does, so that what changes on disk is known to be its work.
    pub(crate) fn begin(observer: Observer, telemetry: Telemetry, agent: Option<Agent>, session: Option<&str>) -> Self {
        let projects = projects_folder();
        let disk = projects.map(|projects| Disk {
            transcripts: session.and_then(|session| Transcripts::of_session(&projects, session)),
            before: agent.filter(|_| session.is_none()).and_then(|Agent::Claude| Before::look(&projects)),
            projects,
            ambiguous: false,
            last_read: None,
        });
        Self { observer, recording: Recording::new(telemetry, Duration::ZERO), disk, unobserved: 0 }
    }

    /// Observes until both taps are closed. `follow_disk`: the output is not ours to read, so the disk is looked at
    /// while the agent works. What is said on stderr is looked at each time something else comes, and each
    /// [`TICK`].
    pub(crate) fn watch(mut self, tap: &Tap, tap_of_stderr: &Tap, follow_disk: bool) -> Self {
        // The command and its bytes come first where there are fewer cores than work. On Linux the niceness is this
        // thread's own; where it cannot be had nothing is lost but that.
        #[cfg(target_os = "linux")]
        let _as_it_was = rustix::process::setpriority_process(None, NICENESS);
        loop {
            let closed = match tap.take(TICK) {
                Taken::Chunk(chunk) => {
                    self.observer.stdout(chunk.bytes(), chunk.at);
                    tap.recycle(chunk);
                    if self.observer.output_is_unknown() {
                        tap.want(Wants::Tail);
                    }
                    self.read_what_is_wanted();
                    false
                }
                // Of output that is not understood only the end is looked at: nothing is missing.
                Taken::Gap(_) if self.observer.output_is_unknown() => false,
                Taken::Gap(bytes) => {
                    self.unobserved += bytes;
                    self.observer.gap();
                    false
                }
                Taken::Quiet => {
                    if follow_disk {
                        self.read_disk()
                    } else {
                        self.read_what_is_wanted()
                    }
                    false
                }
                Taken::Closed => true,
            };
            // With stdout at its end nothing else is waited for.
            let stderr_closed = self.look_at_stderr(tap_of_stderr, if closed { TICK } else { Duration::ZERO });
            self.record();
            if closed && stderr_closed {
                return self;
            }
        }
    }

    /// Looks at what stderr has, waiting for it up to `patience`; true when nothing more will come.
    fn look_at_stderr(&mut self, tap: &Tap, mut patience: Duration) -> bool {
        loop {
            match tap.take(std::mem::take(&mut patience)) {
                Taken::Chunk(chunk) => {
                    self.observer.stderr(chunk.bytes(), chunk.at);
                    tap.recycle(chunk);
                }
                Taken::Gap(_) => self.observer.stderr_gap(),
                Taken::Quiet => {
                    self.observer.quiet(system::now());
                    return false;
                }
                Taken::Closed => return true,
            }
        }
    }

    /// The run has ended: reads what it left on disk, and tells what it came to. Everything the command wrote is
    /// there now, so nothing is waited for.
    pub(crate) fn finish(mut self, end: RunEnd) -> Observed {
        if let Some(session) = self.observer.session_id().map(str::to_owned) {
            self.read_session(&session);
        } else {
            self.read_disk();
        }
        self.record();
        let (facts, summary) = self.observer.finish(end);
        self.recording.record(facts);
        let ambiguous = self.disk.is_some_and(|disk| disk.ambiguous);
        Observed { summary, unobserved: self.unobserved, ambiguous }
    }

    fn record(&mut self) {
        self.recording.record(self.observer.drain());
    }

    /// Reads the session the output names, when something there would settle what is open.
    fn read_what_is_wanted(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        if disk.last_read.is_some_and(|last| last.elapsed() < READ_EVERY) {
            return;
        }
        let Some(wanted) = self.observer.wants_transcript() else { return };
        disk.last_read = Some(system::instant());
        self.read_session(&wanted.session_id);
    }

    /// Reads the session with this id.
    fn read_session(&mut self, session: &str) {
        let Some(disk) = &mut self.disk else { return };
        if disk.transcripts.as_ref().is_none_or(|files| files.session() != session) {
            disk.transcripts = Transcripts::of_session(&disk.projects, session);
        }
        disk.before = None;
        disk.ambiguous = false;
        if let Some(transcripts) = &mut disk.transcripts {
            transcripts.read(&mut self.observer, |observer| self.recording.record(observer.drain()));
        }
    }

    /// Reads the session that is known from the command line, or from what changed on disk.
    fn read_disk(&mut self) {
        let Some(disk) = &mut self.disk else { return };
        if let Some(before) = &disk.before {
            match before.changed() {
                Changed::Nothing => return,
                Changed::Several => disk.ambiguous = true,
                Changed::One(main, seen) => {
                    disk.transcripts = Transcripts::of_file(&main, seen);
                    disk.before = None;
                    disk.ambiguous = false;
                }
            }
        }
        if let Some(transcripts) = &mut disk.transcripts {
            transcripts.read(&mut self.observer, |observer| self.recording.record(observer.drain()));
        }
    }
}
