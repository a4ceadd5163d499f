//! Which of the given files are recordings, and which belong together.
//!
//! A file is told by its content, not its name: [`HEAD_BYTES`] of it are read. Folders are walked [`DEPTH`] deep
//! without following links to folders, and hold at most [`FILES`] files for us; in a folder only `.jsonl`,
//! `.ndjson` and `.json` files are looked at, and what is no recording is not worth a word.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use vigil_adapters::{Format, agent_id_of_file, detect, session_key};

/// How much of a file is read to tell what it is: 1 MiB, since a single JSON result names its session late.
const HEAD_BYTES: u64 = 1 << 20;
/// How deep folders are walked.
const DEPTH: usize = 16;
/// How many files are looked at in all.
const FILES: usize = 200_000;

/// The recordings of one session.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// Recorded outputs, one a process, in the order of their names.
    pub(crate) streams: Vec<Stream>,
    /// The session's own transcript; several when there are copies of it, which change nothing.
    pub(crate) transcripts: Vec<PathBuf>,
    /// Transcripts of its sub-agents with their ids.
    pub(crate) sub_agents: Vec<(String, PathBuf)>,
}

/// The recorded output of one process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) path: PathBuf,
    /// A single result, which names no times.
    pub(crate) is_result_only: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Sessions, in the order they were found.
    pub(crate) sessions: Vec<Session>,
    /// Files that were given by name and are not used, with the reason.
    pub(crate) skipped: Vec<(PathBuf, String)>,
}

/// Looks at `paths`.
pub(crate) fn discover(paths: &[PathBuf]) -> Found {
    let mut discovery = Discovery::default();
    for path in paths {
        match fs::metadata(path) {
            Ok(about) if about.is_dir() => discovery.walk(path, 0),
            Ok(_) => discovery.look(path, true),
            Err(error) => discovery.found.skipped.push((path.clone(), error.to_string())),
        }
    }
    for session in &mut discovery.found.sessions {
        session.streams.sort_by_key(|stream| process_order(&stream.path));
    }
    discovery.found
}

#[derive(Default)]
struct Discovery {
    found: Found,
    by_key: HashMap<String, usize>,
    seen: HashSet<PathBuf>,
}

impl Discovery {
    fn walk(&mut self, folder: &Path, depth: usize) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return self.found.skipped.push((folder.to_owned(), error.to_string())),
        };
        let mut entries: Vec<_> = entries.flatten().collect();
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth < DEPTH => self.walk(&path, depth + 1),
                Ok(kind) if kind.is_dir() => {}
                Ok(_) if self.seen.len() < FILES && may_be_recording(&path) => self.look(&path, false),
                _ => {}
            }
        }
    }

    /// Looks at one file; `named`: a person named it and is told why it is not used.
    fn look(&mut self, path: &Path, named: bool) {
        if !self.seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())) {
            return;
        }
        let head = match read_head(path) {
            Ok(head) => head,
            Err(error) => return self.found.skipped.push((path.to_owned(), error.to_string())),
        };
        let format = detect(&head);
        if format == Format::Unknown {
            if named {
                let why = if head.is_empty() { "it is empty" } else { "it is no recording of an agent that is known" };
                self.found.skipped.push((path.to_owned(), why.to_owned()));
            }
            return;
        }
        let key = session_key(&head).unwrap_or_else(|| path.to_string_lossy().into_owned());
        let index = *self.by_key.entry(key).or_insert_with(|| {
            self.found.sessions.push(Session::default());
            self.found.sessions.len() - 1
        });
        let Some(session) = self.found.sessions.get_mut(index) else { return };
        let agent = path.file_name().and_then(OsStr::to_str).and_then(agent_id_of_file);
        match (format, agent) {
            (Format::ClaudeTranscript, Some(agent)) => session.sub_agents.push((agent.to_owned(), path.to_owned())),
            (Format::ClaudeTranscript, None) => session.transcripts.push(path.to_owned()),
            (format, _) => {
                session.streams.push(Stream { path: path.to_owned(), is_result_only: format == Format::ClaudeJson })
            }
        }
    }
}

fn may_be_recording(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    [".jsonl", ".ndjson", ".json"].iter().any(|end| name.ends_with(end)) && !name.ends_with(".meta.json")
}

fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    // Asked first: opening a FIFO would wait for its writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut head = Vec::new();
    File::open(path)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

/// `stdout.jsonl` before `stdout.2.jsonl` before `stdout.10.jsonl`.
fn process_order(path: &Path) -> (PathBuf, u64, PathBuf) {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let number = stem.rsplit_once('.').and_then(|(_, number)| number.parse().ok()).unwrap_or(1);
    (path.parent().unwrap_or(Path::new("")).to_owned(), number, path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_come_in_the_order_of_their_processes() {
        let mut paths = ["a/stdout.10.jsonl", "a/stdout.2.jsonl", "a/stdout.jsonl"].map(PathBuf::from);
        paths.sort_by_key(|path| process_order(path));
        assert_eq!(paths, ["a/stdout.jsonl", "a/stdout.2.jsonl", "a/stdout.10.jsonl"].map(PathBuf::from));
    }

    #[test]
    fn files_are_joined_by_their_session_and_the_rest_is_told_why() {
        let folder = std::env::temp_dir().join(format!("vigil-discover-{}", std::process::id()));
        fs::create_dir_all(folder.join("deep")).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        write("stdout.jsonl", "{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"s1\"}\n");
        write("transcript.jsonl", "{\"type\":\"user\",\"sessionId\":\"s1\",\"uuid\":\"u\"}\n");
        write("deep/agent-a1.jsonl", "{\"type\":\"user\",\"sessionId\":\"s1\",\"uuid\":\"v\"}\n");
        write("deep/other.jsonl", "{\"type\":\"user\",\"sessionId\":\"s2\",\"uuid\":\"w\"}\n");
        write("notes.txt", "hello\n");
        write("empty.jsonl", "");
        let found = discover(&[folder.clone(), folder.join("notes.txt"), folder.join("absent")]);
        assert_eq!(found.sessions.len(), 2);
        let first = found.sessions.iter().find(|session| !session.streams.is_empty()).unwrap();
        assert_eq!((first.transcripts.len(), first.sub_agents[0].0.as_str()), (1, "a1"));
        let skipped: Vec<_> = found.skipped.iter().map(|(path, _)| path.file_name().unwrap()).collect();
        assert_eq!(skipped, ["notes.txt", "absent"], "in a folder what is no recording is not worth a word");
        fs::remove_dir_all(&folder).unwrap();
    }
}
