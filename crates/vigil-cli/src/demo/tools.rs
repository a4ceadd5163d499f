//! The agent's hands: tools that really read, list, write and run, in one folder and nowhere else.
//!
//! A path is relative, has no `..` and leads through no symbolic link out of the folder. A command is one of
//! [`COMMANDS`], word for word, so a model can write what it likes and still run nothing of its own. A command has
//! [`COMMAND_TIME`], an empty environment but for `PATH` and the trace context, and is killed with all it
//! started when its time is over. A text is cut after [`RESULT_BYTES`].

use super::model::{ToolCall, ToolDefinition};
use crate::system::{in_thread, instant, variable};
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use vigil::{CapabilityError, Decision, Span, ToolStatus};

/// The commands that may be run.
const COMMANDS: &[&str] = &["sh check.sh"];
/// What a command may take: 5 seconds.
const COMMAND_TIME: Duration = Duration::from_secs(5);
/// The longest result, and the most that is written: 16 KiB.
const RESULT_BYTES: usize = 16 << 10;
/// The most files that are listed, and how deep: 200 files, 4 folders.
const LISTED_FILES: usize = 200;
const LISTED_DEPTH: usize = 4;

pub(crate) const LIST_FILES: ToolDefinition =
    ToolDefinition { name: "list_files", description: "Lists all files of the folder.", arguments: &[] };
pub(crate) const READ_FILE: ToolDefinition =
    ToolDefinition { name: "read_file", description: "Reads a file of the folder.", arguments: &["path"] };
pub(crate) const WRITE_FILE: ToolDefinition = ToolDefinition {
    name: "write_file",
    description: "Writes a file of the folder. Only report.md may be written.",
    arguments: &["path", "content"],
};
pub(crate) const RUN_COMMAND: ToolDefinition = ToolDefinition {
    name: "run_command",
    description: "Runs a command in the folder. Only `sh check.sh` may be run.",
    arguments: &["command"],
};

/// What a tool gave.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    /// For the model.
    pub(crate) text: String,
    pub(crate) status: ToolStatus,
    /// Of the command, where one ran to its end.
    pub(crate) exit_code: Option<i32>,
}

impl Outcome {
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: ToolStatus::Ok, exit_code: None }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: ToolStatus::Error, exit_code: None }
    }
}

/// The tools of one folder.
#[derive(Debug)]
pub(crate) struct Tools {
    folder: PathBuf,
    command_time: Duration,
}

impl Tools {
    /// The tools of `folder`, which must exist.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { folder: folder.canonicalize()?, command_time: COMMAND_TIME })
    }

    /// What the policy says about a call, `None` where nobody needs to be asked.
    pub(crate) fn decide(call: &ToolCall) -> Option<Decision> {
        let allowed = match call.name.as_str() {
            "write_file" => argument(call, "path") == Some("report.md"),
            "run_command" => argument(call, "command").is_some_and(|command| COMMANDS.contains(&command)),
            _ => return None,
        };
        Some(if allowed { Decision::Accept } else { Decision::Reject })
    }

    /// Does what `call` asks for; `None` where there is no such tool. What it does is recorded below `span`.
    pub(crate) fn run(&self, span: &Span, call: &ToolCall) -> Option<Outcome> {
        let text = |name: &str| argument(call, name).ok_or_else(|| format!("the argument `{name}` is missing"));
        let outcome = match call.name.as_str() {
            "list_files" => Ok(Outcome::ok(self.list_files().join("\n"))),
            "read_file" => text("path").and_then(|path| self.read_file(path)),
            "write_file" => text("path").and_then(|path| self.write_file(span, path, text("content")?)),
            "run_command" => text("command").and_then(|command| self.run_command(span, command)),
            _ => return None,
        };
        Some(outcome.unwrap_or_else(Outcome::failed))
    }

    /// The paths of all files, in order.
    pub(crate) fn list_files(&self) -> Vec<String> {
        let mut files = Vec::new();
        list(&self.folder, LISTED_DEPTH, &mut files);
        let mut names: Vec<String> = files
            .iter()
            .filter_map(|file| file.strip_prefix(&self.folder).ok())
            .map(|file| file.display().to_string())
            .collect();
        names.sort();
        names
    }

    fn read_file(&self, path: &str) -> Result<Outcome, String> {
        let path = self.inside(path)?;
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        file.take(RESULT_BYTES as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        Ok(Outcome::ok(String::from_utf8_lossy(&bytes)))
    }

    /// Writing is a side effect, so it has a span of its own with what went in and came out.
    fn write_file(&self, span: &Span, path: &str, content: &str) -> Result<Outcome, String> {
        let mut capability = span.capability_span("fs.write");
        capability.record_bytes(content.len() as u64, 0);
        let written = self.inside(path).and_then(|path| match content.len() {
            ..=RESULT_BYTES => fs::write(path, content).map_err(|error| error.to_string()),
            _ => Err(format!("a file has at most {RESULT_BYTES} bytes")),
        });
        match written {
            Ok(()) => {
                capability.finish();
                Ok(Outcome::ok("written"))
            }
            Err(error) => {
                capability.fail_capability(CapabilityError::RuntimeError);
                Err(error)
            }
        }
    }

    /// The command continues the trace: `child_env` gives it the tool's span as its parent.
    fn run_command(&self, span: &Span, command: &str) -> Result<Outcome, String> {
        if !COMMANDS.contains(&command) {
            return Err("this command may not be run".to_owned());
        }
        let mut words = command.split(' ');
        let child = Command::new(words.next().unwrap_or_default())
            .args(words)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", variable("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()))
            .envs(span.child_env())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("the command cannot be started: {error}"))?;
        wait(child, self.command_time).map_err(|error| error.to_string())
    }

    /// The place `path` names inside the folder. Its last part may not exist yet.
    fn inside(&self, path: &str) -> Result<PathBuf, String> {
        let outside = || "the path leads out of the folder".to_owned();
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        let path = Path::new(path);
        let name = path.file_name().filter(|_| path.components().all(plain)).ok_or_else(outside)?;
        let parent = self.folder.join(path.parent().unwrap_or(Path::new("")));
        let parent = parent.canonicalize().map_err(|error| error.to_string())?;
        let whole = parent.join(name);
        let is_link = fs::symlink_metadata(&whole).is_ok_and(|metadata| metadata.is_symlink());
        if is_link || !parent.starts_with(&self.folder) { Err(outside()) } else { Ok(whole) }
    }

    /// Removes everything in the folder and the folder itself; answers how many files that were.
    pub(crate) fn clean_up(&self) -> io::Result<u64> {
        let count = self.list_files().len() as u64;
        fs::remove_dir_all(&self.folder)?;
        Ok(count)
    }
}

fn argument<'a>(call: &'a ToolCall, name: &str) -> Option<&'a str> {
    call.arguments.get(name)?.as_str()
}

fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            _ if files.len() >= LISTED_FILES => return,
            Ok(kind) if kind.is_dir() && depth > 0 => list(&entry.path(), depth - 1, files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

fn wait(mut child: Child, time: Duration) -> io::Result<Outcome> {
    let until = instant() + time;
    let output = collect(child.stdout.take())?;
    let errors = collect(child.stderr.take())?;
    let status = loop {
        match child.try_wait()? {
            None if instant() < until => thread::sleep(Duration::from_millis(2)),
            status => break status,
        }
    };
    if status.is_none() {
        // Not waited for yet, so its number still names its group.
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            let _gone_by_itself = kill_process_group(group, Signal::KILL);
        }
        child.wait()?;
    }
    let text = [output, errors].map(|reader| reader.join().unwrap_or_default()).concat();
    Ok(match status {
        None => Outcome { text: "the command took too long".to_owned(), status: ToolStatus::Timeout, exit_code: None },
        Some(status) => {
            let tool_status = if status.success() { ToolStatus::Ok } else { ToolStatus::Error };
            Outcome { text, status: tool_status, exit_code: status.code() }
        }
    })
}

/// Reads a pipe to its end and keeps the first [`RESULT_BYTES`].
fn collect(pipe: Option<impl Read + Send + 'static>) -> io::Result<JoinHandle<String>> {
    in_thread("demo-output", move || {
        let Some(mut pipe) = pipe else { return String::new() };
        let mut kept = Vec::new();
        let read = pipe.by_ref().take(RESULT_BYTES as u64).read_to_end(&mut kept);
        drop(read.and_then(|_| io::copy(&mut pipe, &mut io::sink())));
        String::from_utf8_lossy(&kept).into_owned()
    })
}

#[cfg(test)]
mod tests;
