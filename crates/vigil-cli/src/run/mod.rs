//! `vigil run`: a command runs as if we were not there, and what it did is recorded.
//!
//! ```text
//!  child ──pipes──► pumps ──► our stdout, stderr     first of all, byte for byte
//!                     └──taps──► watch ──► telemetry  beside it, bounded
//!  signals ──► signal thread ──► child              our pid's only; a terminal's reach it anyway
//!  transcripts on disk ─────► watch
//! ```
//!
//! The child's bytes, signals and exit status come first. When nothing can be prepared (no thread, no pipe) the
//! command is run unobserved.

mod aside;
mod child;
mod observe;
mod plan;
mod pump;
mod signals;
mod tap;
pub(crate) mod transcripts;

pub(crate) use pump::pass_on_standard_input;

use crate::args::RunArgs;
use crate::output::{Styles, to_stderr};
use crate::report::{self, Gaps, ProcessEnd, Report};
use crate::system::{self, in_thread};
use child::{Running, SignalThread};
use observe::{Observed, Watch};
use signals::Signals;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use tap::Tap;
use vigil::Telemetry;
use vigil_adapters::{Observer, Options, RunEnd};
use vigil_core::id::{SpanContext, SpanId, TraceId};
use vigil_core::vocab::Originator;

/// Runs the command and returns its exit status.
pub(crate) fn run(arguments: RunArgs) -> ExitCode {
    // Before any thread, so that all of them hold the signals back.
    let signals = Signals::block();
    let cannot_start = match Prepared::new(&arguments, signals) {
        Ok(prepared) => match prepared.run(&arguments) {
            Ok(code) => return code,
            Err(cannot_start) => cannot_start,
        },
        Err(error) => {
            if !arguments.quiet {
                to_stderr(&format!("vigil: the command runs unobserved: {error}\n"));
            }
            child::become_it(&arguments.command, signals)
        }
    };
    // Told even when quiet: nobody else says why nothing ran.
    let program = arguments.command.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    to_stderr(&format!("vigil: cannot run {}: {}\n", crate::output::printable(&program), cannot_start.why));
    ExitCode::from(cannot_start.exit)
}

/// Everything that is there before the child is.
struct Prepared {
    telemetry: Telemetry,
    output: child::Output,
    tap: Arc<Tap>,
    watch: JoinHandle<Watch>,
    pumps: Pumps,
    /// Closed when the child has ended, which the pump notices.
    child_lives: io::PipeWriter,
    signals: Signals,
    signal_thread: SignalThread,
    /// What the signal thread exits with when it is asked to end after the child did.
    exit_status: Arc<AtomicU8>,
    trace_parent: Option<String>,
    started_at: vigil_core::fact::UnixNanos,
}

impl Prepared {
    fn new(arguments: &RunArgs, signals: Signals) -> io::Result<Self> {
        let command = &arguments.command;
        let telemetry = arguments.destinations.start(arguments.quiet, true);
        let agent = plan::agent(command);
        let parent = telemetry.parent_from_env();
        let own = own_context(parent)?;
        let mut observer = Observer::new(Options {
            originator: Originator::Cli,
            parent,
            program: Some(plan::program_name(command)),
            agent_context: Some(own),
            capture_content: telemetry.content_allowed(),
            records_expected: agent.is_some(),
            utc_offset_seconds: system::utc_offset_seconds(),
        });
        let session = plan::named_session(command);
        let streams = plan::streams(command, arguments.stdout, arguments.stderr)?;
        let (tap, tap_of_stderr) = (Arc::new(Tap::new()), Arc::new(Tap::for_stderr()));
        let started_at = system::now();
        observer.process_started(started_at);
        let watch = Watch::begin(observer, telemetry.clone(), agent, session.as_deref());
        let follow_disk = streams.stdout.is_none();
        let watch = in_thread("vigil-watch", {
            let (tap, tap_of_stderr) = (Arc::clone(&tap), Arc::clone(&tap_of_stderr));
            move || watch.watch(&tap, &tap_of_stderr, follow_disk)
        })?;
        if streams.stderr.is_none() {
            tap_of_stderr.close();
        }
        let (child_gone, child_lives) = io::pipe()?;
        let child_gone = Arc::new(child_gone);
        let pumps = Pumps {
            stdout: pump(streams.stdout, Own::Stdout, &child_gone, &tap)?,
            stderr: pump(streams.stderr, Own::Stderr, &child_gone, &tap_of_stderr)?,
        };
        let exit_status = Arc::new(AtomicU8::new(0));
        let signal_thread = SignalThread::start(signals, {
            let exit_status = Arc::clone(&exit_status);
            // Asked to end while delivering: the command is done, and its status stands.
            move || std::process::exit(i32::from(exit_status.load(Ordering::Relaxed)))
        })?;
        // Claude's spans get their ids from its session, so no context made here would be its own. A span that is not
        // recorded is nobody's parent either: what was inherited then stays.
        let trace_parent = (agent.is_none() && telemetry.is_on()).then(|| telemetry.traceparent_of(own));
        Ok(Self {
            telemetry,
            output: streams.child,
            tap,
            watch,
            pumps,
            child_lives,
            signals,
            signal_thread,
            exit_status,
            trace_parent,
            started_at,
        })
    }

    fn run(self, arguments: &RunArgs) -> Result<ExitCode, child::CannotStart> {
        let environment: Vec<_> = self.trace_parent.map(|value| ("TRACEPARENT", value)).into_iter().collect();
        let running: Running = child::start(&arguments.command, &environment, self.output, self.signals)?;
        self.signal_thread.serve(&running);
        let waited = running.wait();
        let ended_at = system::now();
        let ended = waited.unwrap_or_else(|error| {
            if !arguments.quiet {
                to_stderr(&format!("vigil: the command's end was not learnt: {error}\n"));
            }
            child::Ended { code: None, signal: None }
        });
        self.exit_status.store(ended.exit_status(), Ordering::Relaxed);
        drop(self.child_lives);
        let mut left_behind = false;
        // stderr first: all of it is there when the watch learns from the other tap that nothing comes any more.
        for (own, pump) in [(Own::Stderr, self.pumps.stderr), (Own::Stdout, self.pumps.stdout)] {
            match pump.map(JoinHandle::join) {
                Some(Ok(pump::Ended::LeftOpen(source))) => left_behind |= leave_behind(source, own, self.signals),
                Some(Ok(pump::Ended::Failed(error))) if !arguments.quiet => {
                    to_stderr(&format!("vigil: the command's {own} could not be written: {error}\n"));
                }
                _ => {}
            }
        }
        self.tap.close();
        let Ok(watch) = self.watch.join() else { return Ok(ExitCode::from(ended.exit_status())) };
        let end = RunEnd {
            at: Some(ended_at),
            exit_code: ended.code,
            signal: ended.signal,
            started_at: Some(self.started_at),
        };
        let Observed { summary, unobserved, ambiguous } = watch.finish(end);
        let receipt = arguments.destinations.end(&self.telemetry);
        // Whoever said how long to wait has waited.
        let delivered_behind = receipt.spooled() > 0
            && arguments.destinations.deliver_within.is_none()
            && leave_deliverer_behind(self.signals);
        let destinations = self.telemetry.destinations();
        let report = Report {
            summary: &summary,
            process: Some(ProcessEnd { exit_code: ended.code, signal: ended.signal }),
            gaps: Gaps { unobserved_bytes: unobserved, ambiguous, left_behind },
        };
        if arguments.json {
            let mut summary = report.json();
            summary["delivery"] = report::delivery_json(destinations, &receipt);
            to_stderr(&format!("{summary}\n"));
        } else if !arguments.quiet {
            let styles = Styles::for_stream(&io::stderr());
            let trace = format!("trace {} ", summary.agent_context.trace_id);
            to_stderr(&(report.text(styles) + &report::delivery_text(&trace, destinations, &receipt, styles)));
            if delivered_behind {
                to_stderr("  a process in the background delivers it\n");
            }
        }
        Ok(ExitCode::from(ended.exit_status()))
    }
}

/// The threads that pass the child's output on, where it is ours to pass on.
struct Pumps {
    stdout: Option<JoinHandle<pump::Ended>>,
    stderr: Option<JoinHandle<pump::Ended>>,
}

/// Where output is passed on to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Own {
    Stdout,
    Stderr,
}

impl std::fmt::Display for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if *self == Own::Stdout { "output" } else { "stderr" })
    }
}

/// Starts passing `source` on, if there is one. Where there is none its tap stays empty.
fn pump(
    source: Option<OwnedFd>,
    own: Own,
    child_gone: &Arc<io::PipeReader>,
    tap: &Arc<Tap>,
) -> io::Result<Option<JoinHandle<pump::Ended>>> {
    let Some(source) = source else { return Ok(None) };
    let (tap, child_gone) = (Arc::clone(tap), Arc::clone(child_gone));
    let body = move || match own {
        Own::Stdout => pump::pass_on(source, io::stdout().as_fd(), child_gone.as_fd(), &tap),
        Own::Stderr => pump::pass_on(source, io::stderr().as_fd(), child_gone.as_fd(), &tap),
    };
    in_thread(if own == Own::Stdout { "vigil-pump" } else { "vigil-pump-err" }, body).map(Some)
}

/// A fresh identity for the command's own span, in the trace that is inherited if there is one.
fn own_context(parent: Option<SpanContext>) -> io::Result<SpanContext> {
    let (mut trace_id, mut span_id) = ([0; 16], [0; 8]);
    let mut random = File::open("/dev/urandom")?;
    random.read_exact(&mut trace_id)?;
    random.read_exact(&mut span_id)?;
    // All zeros would mean "none"; one bit set costs nothing.
    span_id[7] |= 1;
    trace_id[15] |= 1;
    let trace_id = parent.map_or(TraceId(trace_id), |parent| parent.trace_id);
    Ok(SpanContext { trace_id, span_id: SpanId(span_id) })
}

/// What is in the spool is delivered by a process of its own, for half a minute at most: nobody waits for it.
fn leave_deliverer_behind(signals: Signals) -> bool {
    let Some(mut command) = own_program() else { return false };
    command.args(["spool", "drain", "--quiet", "--within", "30", "--give-up"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C at the terminal is not meant for it.
    command.process_group(0);
    signals.release_in(&mut command);
    command.spawn().is_ok()
}

/// The program as it runs, also when its file was replaced meanwhile.
fn own_program() -> Option<Command> {
    let program = if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() };
    program.ok().map(Command::new)
}

/// Something the command left behind still writes: a process of ours stays to pass it on, so that the writer
/// meets no closed pipe and we need not wait for it.
fn leave_behind(source: OwnedFd, own: Own, signals: Signals) -> bool {
    let Some(mut command) = own_program() else { return false };
    command.arg("pass-on").stdin(Stdio::from(source));
    if own == Own::Stderr {
        let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return false };
        command.stdout(Stdio::from(stderr));
    }
    command.stderr(Stdio::null());
    signals.release_in(&mut command);
    command.spawn().is_ok()
}
