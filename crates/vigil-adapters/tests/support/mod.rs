//! Recordings as tests see them: a folder of the shape `<scenario>/{stdout*.jsonl,transcript.jsonl,…}`.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and says what it leaves out")]
#![allow(dead_code, reason = "every test binary uses a part of it")]

pub(crate) mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use vigil_adapters::{Observer, Options, RunEnd, Summary, TranscriptFile, agent_id_of_file};
use vigil_core::fact::{Fact, SpanRecord, UnixNanos};

/// A recording: one or more processes of one session.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) streams: Vec<(Vec<u8>, Option<i32>)>,
    pub(crate) main: Option<Vec<u8>>,
    pub(crate) sub_agents: Vec<(String, Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) scenario: Option<String>,
}

/// What to feed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Feed {
    Stream,
    Transcript,
    Both,
}

impl Recording {
    pub(crate) fn load(folder: &Path) -> Self {
        let read = |name: &str| fs::read(folder.join(name)).ok();
        let exit = |name: &str| read(name).and_then(|text| String::from_utf8_lossy(&text).trim().parse().ok());
        let mut streams = Vec::new();
        for number in 1.. {
            let (stream, code) = match number {
                1 => ("stdout.jsonl".to_owned(), "exit_code".to_owned()),
                _ => (format!("stdout.{number}.jsonl"), format!("exit_code.{number}")),
            };
            let Some(bytes) = read(&stream) else { break };
            streams.push((bytes, exit(&code)));
        }
        let mut sub_agents = Vec::new();
        let mut folders = vec![folder.join("transcript_extra")];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                if path.is_dir() {
                    folders.push(path);
                } else if let Some(id) = agent_id_of_file(&name) {
                    let meta = fs::read(path.with_file_name(format!("agent-{id}.meta.json"))).ok();
                    sub_agents.push((id.to_owned(), fs::read(&path).unwrap(), meta));
                }
            }
        }
        sub_agents.sort();
        Self {
            folder: folder.to_owned(),
            name: folder.file_name().unwrap().to_string_lossy().into_owned(),
            streams,
            main: read("transcript.jsonl"),
            sub_agents,
            scenario: read("mock_scenario.json").map(|text| String::from_utf8_lossy(&text).into_owned()),
        }
    }

    /// The process `index` as an observer sees it.
    pub(crate) fn import(&self, index: usize, feed: Feed) -> (Vec<Fact>, Summary) {
        let mut observer = Observer::new(Options { program: Some("claude".to_owned()), ..Options::default() });
        let mut facts = Vec::new();
        let mut exit_code = None;
        if feed != Feed::Transcript {
            let (stream, code) = &self.streams[index];
            exit_code = *code;
            for line in stream.split_inclusive(|byte| *byte == b'\n') {
                observer.stream_line(line, None);
            }
            facts.extend(observer.drain());
        }
        if feed != Feed::Stream {
            self.feed_transcripts(&mut observer);
            facts.extend(observer.drain());
        }
        // A killed process has a code above 128 in these recordings, as a shell gives it.
        let end = RunEnd { exit_code, at: Some(FALLBACK_TIME), ..RunEnd::default() };
        let end = if self.has_times(feed) { RunEnd { at: None, ..end } } else { end };
        let (rest, summary) = observer.finish(end);
        facts.extend(rest);
        (facts, summary)
    }

    pub(crate) fn feed_transcripts(&self, observer: &mut Observer) {
        if let Some(main) = &self.main {
            observer.transcript(TranscriptFile::Main, main);
        }
        for (agent_id, bytes, meta) in &self.sub_agents {
            observer.transcript(TranscriptFile::SubAgent { agent_id, meta: meta.as_deref() }, bytes);
        }
    }

    fn has_times(&self, feed: Feed) -> bool {
        let timed = |bytes: &[u8]| memchr::memmem::find(bytes, b"\"timestamp\":").is_some();
        (feed != Feed::Stream && self.main.as_deref().is_some_and(timed))
            || (feed != Feed::Transcript && self.streams.iter().any(|(stream, _)| timed(stream)))
    }
}

/// A time surely after every recording, for those that name none.
pub(crate) const FALLBACK_TIME: UnixNanos = UnixNanos(1_795_300_000_000_000_000);

/// Every recording below `folder`, in the order of their paths.
pub(crate) fn recordings(folder: &Path) -> Vec<Recording> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        if next.join("stdout.jsonl").is_file() {
            found.push(next);
            continue;
        }
        folders.extend(
            fs::read_dir(&next).into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_dir()),
        );
    }
    found.sort();
    found.iter().map(|folder| Recording::load(folder)).collect()
}

/// The committed recordings, and the larger set where it is there.
pub(crate) fn all_recordings() -> Vec<Recording> {
    let mut all = recordings(&corpus());
    match shared() {
        Some(folder) => all.extend(recordings(&folder)),
        None => eprintln!("the larger set of recordings is not here; the committed ones are checked"),
    }
    all
}

/// The recordings committed with the crate.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/claude")
}

/// The larger set beside the workspace, which not every checkout has.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/captures/claude");
    folder.is_dir().then_some(folder)
}

/// The spans among facts.
pub(crate) fn spans(facts: &[Fact]) -> Vec<&SpanRecord> {
    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Ended(span) => Some(span),
            _ => None,
        })
        .collect()
}
