//! What of a response is looked at: the head always, the body only where it may tell of throttling.
//!
//! | response | what is read of the body |
//! |---|---|
//! | a failure (400 and up) with a body that may be text | the first 64 KiB, once they are there or it ends |
//! | a success with `text/event-stream` or JSON lines | each line as it passes; those that are an error's are judged |
//! | a success with AWS's event stream | the messages of exceptions |
//! | a success with JSON from a service that fails with 200 | as for a failure, if it is an error's |
//! | any other success; a compressed body | nothing |
//!
//! A response gives at most one event: the first verdict stands. Lines longer than 64 KiB are passed over.

use super::{OwnedHeaders, TEXT_MAX, response};
use serde::Deserialize;
use serde_json::value::RawValue;
use vigil_core::throttle::{Channel, Observation, Service, Throttle, classify};

/// What is read of a body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading {
    /// Nothing.
    Nothing,
    /// Its beginning, as the body of a failure.
    Failure,
    /// Its beginning, if it is the JSON of an error.
    FailureWithin,
    /// Its lines, as they pass.
    Lines,
    /// The frames of AWS's event stream.
    Frames,
}

/// The head of a response, and what of its body has passed.
#[derive(Debug)]
pub(super) struct Watch {
    host: Option<String>,
    status: u16,
    headers: OwnedHeaders,
    reading: Reading,
    held: Vec<u8>,
    /// The rest of a line that is too long is passed over.
    skipping: bool,
    /// The event stream said that the next data is an error's.
    named_error: bool,
}

impl Watch {
    /// Looks at the head of a response.
    pub(super) fn new(host: Option<String>, status: u16, headers: OwnedHeaders) -> Self {
        let reading = reading(host.as_deref(), status, &headers);
        Self { host, status, headers, reading, held: Vec::new(), skipping: false, named_error: false }
    }

    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    #[cfg(any(feature = "reqwest", feature = "tower"))]
    pub(super) fn headers(&self) -> &OwnedHeaders {
        &self.headers
    }

    /// Whether the body is looked at. Where it is not, the head has said all: see [`verdict`](Self::verdict).
    pub(super) fn reads_body(&self) -> bool {
        self.reading != Reading::Nothing
    }

    /// The verdict on the head alone.
    pub(super) fn verdict(&self) -> Option<Throttle> {
        if self.status < 400 { None } else { response(self.host(), self.status, &self.headers, &[]) }
    }

    /// A piece of the body passes. A verdict ends the watching.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Option<Throttle> {
        let verdict = match self.reading {
            Reading::Nothing => None,
            Reading::Failure | Reading::FailureWithin => {
                let room = TEXT_MAX - self.held.len();
                self.held.extend_from_slice(&bytes[..bytes.len().min(room)]);
                if self.held.len() < TEXT_MAX {
                    return None;
                }
                return self.end();
            }
            Reading::Lines => self.lines(bytes),
            Reading::Frames => self.frames(bytes),
        };
        if verdict.is_some() {
            self.stop();
        }
        verdict
    }

    /// The body has ended, or nobody reads it any more.
    pub(super) fn end(&mut self) -> Option<Throttle> {
        let reading = self.reading;
        let held = self.stop();
        match reading {
            Reading::Failure => response(self.host(), self.status, &self.headers, &held),
            Reading::FailureWithin if is_error(&held) => response(self.host(), self.status, &self.headers, &held),
            Reading::Lines => self.line(&held),
            _ => None,
        }
    }

    fn stop(&mut self) -> Vec<u8> {
        self.reading = Reading::Nothing;
        std::mem::take(&mut self.held)
    }

    fn lines(&mut self, mut bytes: &[u8]) -> Option<Throttle> {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let verdict = if self.held.is_empty() {
                self.line(line)
            } else {
                let mut whole = std::mem::take(&mut self.held);
                whole.extend_from_slice(&line[..line.len().min(TEXT_MAX)]);
                let verdict = self.line(&whole);
                whole.clear();
                self.held = whole;
                verdict
            };
            if verdict.is_some() {
                return verdict;
            }
        }
        if self.held.len() + bytes.len() > TEXT_MAX {
            self.skipping = true;
            self.held.clear();
        }
        if !self.skipping {
            self.held.extend_from_slice(bytes);
        }
        None
    }

    /// One line of an event stream or of JSON lines. Only what the service itself calls an error is judged: the words
    /// of a model may say anything.
    fn line(&mut self, line: &[u8]) -> Option<Throttle> {
        let line = line.trim_ascii();
        if let Some(event) = line.strip_prefix(b"event:") {
            let event = event.trim_ascii();
            self.named_error = event == b"error" || event.ends_with(b"failed");
            return None;
        }
        let data = line.strip_prefix(b"data:").unwrap_or(line).trim_ascii();
        if data.is_empty() {
            self.named_error = false;
            return None;
        }
        if !self.named_error && !is_error(data) {
            return None;
        }
        self.message(data)
    }

    fn frames(&mut self, bytes: &[u8]) -> Option<Throttle> {
        const MARK: &[u8] = b":exception-type";
        /// What is kept before it is known whether an exception comes, and after it came.
        const FRAME: usize = 4 << 10;
        for piece in bytes.chunks(FRAME) {
            self.held.extend_from_slice(piece);
            if let Some(at) = self.held.windows(MARK.len()).position(|window| window == MARK) {
                self.held.drain(..at);
                self.named_error = true;
            }
            if self.named_error {
                let held = std::mem::take(&mut self.held);
                let verdict = self.message(&held);
                self.held = held;
                // The message may not be whole yet.
                if verdict.is_some() {
                    return verdict;
                }
                if self.held.len() >= FRAME {
                    self.named_error = false;
                    self.held.clear();
                }
            } else {
                let keep = self.held.len().saturating_sub(MARK.len());
                self.held.drain(..keep);
            }
        }
        None
    }

    fn message(&self, text: &[u8]) -> Option<Throttle> {
        super::with_borrowed(&self.headers, |headers| {
            classify(&Observation {
                channel: Channel::StreamJson,
                service: self.host(),
                http_status: Some(self.status),
                headers,
                text,
                now: crate::clock::unix_wall(),
                ..Observation::default()
            })
        })
    }
}

fn reading(host: Option<&str>, status: u16, headers: &[(String, String)]) -> Reading {
    let value = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim().to_ascii_lowercase())
    };
    if value("content-encoding").is_some_and(|encoding| encoding != "identity") {
        return Reading::Nothing;
    }
    let content_type = value("content-type").unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim_ascii();
    let is_binary = ["image/", "audio/", "video/", "font/"].iter().any(|prefix| content_type.starts_with(prefix))
        || matches!(content_type, "application/octet-stream" | "application/zip" | "application/gzip");
    match (status, content_type) {
        (_, "application/vnd.amazon.eventstream") => Reading::Frames,
        (400.., _) if !is_binary => Reading::Failure,
        (..300, "text/event-stream" | "application/x-ndjson" | "application/jsonl") => Reading::Lines,
        (..300, "application/json") if host.is_some_and(fails_with_200) => Reading::FailureWithin,
        _ => Reading::Nothing,
    }
}

/// Services that answer 200 and an error in the body.
fn fails_with_200(host: &str) -> bool {
    matches!(super::service_named(host), Some(Service::GithubRest | Service::GithubGraphql | Service::OpenRouter))
}

/// What tells that a JSON text is an error's.
#[derive(Deserialize)]
struct Shape<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
    #[serde(borrow, default)]
    response: Option<Inner<'a>>,
}

#[derive(Deserialize)]
struct Inner<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Whether `json` is an object that says of itself that something failed. A body that was cut is taken at its word
/// when it begins that way.
fn is_error(json: &[u8]) -> bool {
    let said =
        |value: Option<&RawValue>| value.is_some_and(|value| !matches!(value.get(), "null" | "[]" | "{}" | "\"\""));
    match serde_json::from_slice::<Shape<'_>>(json) {
        Ok(shape) => {
            let kind = shape.kind.map_or("", RawValue::get).trim_matches('"');
            kind == "error"
                || kind.ends_with(".failed")
                || kind.ends_with("_error")
                || said(shape.error)
                || said(shape.errors)
                || said(shape.response.and_then(|response| response.error))
        }
        Err(_) => [&b"{\"error"[..], b"{\"type\":\"error\""].iter().any(|start| json.starts_with(start)),
    }
}

#[cfg(test)]
mod tests;
