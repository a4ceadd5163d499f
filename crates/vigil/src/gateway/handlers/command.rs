//! Running a program: no shell, an environment of its own, and an end to everything it may do.
//!
//! - The program is looked for as the gateway's `PATH` has it, and is compared with `process_policy.commands` by the
//!   folder it is found in and its name; its arguments word by word.
//! - It sees the variables `process_policy.environment` names, and the trace context, so that what it records
//!   hangs below this call.
//! - It is run in the folder the request names, which is resolved and held against `process_policy.folders`.
//! - Of stdout and stderr at most `process_policy.max_output_bytes` each are kept; the rest is read and dropped.
//! - When `process_policy.timeout_ms` are over it is killed, with all it started that is still in its group.

use super::files::resolved_folder;
use super::places::plain;
use crate::clock::monotonic;
use crate::gateway::error::BoxError;
use crate::gateway::{Answer, Call, Handler, Payload, RuntimeError, Walk};
use crate::settings::Environment;
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use vigil_core::policy::{Clause, Denied, capability};
use vigil_core::vocab::ErrorType;

/// The shortest and the longest pause between two looks at whether a program has ended.
const LOOK_MIN: Duration = Duration::from_millis(1);
const LOOK_MAX: Duration = Duration::from_millis(20);

/// A program to be run.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommandRequest {
    /// The program: a name to look for, or a path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The folder to run it in; the gateway's own where there is none.
    pub folder: Option<PathBuf>,
    /// What it can read on stdin.
    pub input: Vec<u8>,
}

impl CommandRequest {
    /// A program with its arguments.
    pub fn new<W: Into<String>>(program: impl Into<String>, arguments: impl IntoIterator<Item = W>) -> Self {
        let arguments = arguments.into_iter().map(Into::into).collect();
        Self { program: program.into(), arguments, ..Self::default() }
    }

    /// The folder to run it in.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// What it can read on stdin.
    #[must_use]
    pub fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }
}

impl Payload for CommandRequest {
    fn walk(&self, walk: &mut Walk) {
        (&self.program, &self.arguments, &self.folder, &self.input).walk(walk);
    }
}

/// What a program came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CommandOutput {
    /// Its exit status; `None` where a signal ended it.
    pub exit_code: Option<i32>,
    /// What it wrote to stdout, as far as it was kept.
    pub stdout: Vec<u8>,
    /// What it wrote to stderr, as far as it was kept.
    pub stderr: Vec<u8>,
    /// Whether it wrote more than was kept.
    pub truncated: bool,
}

impl Payload for CommandOutput {
    fn walk(&self, walk: &mut Walk) {
        (self.exit_code, &self.stdout, &self.stderr, self.truncated).walk(walk);
    }
}

impl Answer for CommandOutput {
    /// `truncated u8 | has an exit status u8 | exit status i32 | length of stdout u64 | stdout | stderr`, little endian.
    fn to_record(&self) -> Vec<u8> {
        let mut record = vec![u8::from(self.truncated), u8::from(self.exit_code.is_some())];
        record.extend(self.exit_code.unwrap_or(0).to_le_bytes());
        record.extend((self.stdout.len() as u64).to_le_bytes());
        record.extend_from_slice(&self.stdout);
        record.extend_from_slice(&self.stderr);
        record
    }

    fn from_record(bytes: &[u8]) -> Option<Self> {
        let (truncated, rest) = bytes.split_first()?;
        let (has_code, rest) = rest.split_first()?;
        let (code, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (stdout, stderr) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        Some(Self {
            exit_code: (*has_code == 1).then_some(i32::from_le_bytes(*code)),
            stdout: stdout.to_vec(),
            stderr: stderr.to_vec(),
            truncated: *truncated == 1,
        })
    }
}

/// Runs a program to its end. Takes a [`CommandRequest`]. That it ended badly is no error of the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RunCommand;

impl Handler<CommandRequest> for RunCommand {
    type Answer = CommandOutput;

    fn capability(&self) -> &str {
        capability::PROCESS_RUN
    }

    fn handle(&self, call: &Call<'_>, request: CommandRequest) -> Result<CommandOutput, BoxError> {
        let denied = |clause| Denied { capability: capability::PROCESS_RUN.to_owned(), clause };
        let (policy, environment) = (call.policy(), Environment::Process);
        let folder = resolved_folder(&call.places().absolute(request.folder.as_deref().unwrap_or(Path::new(""))))?;
        let folder_text = plain(&folder).ok_or_else(|| denied(Clause::Folders))?;
        policy.check_folder(&folder_text).map_err(denied)?;

        let search = environment.get("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
        let find = |program: &str| find(program, &search, &folder);
        let program = find(&request.program);
        let is_program = |pattern: &str| program.is_some() && find(pattern) == program;
        policy.check_command(is_program, request.arguments.iter().map(String::as_str)).map_err(denied)?;
        let program = program.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;

        let mut command = Command::new(program);
        command.args(&request.arguments).current_dir(&folder).env_clear();
        for name in &policy.processes.environment {
            if let Some(value) = environment.get(name) {
                command.env(name, value);
            }
        }
        command.envs(call.span().child_env());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(|error| RuntimeError::new(ErrorType::START_FAILED, error))?;
        let time = Duration::from_millis(policy.processes.timeout_ms);
        Running { child, until: monotonic() + time }.watch(request.input, policy.processes.max_output_bytes)
    }
}

/// Where `program` lies: its folder resolved, its own name as it is. A program is often a link to one that does many
/// things by the name it is called by, so two names are two programs whatever they lead to.
fn find(program: &str, search: &str, folder: &Path) -> Option<PathBuf> {
    let in_place = |path: &Path| {
        let name = path.file_name()?;
        let place = path.parent()?.canonicalize().ok()?.join(name);
        place.is_file().then_some(place)
    };
    if Path::new(program).components().count() > 1 {
        return in_place(&folder.join(program));
    }
    // A relative folder in the search path is a way for whoever may write in the working folder to be found first.
    let folders = std::env::split_paths(OsStr::new(search)).filter(|folder| folder.is_absolute());
    folders.into_iter().find_map(|folder| in_place(&folder.join(program)))
}

/// A program that was started.
struct Running {
    child: Child,
    until: Instant,
}

/// What was kept of a pipe, and whether there was more.
type Kept = (Vec<u8>, bool);

impl Running {
    fn watch(mut self, input: Vec<u8>, most: u64) -> Result<CommandOutput, BoxError> {
        let kept = self.pipes(input, most).and_then(|pipes| self.wait(&pipes));
        // However it went, nothing stays behind.
        self.kill();
        let status = self.child.wait()?;
        let Some([(stdout, more), (stderr, more_errors)]) = kept? else {
            return Err(RuntimeError::new(ErrorType::TIMEOUT, "the program took too long and was killed").into());
        };
        Ok(CommandOutput { exit_code: status.code(), stdout, stderr, truncated: more || more_errors })
    }

    fn pipes(&mut self, input: Vec<u8>, most: u64) -> io::Result<[Receiver<Kept>; 2]> {
        if let Some(mut stdin) = self.child.stdin.take() {
            // A program that does not read what it is given is free to.
            crate::shell::spawn("command-input", move || drop(stdin.write_all(&input)))?;
        }
        Ok([keep(self.child.stdout.take(), most)?, keep(self.child.stderr.take(), most)?])
    }

    /// Waits for the end of the program and of what it writes; `None` when the time is over.
    fn wait(&mut self, [stdout, stderr]: &[Receiver<Kept>; 2]) -> io::Result<Option<[Kept; 2]>> {
        let mut pause = LOOK_MIN;
        while !self.has_ended()? {
            let left = self.until.saturating_duration_since(monotonic());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(LOOK_MAX);
        }
        // What it started may still write; it has as long as the program had.
        let rest = |pipe: &Receiver<Kept>| pipe.recv_timeout(self.until.saturating_duration_since(monotonic())).ok();
        Ok(rest(stdout).zip(rest(stderr)).map(|(stdout, stderr)| [stdout, stderr]))
    }

    /// Whether the program has ended. It is not waited for yet, so that its number stays its own.
    #[cfg(unix)]
    fn has_ended(&mut self) -> io::Result<bool> {
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) else { return Ok(true) };
        Ok(waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT)?.is_some())
    }

    #[cfg(not(unix))]
    fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends the program and all it started that is still in its group. Before it is waited for: its number names
    /// the group until then and nobody else's.
    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(group) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            // Gone by itself otherwise.
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
        drop(self.child.kill());
    }
}

/// Reads a pipe to its end and keeps the first `most` bytes.
fn keep(pipe: Option<impl Read + Send + 'static>, most: u64) -> io::Result<Receiver<Kept>> {
    let (sender, receiver) = channel();
    crate::shell::spawn("command-output", move || {
        let mut kept = Vec::new();
        let Some(mut pipe) = pipe else { return };
        let read = pipe.by_ref().take(most).read_to_end(&mut kept);
        let more = read.and_then(|_| io::copy(&mut pipe, &mut io::sink())).is_ok_and(|more| more > 0);
        // Whoever waited may have stopped.
        sender.send((kept, more)).ok();
    })?;
    Ok(receiver)
}
