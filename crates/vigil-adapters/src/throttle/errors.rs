//! Errors in a stream of JSON lines that no adapter understands: those of Codex, Gemini CLI, Copilot, opencode, qwen
//! and whoever comes next.
//!
//! A line counts when the program itself calls it an error. What a model or a tool said is in lines of other types,
//! and is never looked at.

use crate::lenient::{Flag, Str, absent, record};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// What kind of error a line tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    /// Something failed.
    Failed,
    /// An attempt failed and is made again.
    Retried,
    /// The turn or the run ended with it: it repeats what was said before.
    End,
}

record! {
    /// What tells that a line is an error's.
    Line {
        "type" => kind: Str<'a>,
        "subtype" => subtype: Str<'a>,
        "status" => status: Str<'a>,
        "is_error" => is_error: Flag,
        "error" => error: Present,
        "message" => message: Str<'a>,
    }
}

/// Whether something is there that is more than nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Present(bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PresentVisitor;
        impl<'de> Visitor<'de> for PresentVisitor {
            type Value = Present;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Present(!text.is_empty()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut any = false;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    any = true;
                }
                Ok(Present(any))
            }
            absent!(bool, numbers, null, list);
        }
        deserializer.deserialize_any(PresentVisitor)
    }
}

/// Whether `line` is an object that the program calls an error.
pub(crate) fn error_of(line: &[u8]) -> Option<Error> {
    // Most lines are not, and need not be read.
    let may_be = [&b"rror"[..], b"ail", b"retry"].iter().any(|word| memchr::memmem::find(line, word).is_some());
    if !may_be || line.first() != Some(&b'{') {
        return None;
    }
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let kind = line.kind.or_empty();
    let ends = |kind: &str, word: &str| {
        kind.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with(['.', '_']))
    };
    if kind == "result" || ends(kind, "failed") {
        let failed = kind != "result"
            || line.is_error.is_set()
            || line.status.or_empty() == "error"
            || line.subtype.or_empty().starts_with("error")
            || line.error.0;
        return failed.then_some(Error::End);
    }
    // One that a model call ended with comes first; that it is made again follows, and is no further one.
    if ends(line.subtype.or_empty(), "retry") || ends(kind, "call_failure") {
        return Some(Error::Retried);
    }
    if kind.contains('.') && ends(kind, "error") {
        return Some(Error::End);
    }
    if ends(kind, "error") {
        let again = super::window::says_it_retries(line.message.or_empty().as_bytes());
        return Some(if again { Error::Retried } else { Error::Failed });
    }
    (kind.is_empty() && line.error.0).then_some(Error::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_programs_call_errors_are_and_what_was_said_is_not() {
        for (line, expected) in [
            (r#"{"type":"error","message":"Reconnecting... 1/5 (429)"}"#, Some(Error::Retried)),
            (r#"{"type":"error","message":"Quota exceeded."}"#, Some(Error::Failed)),
            (r#"{"type":"turn.failed","error":{"message":"x"}}"#, Some(Error::End)),
            (r#"{"type":"result","status":"error","error":{"type":"unknown","message":"x"}}"#, Some(Error::End)),
            (r#"{"type":"result","subtype":"success","is_error":false}"#, None),
            (r#"{"type":"model.call_failure","data":{"statusCode":429}}"#, Some(Error::Retried)),
            (r#"{"type":"system","subtype":"api_retry","error":"rate_limit"}"#, Some(Error::Retried)),
            (r#"{"type":"assistant.turn_retry","data":{"reason":"rate_limit"}}"#, None),
            (r#"{"type":"session.error","data":{"message":"x"}}"#, Some(Error::End)),
            (r#"{"error":{"code":429,"message":"x"}}"#, Some(Error::Failed)),
            (r#"{"error":null,"message":"no error"}"#, None),
            (r#"{"type":"message","role":"assistant","content":"error: rate limit exceeded"}"#, None),
            (r#"{"type":"item.completed","item":{"type":"agent_message","text":"429 error"}}"#, None),
            (r#"{"type":"tool_result","status":"error","output":"rate limit exceeded"}"#, None),
            (r#"{"type":"terror"}"#, None),
            ("error: rate limit", None),
            (r#"{"type":"error""#, None),
        ] {
            assert_eq!(error_of(line.as_bytes()), expected, "{line}");
        }
    }
}
