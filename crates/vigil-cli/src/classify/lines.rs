//! One observation a line in, one verdict a line out.

use super::ClassifyArgs;
use super::verdict;
use crate::output::to_stderr;
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::process::ExitCode;
use vigil_core::fact::UnixNanos;
use vigil_core::throttle::{Channel, Observation, classify};

/// The longest line that is read.
const MAX_LINE_BYTES: usize = 64 << 20;
/// What some editors and shells put before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The length of an escape like `\u00e9`.
const ESCAPE_BYTES: usize = 6;

/// Answers every line of `input`.
pub(super) fn run(arguments: &ClassifyArgs, input: impl Read) -> ExitCode {
    let answerer = Answerer { now: arguments.now(), utc_offset_seconds: crate::system::utc_offset_seconds() };
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut all_answered = true;
    let outcome = each_line(BufReader::new(input), MAX_LINE_BYTES, |number, line| {
        match line
            .ok_or_else(|| format!("is longer than {} MiB", MAX_LINE_BYTES >> 20))
            .and_then(|line| answerer.answer(line))
        {
            Ok(Some(answer)) => {
                serde_json::to_writer(&mut stdout, &answer)?;
                stdout.write_all(b"\n")?;
                // Whoever answers questions one by one waits for each.
                stdout.flush()
            }
            Ok(None) => Ok(()),
            Err(why) => {
                all_answered = false;
                to_stderr(&format!("vigil: line {number} {why}\n"));
                Ok(())
            }
        }
    });
    match outcome {
        Ok(()) if all_answered => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        // Nobody reads the answers any more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            to_stderr(&format!("vigil: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Gives every line with its number, from 1 on; nothing for one that is too long.
fn each_line(
    mut input: impl BufRead,
    max_bytes: usize,
    mut give: impl FnMut(u64, Option<&[u8]>) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = max_bytes as u64 + 1;
        if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() > max_bytes {
            skip_line(&mut input)?;
            give(number, None)?;
        } else {
            give(number, Some(&line))?;
        }
    }
    Ok(())
}

fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = input.fill_buf()?;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let (used, done) = end.map_or((buffer.len(), buffer.is_empty()), |at| (at + 1, true));
        input.consume(used);
        if done {
            return Ok(());
        }
    }
}

struct Answerer {
    now: UnixNanos,
    utc_offset_seconds: i32,
}

impl Answerer {
    /// The verdict of one line; nothing for a blank one.
    ///
    /// # Errors
    /// The line is no observation; says why, in words that follow "line 7".
    fn answer(&self, line: &[u8]) -> Result<Option<Value>, String> {
        let line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        if line.trim_ascii().is_empty() {
            return Ok(None);
        }
        let value: Value =
            serde_json::from_slice(&without_lone_surrogates(line)).map_err(|error| format!("is no JSON: {error}"))?;
        let Value::Object(fields) = value else { return Err("is no JSON object".to_owned()) };
        let headers = headers(&fields)?;
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let channel = match text(&fields, "channel")? {
            Some(word) => Channel::from_word(word).ok_or("has a channel that is none")?,
            None => Channel::default(),
        };
        let observation = Observation {
            channel,
            service: text(&fields, "service")?,
            tool: text(&fields, "tool")?,
            http_status: number(&fields, "http_status")?,
            headers: &headers,
            grpc: None,
            exit_status: number(&fields, "exit_status")?,
            text: text(&fields, "text")?.unwrap_or_default().as_bytes(),
            now: self.now,
            utc_offset_seconds: self.utc_offset_seconds,
        };
        let mut answer = verdict::json(classify(&observation).as_ref());
        answer["id"] = fields.get("id").cloned().unwrap_or_default();
        Ok(Some(answer))
    }
}

/// A line whose escapes of half a character stand for U+FFFD. Programs that cut texts by UTF-16 write such halves,
/// which JSON allows and no text can hold.
fn without_lone_surrogates(line: &[u8]) -> Cow<'_, [u8]> {
    let mut whole = Cow::Borrowed(line);
    let mut at = 0;
    while let Some(found) = line.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += found;
        match (escaped_unit(line, at), escaped_unit(line, at + ESCAPE_BYTES)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at += 2 * ESCAPE_BYTES,
            (Some(0xd800..=0xdfff), _) => {
                whole.to_mut()[at..at + ESCAPE_BYTES].copy_from_slice(b"\\ufffd");
                at += ESCAPE_BYTES;
            }
            (Some(_), _) => at += ESCAPE_BYTES,
            (None, _) => at += 2,
        }
    }
    whole
}

/// The UTF-16 unit of an escape like `\u00e9` at this place.
fn escaped_unit(line: &[u8], at: usize) -> Option<u16> {
    let digits = line.get(at..at + ESCAPE_BYTES)?.strip_prefix(b"\\u")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

/// The text of a field; nothing for none and for null.
fn text<'a>(fields: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("has a {name} that is no text")),
    }
}

/// The number of a field, also when it is written as text or with a fraction of nothing (`429.0`).
fn number<T: TryFrom<i64>>(fields: &Map<String, Value>, name: &str) -> Result<Option<T>, String> {
    let number = match fields.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    let number = number.and_then(|number| T::try_from(number).ok());
    number.map(Some).ok_or_else(|| format!("has a {name} that is no number of its kind"))
}

fn whole(number: f64) -> Option<i64> {
    let is_whole = number.fract() == 0.0 && number.abs() < f64::from(u32::MAX);
    #[expect(clippy::cast_possible_truncation, reason = "a whole number of 32 bits has an integer")]
    is_whole.then_some(number as i64)
}

/// The headers: an object whose values are texts, numbers or lists of them.
fn headers(fields: &Map<String, Value>) -> Result<Vec<(String, String)>, String> {
    let object = match fields.get("headers") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(object)) => object,
        Some(_) => return Err("has headers that are no object".to_owned()),
    };
    let mut headers = Vec::new();
    for (name, value) in object {
        let values = if let Value::Array(values) = value { values.as_slice() } else { std::slice::from_ref(value) };
        for value in values {
            match value {
                Value::String(text) => headers.push((name.clone(), text.clone())),
                Value::Number(number) => headers.push((name.clone(), number.to_string())),
                Value::Bool(truth) => headers.push((name.clone(), truth.to_string())),
                Value::Null => {}
                _ => return Err("has a header that is no text".to_owned()),
            }
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, max_bytes: usize) -> Vec<(u64, Option<String>)> {
        let mut found = Vec::new();
        let give = |number, line: Option<&[u8]>| {
            found.push((number, line.map(|line| String::from_utf8_lossy(line).trim_end().to_owned())));
            Ok(())
        };
        each_line(text.as_bytes(), max_bytes, give).unwrap();
        found
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(lines("ab\ncdefgh\nij", 4), [(1, some("ab")), (2, None), (3, some("ij"))]);
        assert_eq!(lines("abcd\nabcde", 4), [(1, some("abcd")), (2, None)]);
        assert_eq!(lines("", 4), []);
    }

    #[test]
    fn what_other_programs_write_as_json_is_read() {
        let answerer = Answerer { now: UnixNanos(0), utc_offset_seconds: 0 };
        for line in [
            "\u{feff}{\"http_status\":429}",
            r#"{"http_status":429.0}"#,
            r#"{"http_status":4.29e2}"#,
            r#"{"text":"cut \ud83d API Error: Rate limit reached","http_status":429}"#,
            r#"{"text":"\udc00\ud83d\ud83d\ude00\\ud800 \ud83d\n","http_status":429}"#,
        ] {
            let answer = answerer.answer(line.as_bytes()).unwrap().unwrap();
            assert_eq!(answer["label"], "rate_limit", "{line}");
        }
        assert_eq!(
            without_lone_surrogates(br"\ud83d\ude00 \ud83d \\ud83d \n\u00e9\ud83d"),
            &br"\ud83d\ude00 \ufffd \\ud83d \n\u00e9\ufffd"[..]
        );
        for line in [r#"{"http_status":429.5}"#, r#"{"http_status":1e300}"#] {
            assert!(answerer.answer(line.as_bytes()).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_no_observation_is_said_to_be_none() {
        let answerer = Answerer { now: UnixNanos(0), utc_offset_seconds: 0 };
        for line in [
            "{",
            "[]",
            "7",
            r#"{"text":7}"#,
            r#"{"channel":"smoke"}"#,
            r#"{"http_status":"x"}"#,
            r#"{"http_status":-1}"#,
            r#"{"headers":[]}"#,
            r#"{"headers":{"a":{}}}"#,
        ] {
            assert!(answerer.answer(line.as_bytes()).is_err(), "{line}");
        }
        assert_eq!(answerer.answer(b"  \n"), Ok(None));
        let answer =
            answerer.answer(br#"{"id":"a","http_status":"429","headers":{"Retry-After":[7,null]}}"#).unwrap().unwrap();
        assert_eq!(
            (answer["id"].as_str(), answer["label"].as_str(), answer["retry_after_s"].as_f64()),
            (Some("a"), Some("rate_limit"), Some(7.0))
        );
    }
}
