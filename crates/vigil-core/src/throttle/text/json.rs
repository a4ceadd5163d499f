//! Where a JSON document holds what people and models write, so that nobody's talk is taken for an error.
//!
//! Reads whatever looks like a document, whole or damaged: strings may be cut or hold raw line ends, containers need
//! not close. A document that says it is an error (`"is_error": true`, an `error` that is not null) has no talk: what
//! it holds is what went wrong.

use std::ops::Range;

/// Containers deeper than this are read as flat.
const MAX_DEPTH: usize = 64;
/// A name longer than this is nobody's, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// Fields whose values are talk: conversations, tool calls and results, documents.
static TALK: &[&[u8]] = &[
    b"content",
    b"text",
    b"thinking",
    b"arguments",
    b"input",
    b"output",
    b"prompt",
    b"parts",
    b"delta",
    b"stdout",
    b"aggregated_output",
    b"tool_use_result",
    b"toolUseResult",
    b"diff",
    b"patch",
    b"query",
    b"snippet",
    b"lines",
    b"command",
    b"description",
    b"partial_json",
    b"reasoning",
    b"body",
    b"title",
    b"summary",
    b"result",
    b"reasoning_content",
];

/// What the documents of a text hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Documents {
    /// Where there is talk, in order.
    talk: Vec<Range<usize>>,
    /// Whether a document says that something went wrong.
    pub(super) has_error: bool,
}

impl Documents {
    /// Whether this place is in somebody's talk.
    pub(super) fn is_talk(&self, at: usize) -> bool {
        let after = self.talk.partition_point(|range| range.start <= at);
        after.checked_sub(1).and_then(|index| self.talk.get(index)).is_some_and(|range| range.contains(&at))
    }

    /// Reads the documents that begin at the start of a line.
    pub(super) fn read(text: &[u8]) -> Self {
        let mut documents = Self::default();
        let mut at = 0;
        while let Some(start) = next_document(text, at) {
            let mut document = Document::new(text, start);
            document.read();
            documents.has_error |= document.is_error;
            if !document.is_error {
                documents.talk.append(&mut document.talk);
            }
            at = document.at.max(start + 1);
        }
        documents
    }
}

/// The next line from `at` on that begins with `{` or `[{`, also after `data:`.
fn next_document(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let line = text.get(at..)?;
        let length = line.iter().position(|byte| *byte == b'\n').map_or(line.len(), |end| end + 1);
        let mut rest = line[..length].trim_ascii_start();
        rest = rest.strip_prefix(b"data:").unwrap_or(rest).trim_ascii_start();
        if rest.starts_with(b"{") || rest.starts_with(b"[{") {
            return Some(at + length - rest.len());
        }
        if length == 0 {
            return None;
        }
        at += length;
    }
}

struct Document<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the talk began that we are in, and at which depth.
    talk_from: Option<(usize, usize)>,
    depth: usize,
    name: &'a [u8],
    talk: Vec<Range<usize>>,
    is_error: bool,
}

impl<'a> Document<'a> {
    fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, talk_from: None, depth: 0, name: b"", talk: Vec::new(), is_error: false }
    }

    /// Reads to the end of the document, or of the text.
    fn read(&mut self) {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'{' | b'[' => {
                    self.begin_value(false);
                    self.depth = (self.depth + 1).min(MAX_DEPTH);
                    self.name = b"";
                    self.at += 1;
                }
                b'}' | b']' => {
                    self.at += 1;
                    self.depth = self.depth.saturating_sub(1);
                    self.end_value();
                    if self.depth == 0 {
                        break;
                    }
                }
                b'"' => self.string(),
                b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                    if self.name == b"is_error" || self.name == b"isApiErrorMessage" {
                        self.is_error |= self.text[self.at..].starts_with(b"true");
                    }
                    let length = self.text[self.at..]
                        .iter()
                        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
                        .count();
                    self.at += length.max(1);
                    self.name = b"";
                }
                b',' => {
                    self.name = b"";
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        if let Some((from, _)) = self.talk_from.take() {
            self.talk.push(from..self.text.len());
        }
    }

    fn string(&mut self) {
        let start = self.at + 1;
        let mut end = start;
        while let Some(&byte) = self.text.get(end) {
            match byte {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let end = end.min(self.text.len());
        self.at = end + 1;
        let after = self.text.get(self.at..).unwrap_or_default();
        if after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
            self.name = if end - start <= MAX_NAME_BYTES { &self.text[start..end] } else { b"" };
            return;
        }
        self.at = start;
        self.begin_value(true);
        self.at = end + 1;
        if self.name == b"model" && &self.text[start..end] == b"<synthetic>" {
            self.is_error = true;
        }
        self.end_value();
        self.name = b"";
    }

    /// A value of the current name begins here.
    fn begin_value(&mut self, is_text: bool) {
        if matches!(self.name, b"error" | b"errors") && self.talk_from.is_none() {
            // An empty text or list says nothing.
            let rest = self.text.get(self.at..).unwrap_or_default();
            self.is_error |= !(is_text && rest.starts_with(b"\"") || rest.starts_with(b"[]"));
        }
        if self.talk_from.is_none() && TALK.contains(&self.name) {
            self.talk_from = Some((self.at, self.depth));
        }
    }

    /// The value that began at this depth has ended.
    fn end_value(&mut self) {
        if let Some((from, depth)) = self.talk_from
            && depth == self.depth
        {
            self.talk.push(from..self.at.min(self.text.len()));
            self.talk_from = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The talk of a text, joined with `|`.
    fn talk(text: &str) -> String {
        let documents = Documents::read(text.as_bytes());
        documents.talk.iter().map(|range| &text[range.clone()]).collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_models_and_tools_say_is_talk() {
        assert_eq!(talk(r#"{"type":"text","text":"a 429","id":"b"}"#), "a 429\"");
        assert_eq!(talk("data: {\"delta\":{\"x\":\"y\"},\"usage\":1}\n\nnext"), "{\"x\":\"y\"}");
        assert_eq!(
            talk("noise\n{\"a\":1,\"content\":[{\"text\":\"b\"}],\"c\":\"d\"}\n{\"result\":\"e\"}"),
            "[{\"text\":\"b\"}]|e\""
        );
        assert_eq!(talk(r#"{"message":"m","stack":"s"}"#), "");
    }

    #[test]
    fn a_document_that_says_it_is_an_error_has_no_talk() {
        for text in [
            r#"{"is_error":true,"result":"r"}"#,
            r#"{"error":{"type":"x"},"content":"c"}"#,
            r#"{"errors":[{"message":"m"}],"content":"c"}"#,
            r#"{"type":"assistant","message":{"model":"<synthetic>","content":"c"}}"#,
        ] {
            let documents = Documents::read(text.as_bytes());
            assert!(documents.has_error && documents.talk.is_empty(), "{text}");
        }
        for text in
            [r#"{"is_error":false,"result":"r"}"#, r#"{"error":null,"content":"c"}"#, r#"{"errors":[],"content":"c"}"#]
        {
            let documents = Documents::read(text.as_bytes());
            assert!(!documents.has_error && documents.talk.len() == 1, "{text}");
        }
    }

    #[test]
    fn damage_ends_nothing_but_the_talk() {
        assert_eq!(talk(r#"{"content":"cut in the mid"#), "cut in the mid");
        assert_eq!(talk("{\"content\":[{\"text\":\"cut\\"), "[{\"text\":\"cut\\");
        assert_eq!(talk(&"{".repeat(1000)), "");
        assert_eq!(talk(&"[{\"a\":".repeat(1000)), "");
        let documents = Documents::read(br#"{"content":"abc","x":1}"#);
        let spoken: Vec<bool> = [0, 12, 14, 20].into_iter().map(|at| documents.is_talk(at)).collect();
        assert_eq!(spoken, [false, true, true, false]);
    }
}
