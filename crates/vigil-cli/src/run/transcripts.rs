//! What Claude Code writes about a session while it runs: found, and read as it grows.
//!
//! A session lives in `projects/<folder>/<session>.jsonl` under `$CLAUDE_CONFIG_DIR` or `~/.claude`, its
//! sub-agents in `<session>/subagents/agent-<id>.jsonl` with a `.meta.json` each. Only regular files are read,
//! [`CHUNK_BYTES`] at a time, each from where the last reading ended. A file that shrinks is left alone: it is
//! not the one that was there. Nothing here fails: what cannot be read is not observed.

use super::plan::is_session_id;
use crate::system;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use vigil_adapters::{Observer, TranscriptFile, agent_id_of_file, session_key};

/// How much of a file is read at once: 256 KiB.
const CHUNK_BYTES: usize = 256 << 10;
/// How many sub-agent files of one session are read at most.
const SUB_AGENT_FILES: usize = 4096;
/// The longest `.meta.json` that is read: 64 KiB.
const META_BYTES: u64 = 64 << 10;

/// The folder that holds every project's sessions, if the environment tells where it is.
pub(crate) fn projects_folder() -> Option<PathBuf> {
    let named = |name| system::variable(name).map(PathBuf::from);
    let root = named("CLAUDE_CONFIG_DIR").or_else(|| named("HOME").map(|home| home.join(".claude")))?;
    Some(root.join("projects"))
}

/// The files of one session, as far as they have been read.
#[derive(Debug)]
pub(crate) struct Transcripts {
    projects: PathBuf,
    session: String,
    main: Option<PathBuf>,
    read: HashMap<PathBuf, u64>,
    /// Files in the folder all sessions share, and whether each is this session's.
    shared: HashMap<PathBuf, bool>,
}

impl Transcripts {
    /// The files of `session`; `None` when that is no session id.
    pub(crate) fn of_session(projects: &Path, session: &str) -> Option<Self> {
        is_session_id(session).then(|| Self {
            projects: projects.to_owned(),
            session: session.to_owned(),
            main: None,
            read: HashMap::new(),
            shared: HashMap::new(),
        })
    }

    /// The files of the session whose main file is `main`, of which the first `seen` bytes are an earlier run's.
    pub(crate) fn of_file(main: &Path, seen: u64) -> Option<Self> {
        let session = main.file_stem().and_then(OsStr::to_str)?;
        let projects = main.parent()?.parent()?;
        let mut transcripts = Self::of_session(projects, session)?;
        transcripts.main = Some(main.to_owned());
        transcripts.read.insert(main.to_owned(), seen);
        Some(transcripts)
    }

    /// The session's id.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Gives `observer` what was written since the last time.
    /// `between` is called after every piece, so that what the observer learnt needs not be held.
    pub(crate) fn read(&mut self, observer: &mut Observer, mut between: impl FnMut(&mut Observer)) {
        let between = &mut between;
        let Some(main) = self.find_main() else { return };
        self.read_file(&main, TranscriptFile::Main, observer, between);
        for path in sub_agent_files(&main.with_extension("").join("subagents")) {
            self.read_sub_agent(&path, observer, between);
        }
        // Releases up to 2.0 kept the sub-agents of all sessions in the project's folder.
        for path in main.parent().into_iter().flat_map(sub_agent_files) {
            let session = &self.session;
            let is_ours = *self.shared.entry(path.clone()).or_insert_with(|| is_of_session(&path, session));
            if is_ours {
                self.read_sub_agent(&path, observer, between);
            }
        }
    }

    fn read_sub_agent(&mut self, path: &Path, observer: &mut Observer, between: &mut dyn FnMut(&mut Observer)) {
        let Some(agent_id) = path.file_name().and_then(OsStr::to_str).and_then(agent_id_of_file) else { return };
        let meta = read_meta(path);
        self.read_file(path, TranscriptFile::SubAgent { agent_id, meta: meta.as_deref() }, observer, between);
    }

    fn find_main(&mut self) -> Option<PathBuf> {
        if self.main.is_none() {
            let name = format!("{}.jsonl", self.session);
            let folders = fs::read_dir(&self.projects).ok()?;
            self.main = folders.flatten().map(|folder| folder.path().join(&name)).find(|path| path.is_file());
        }
        self.main.clone()
    }

    fn read_file(
        &mut self,
        path: &Path,
        file: TranscriptFile<'_>,
        observer: &mut Observer,
        between: &mut dyn FnMut(&mut Observer),
    ) {
        let start = self.read.get(path).copied().unwrap_or(0);
        let end = read_from(path, start, |bytes| {
            observer.transcript(file, bytes);
            between(observer);
        });
        if end > start {
            self.read.insert(path.to_owned(), end);
        }
    }
}

/// The sub-agents' files in a folder, at most [`SUB_AGENT_FILES`], in the order of their names.
fn sub_agent_files(folder: &Path) -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| path.file_name().and_then(OsStr::to_str).and_then(agent_id_of_file).is_some();
    let paths = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = paths.filter(is_one).take(SUB_AGENT_FILES).collect();
    files.sort();
    files
}

fn is_of_session(path: &Path, session: &str) -> bool {
    let mut head = Vec::new();
    let is_file = fs::metadata(path).is_ok_and(|about| about.is_file());
    let read = is_file.then(|| File::open(path).and_then(|file| file.take(META_BYTES).read_to_end(&mut head)));
    read.is_some_and(|read| read.is_ok()) && session_key(&head).is_some_and(|key| key == session)
}

/// The `.meta.json` beside a sub-agent's file.
pub(crate) fn read_meta(path: &Path) -> Option<Vec<u8>> {
    let path = path.with_extension("meta.json");
    let about = fs::metadata(&path).ok().filter(|about| about.is_file() && about.len() <= META_BYTES)?;
    let mut meta = Vec::with_capacity(usize::try_from(about.len()).ok()?);
    File::open(path).ok()?.take(META_BYTES).read_to_end(&mut meta).ok()?;
    Some(meta)
}

/// Reads a regular file from `start` to its present end; returns where that is.
fn read_from(path: &Path, start: u64, mut each: impl FnMut(&[u8])) -> u64 {
    // Asked before it is opened: opening a FIFO that somebody put there would wait for its writer.
    if !fs::metadata(path).is_ok_and(|about| about.is_file() && about.len() > start) {
        return start;
    }
    let Ok(mut file) = File::open(path) else { return start };
    if file.seek(SeekFrom::Start(start)).is_err() {
        return start;
    }
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut end = start;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return end,
            Ok(length) => {
                each(&buffer[..length]);
                end += length as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return end,
        }
    }
}

/// The sessions of one project folder, as they were when the command began: the one that changes afterwards is
/// the command's own.
#[derive(Debug)]
pub(crate) struct Before {
    folder: PathBuf,
    lengths: HashMap<PathBuf, u64>,
}

/// What changed since.
#[derive(Debug)]
pub(crate) enum Changed {
    /// No session.
    Nothing,
    /// This one; so many of its bytes were there before.
    One(PathBuf, u64),
    /// Several: whose is whose cannot be told.
    Several,
}

impl Before {
    /// Looks at the project folder of the working directory.
    pub(crate) fn look(projects: &Path) -> Option<Self> {
        let cwd = std::env::current_dir().ok()?;
        let folder = projects.join(project_folder_name(&cwd.to_string_lossy()));
        let lengths = session_files(&folder).collect();
        Some(Self { folder, lengths })
    }

    /// Compares with the present. New sessions go before grown ones: a session is resumed seldom.
    pub(crate) fn changed(&self) -> Changed {
        let (mut new, mut grown) = (Vec::new(), Vec::new());
        for (path, length) in session_files(&self.folder) {
            match self.lengths.get(&path) {
                None => new.push((path, 0)),
                Some(before) if length > *before => grown.push((path, *before)),
                Some(_) => {}
            }
        }
        let mut candidates = if new.is_empty() { grown } else { new };
        match (candidates.pop(), candidates.is_empty()) {
            (None, _) => Changed::Nothing,
            (Some((path, seen)), true) => Changed::One(path, seen),
            (Some(_), false) => Changed::Several,
        }
    }
}

/// Claude Code names a project's folder after its path, with everything but letters and digits made `-`.
fn project_folder_name(cwd: &str) -> String {
    cwd.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn session_files(folder: &Path) -> impl Iterator<Item = (PathBuf, u64)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let path = entry.path();
        let is_session = path.extension() == Some(OsStr::new("jsonl"))
            && path.file_stem().and_then(OsStr::to_str).is_some_and(is_session_id);
        let about = is_session.then(|| entry.metadata().ok()).flatten().filter(fs::Metadata::is_file)?;
        Some((path, about.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_projects_folder_is_named_as_claude_code_names_it() {
        assert_eq!(project_folder_name("/home/user/demo"), "-home-user-demo");
        assert_eq!(project_folder_name("/srv/my_app.v2"), "-srv-my-app-v2");
    }

    #[test]
    fn only_what_was_added_is_read_and_a_shrunken_file_is_left_alone() {
        let path = std::env::temp_dir().join(format!("vigil-read-from-{}", std::process::id()));
        fs::write(&path, b"one\ntwo\n").unwrap();
        let mut seen = Vec::new();
        let end = read_from(&path, 4, |bytes| seen.extend_from_slice(bytes));
        assert_eq!((end, seen.as_slice()), (8, &b"two\n"[..]));
        assert_eq!(read_from(&path, 8, |_| panic!("nothing is new")), 8);
        assert_eq!(read_from(&path, 20, |_| panic!("nothing is new")), 20);
        fs::remove_file(&path).unwrap();
    }
}
