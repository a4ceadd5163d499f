//! What is known of a command before it runs: which agent it is, whether it wants a terminal, which session it
//! will have.

use super::child::Output;
use super::pump;
use crate::args::StreamChoice;
use std::ffi::{OsStr, OsString};
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// An agent whose output and files are understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Agent {
    /// Claude Code.
    Claude,
}

/// The name a command goes by: its file name.
pub(crate) fn program_name(command: &[OsString]) -> String {
    let program = command.first().map(Path::new).and_then(Path::file_name).unwrap_or(OsStr::new("?"));
    program.to_string_lossy().into_owned()
}

/// Which agent a command starts, directly or through a package runner (`npx @anthropic-ai/claude-code`).
pub(crate) fn agent(command: &[OsString]) -> Option<Agent> {
    let is_claude = |name: &str| matches!(name, "claude" | "claude-code" | "claude.exe");
    let through_runner = |argument: &OsString| {
        let argument = argument.to_string_lossy();
        argument.split('/').any(|part| part == "claude-code" || part.starts_with("claude-code@"))
    };
    let claude = is_claude(&program_name(command))
        || matches!(program_name(command).as_str(), "npx" | "bunx" | "node" | "bun" | "pnpm" | "yarn")
            && command.iter().skip(1).take(3).any(through_runner);
    claude.then_some(Agent::Claude)
}

/// Whether a command says that its output is for machines.
fn is_for_machines(command: &[OsString]) -> bool {
    let agent = agent(command);
    command.iter().skip(1).any(|argument| {
        let argument = argument.to_string_lossy();
        argument.starts_with("--output-format") || agent.is_some() && matches!(&*argument, "-p" | "--print")
    })
}

/// The session a Claude command line names: `--session-id ID` and `--resume ID`, but not when it is forked.
pub(crate) fn named_session(command: &[OsString]) -> Option<String> {
    let arguments: Vec<_> = command.iter().skip(1).map(|argument| argument.to_string_lossy()).collect();
    if agent(command).is_none() || arguments.iter().any(|argument| argument == "--fork-session") {
        return None;
    }
    let mut found = None;
    for (index, argument) in arguments.iter().enumerate() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (&**argument, arguments.get(index + 1).map(|next| &**next)),
        };
        if matches!(name, "--session-id" | "--resume" | "-r") {
            found = value.filter(|id| is_session_id(id)).map(str::to_owned).or(found);
        }
    }
    found
}

/// Whether `text` is safe and plausible as a session id: it becomes part of a path.
pub(crate) fn is_session_id(text: &str) -> bool {
    (8..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        && !text.starts_with('-')
}

/// The child's output: what it gets, and our ends of it where that is a pipe.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) child: Output,
    pub(crate) stdout: Option<OwnedFd>,
    pub(crate) stderr: Option<OwnedFd>,
}

/// Decides what the child gets for its stdout and stderr.
///
/// A terminal stays the child's own: programs look at it to decide on colours, progress bars and questions. Where
/// our two are one and the same file its two are one pipe, or both that file, so that the order of what is written
/// to both stays.
pub(crate) fn streams(command: &[OsString], out: StreamChoice, err: StreamChoice) -> std::io::Result<Streams> {
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let pipes_stdout = match out {
        StreamChoice::Inherit => false,
        StreamChoice::Pipe => true,
        StreamChoice::Auto => !stdout.is_terminal() || is_for_machines(command),
    };
    // A terminal may be both and yet stderr stays on it: what is said there is for the person in front of it.
    let one_file = !stderr.is_terminal() && same_file(stdout.as_fd(), stderr.as_fd());
    let pipes_stderr = match err {
        StreamChoice::Inherit => false,
        StreamChoice::Pipe => true,
        StreamChoice::Auto => !stderr.is_terminal() && (pipes_stdout || !one_file),
    };
    let mut streams = Streams::default();
    if pipes_stdout {
        let (read, write) = pump::large_pipe()?;
        (streams.stdout, streams.child.stdout) = (Some(read), Some(write));
    }
    match &streams.child.stdout {
        Some(shared) if pipes_stderr && one_file => streams.child.stderr = Some(shared.try_clone()?),
        _ if pipes_stderr => {
            let (read, write) = pump::large_pipe()?;
            (streams.stderr, streams.child.stderr) = (Some(read), Some(write));
        }
        _ => {}
    }
    Ok(streams)
}

fn same_file(one: impl AsFd, other: impl AsFd) -> bool {
    match (rustix::fs::fstat(one), rustix::fs::fstat(other)) {
        // `/dev/null` keeps no order.
        (Ok(one), Ok(other)) => {
            (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
                && rustix::fs::FileType::from_raw_mode(one.st_mode) != rustix::fs::FileType::CharacterDevice
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn claude_is_known_by_its_name_and_through_a_runner() {
        for line in
            ["claude", "/opt/bin/claude -p x", "npx -y @anthropic-ai/claude-code@2 -p", "node /x/claude-code/cli.js"]
        {
            assert_eq!(agent(&command(line)), Some(Agent::Claude), "{line}");
        }
        for line in ["make claude", "cat claude-code", "bash -c claude", "npx cowsay claude"] {
            assert_eq!(agent(&command(line)), None, "{line}");
        }
    }

    #[test]
    fn print_mode_is_for_machines_and_other_programs_keep_their_dash_p() {
        for line in
            ["claude -p x", "claude --print", "claude --output-format json", "wrapper --output-format=stream-json"]
        {
            assert!(is_for_machines(&command(line)), "{line}");
        }
        for line in ["claude", "claude --resume x", "mkdir -p a"] {
            assert!(!is_for_machines(&command(line)), "{line}");
        }
    }

    #[test]
    fn the_session_is_the_named_one_unless_it_is_forked() {
        let id = "61bbc5f6-b224-4a3d-bd4b-3acccda8e018";
        let named = |line: String| named_session(&command(&line));
        assert_eq!(named(format!("claude --session-id {id}")).as_deref(), Some(id));
        assert_eq!(named(format!("claude --resume={id} -p x")).as_deref(), Some(id));
        assert_eq!(named(format!("claude --resume {id} --fork-session")), None);
        assert_eq!(named("claude --resume".into()), None);
        assert_eq!(named("claude --resume ../../../etc/passwd".into()), None);
        assert_eq!(named(format!("mytool --session-id {id}")), None);
    }
}
