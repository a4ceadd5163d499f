//! Which format a record has, by its content alone.

use crate::claude::wire::Line;
use crate::lenient::List;

/// The formats Vigil understands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Format {
    /// Claude Code's `--output-format stream-json`: one event a line.
    ClaudeStream,
    /// Claude Code's `--output-format json`: one result, or with `--verbose` one list of all events.
    ClaudeJson,
    /// Claude Code's session file or that of a sub-agent.
    ClaudeTranscript,
    /// None of these.
    Unknown,
}

impl Format {
    /// The word for `vigil.stream.format`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClaudeStream => "claude-stream-json",
            Self::ClaudeJson => "claude-json",
            Self::ClaudeTranscript => "claude-transcript",
            Self::Unknown => "unknown",
        }
    }
}

/// Lines that are looked at before giving up.
pub(crate) const HEAD_LINES: usize = 64;

/// The format of a record, from its first bytes: some kilobytes are enough, more do no harm.
pub fn detect(head: &[u8]) -> Format {
    let mut lines = head.split(|byte| *byte == b'\n').peekable();
    for _ in 0..HEAD_LINES {
        let Some(line) = lines.next() else { break };
        let found = match serde_json::from_slice::<Line<'_>>(line) {
            Ok(parsed) if line.trim_ascii_start().starts_with(b"{") => of_line(&parsed),
            Ok(_) => of_list(line),
            // The head may end in the middle of its last line.
            Err(_) if lines.peek().is_none() => of_cut_line(line),
            Err(_) => Format::Unknown,
        };
        if found != Format::Unknown {
            return found;
        }
    }
    Format::Unknown
}

/// The format a single line speaks for.
pub(crate) fn of_line(line: &Line<'_>) -> Format {
    let kind = line.kind.or_empty();
    if line.stream_session.some().is_some() {
        return match kind {
            "result" => Format::ClaudeJson,
            "system" | "assistant" | "user" | "stream_event" | "rate_limit_event" => Format::ClaudeStream,
            _ => Format::Unknown,
        };
    }
    let transcript = match kind {
        "file-history-snapshot" => true,
        "summary" => line.uuid.some().is_none(),
        "" => false,
        _ => line.transcript_session.some().is_some(),
    };
    if transcript { Format::ClaudeTranscript } else { Format::Unknown }
}

fn of_list(line: &[u8]) -> Format {
    match serde_json::from_slice::<List<Line<'_>>>(line) {
        Ok(list) if list.0.iter().any(|event| of_line(event) != Format::Unknown) => Format::ClaudeJson,
        _ => Format::Unknown,
    }
}

/// A line that is not all there: the names it holds must do.
fn of_cut_line(line: &[u8]) -> Format {
    let has = |word: &str| memchr::memmem::find(line, word.as_bytes()).is_some();
    match line.trim_ascii_start() {
        [b'{', ..] if has("\"sessionId\":\"") && has("\"type\":\"") => Format::ClaudeTranscript,
        [b'{', ..] if has("\"session_id\":\"") && has("\"duration_api_ms\":") => Format::ClaudeJson,
        [b'{', ..] if has("\"session_id\":\"") && has("\"type\":\"") => Format::ClaudeStream,
        [b'[', ..] if has("\"session_id\":\"") && has("\"type\":\"") => Format::ClaudeJson,
        _ => Format::Unknown,
    }
}

/// The agent's id of the session a record belongs to, from its first bytes. Files of one session (a stream, its
/// transcript, those of its sub-agents) have the same.
pub fn session_key(head: &[u8]) -> Option<String> {
    let found = head.split(|byte| *byte == b'\n').take(HEAD_LINES).find_map(|line| {
        if line.trim_ascii_start().starts_with(b"[") {
            let list = serde_json::from_slice::<List<Line<'_>>>(line).ok()?;
            return list.0.iter().find_map(|event| event.session().map(str::to_owned));
        }
        let parsed = serde_json::from_slice::<Line<'_>>(line).ok()?;
        parsed.session().map(str::to_owned)
    });
    found.or_else(|| {
        // A single line that is cut.
        ["\"session_id\":\"", "\"sessionId\":\""].iter().find_map(|name| {
            let from = memchr::memmem::find(head, name.as_bytes())? + name.len();
            let length = memchr::memchr(b'"', head.get(from..)?)?;
            let id = std::str::from_utf8(&head[from..from + length]).ok()?;
            (!id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic())).then(|| id.to_owned())
        })
    })
}
