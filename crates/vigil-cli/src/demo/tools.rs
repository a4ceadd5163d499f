//! The agent's hands: tools that really read, list, write and run, all of them through the gateway.
//!
//! What may be touched is the policy's to say ([`super::policy`]); here is only what a tool means. A text for the model is
//! cut after [`RESULT_BYTES`].

use super::events::Events;
use super::model::{ToolCall, ToolDefinition};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use vigil::gateway::{
    CommandRequest, Gateway, GatewayError, Policy, ReadFile, RunCommand, WriteFile, WriteRequest, capability,
};
use vigil::{Budget, Decision, ErrorType, Span, ToolStatus};

/// The longest text the model is given: 16 KiB.
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
    /// Why it was not done at all, where somebody said no.
    pub(crate) refusal: Option<ErrorType>,
    /// Why nothing more can be done: the run cannot be recorded on, or is not the one it replays.
    pub(crate) end: Option<ErrorType>,
}

impl Outcome {
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: ToolStatus::Ok, exit_code: None, refusal: None, end: None }
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self { text: text.into(), status: ToolStatus::Error, exit_code: None, refusal: None, end: None }
    }

    pub(crate) fn refused(text: impl Into<String>, why: ErrorType) -> Self {
        Self { refusal: Some(why), ..Self::failed(text) }
    }
}

impl From<GatewayError> for Outcome {
    fn from(error: GatewayError) -> Self {
        let text = error.to_string();
        let kind = error.error_type();
        match error {
            GatewayError::Denied(_) => Self::refused(text, ErrorType::DENIED),
            GatewayError::BudgetExceeded(_) => Self::refused(text, ErrorType::BUDGET_EXHAUSTED),
            GatewayError::Runtime(error) if error.error_type == ErrorType::TIMEOUT => {
                Self { status: ToolStatus::Timeout, ..Self::failed(text) }
            }
            GatewayError::Runtime(_) => Self::failed(text),
            _ => Self { end: Some(kind), ..Self::failed(text) },
        }
    }
}

/// The tools of one folder.
#[derive(Debug)]
pub(crate) struct Tools {
    /// `None` in a replay: nothing is touched.
    folder: Option<PathBuf>,
    gateway: Gateway,
}

impl Tools {
    /// The tools of `folder`, which must exist, as far as `policy` lets them; none only where `events` are replayed.
    /// Nothing is begun when the time of `budget` is over.
    pub(crate) fn new(folder: Option<&Path>, policy: Policy, budget: &Budget, events: &Events) -> io::Result<Self> {
        let folder = folder.map(Path::canonicalize).transpose()?;
        let mut gateway = events.attach(Gateway::builder(policy).budget(budget));
        if let Some(folder) = &folder {
            gateway = gateway.folder(folder);
        }
        Ok(Self { folder, gateway: gateway.build() })
    }

    /// What all of them pass, and the models too.
    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// What the policy says about a call that has an effect, `None` where nobody needs to be asked.
    pub(crate) fn decide(&self, call: &ToolCall) -> Option<Decision> {
        let capability = match call.name.as_str() {
            "write_file" => capability::FS_WRITE,
            "run_command" => capability::PROCESS_RUN,
            _ => return None,
        };
        Some(if self.gateway.ask(capability).allowed { Decision::Accept } else { Decision::Reject })
    }

    /// Does what `call` asks for; `None` where there is no such tool. What it does is recorded below `span`.
    pub(crate) fn run(&self, span: &Span, call: &ToolCall) -> Option<Outcome> {
        let text = |name: &str| {
            argument(call, name).ok_or_else(|| Outcome::failed(format!("the argument `{name}` is missing")))
        };
        let outcome = match call.name.as_str() {
            "list_files" => self.list_files(span).map(|files| Outcome::ok(files.join("\n"))),
            "read_file" => text("path").and_then(|path| self.read_file(span, path)),
            "write_file" => text("path").and_then(|path| self.write_file(span, path, text("content")?)),
            "run_command" => text("command").and_then(|command| self.run_command(span, command)),
            _ => return None,
        };
        Some(outcome.unwrap_or_else(|refused| refused))
    }

    /// The paths of all files, in order. Something of one's own goes through the gateway as a closure.
    pub(crate) fn list_files(&self, span: &Span) -> Result<Vec<String>, Outcome> {
        let files = self.gateway.call(span, capability::FS_READ, ".", |_| {
            let names = self.names();
            Ok::<_, io::Error>(vigil::gateway::Json(names))
        });
        Ok(files?.0)
    }

    fn names(&self) -> Vec<String> {
        let mut files = Vec::new();
        let Some(folder) = &self.folder else { return files };
        let mut found = Vec::new();
        list(folder, LISTED_DEPTH, &mut found);
        files.extend(found.iter().filter_map(|file| Some(file.strip_prefix(folder).ok()?.display().to_string())));
        files.sort();
        files
    }

    /// What is ready to use goes through the gateway as a handler with its request.
    fn read_file(&self, span: &Span, path: &str) -> Result<Outcome, Outcome> {
        let bytes = self.gateway.run(span, &ReadFile, PathBuf::from(path))?;
        Ok(Outcome::ok(shown(&bytes)))
    }

    fn write_file(&self, span: &Span, path: &str, content: &str) -> Result<Outcome, Outcome> {
        self.gateway.run(span, &WriteFile, WriteRequest::new(path, content))?;
        Ok(Outcome::ok("written"))
    }

    /// The command continues the trace: what it records hangs below its capability call.
    fn run_command(&self, span: &Span, command: &str) -> Result<Outcome, Outcome> {
        let mut words = command.split(' ');
        let request = CommandRequest::new(words.next().unwrap_or_default(), words);
        let output = self.gateway.run(span, &RunCommand, request)?;
        let status = if output.exit_code == Some(0) { ToolStatus::Ok } else { ToolStatus::Error };
        let text = shown(&[output.stdout, output.stderr].concat());
        Ok(Outcome { status, exit_code: output.exit_code, ..Outcome::ok(text) })
    }

    /// Removes everything in the folder and the folder itself; answers how many files that were. The program's own
    /// doing, not the agent's.
    pub(crate) fn clean_up(&self) -> io::Result<u64> {
        let count = self.names().len() as u64;
        if let Some(folder) = &self.folder {
            fs::remove_dir_all(folder)?;
        }
        Ok(count)
    }
}

/// The beginning of a text, for the model.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(RESULT_BYTES)]).into_owned()
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

#[cfg(test)]
mod tests;
