//! Source code, patches, tests, search results: what an agent reads and writes all day.

use super::Place;
use super::line::{Line, REACH};
use super::words::{
    CODE_BEGINS, CODE_MARKS, CODE_NEIGHBOURS, MESSAGE_NAMES, PLACEHOLDERS, TEST_BEGINS, TEST_MARKS, VALUES,
};

/// How many lines around a find are looked at for source code, to either side.
const NEIGHBOURS: usize = 3;
/// How far from a find something is filled in later, in letters before and after.
const PLACEHOLDER_REACH: (usize, usize) = (24, 48);

impl Line {
    /// Something is filled in later: `try again in {seconds} seconds`.
    pub(super) fn has_placeholder(&self) -> bool {
        let (reach_before, reach_after) = PLACEHOLDER_REACH;
        let skipped = self.before.chars().count().saturating_sub(reach_before);
        let near: [String; 2] =
            [self.before.chars().skip(skipped).collect(), self.after.chars().take(reach_after).collect()];
        near.iter().any(|text| {
            // An empty object is none.
            let text = text.replace(":{}", "").replace(": {}", "");
            PLACEHOLDERS.iter().any(|mark| text.contains(mark)) || has_name_in_braces(&text)
        })
    }

    /// Source code, a patch, a script, a comment.
    pub(super) fn is_code(&self) -> bool {
        let whole = self.whole.as_str();
        let line = whole.trim_start_matches(['+', '-']).trim_start();
        let patched = line.len() < whole.len() && !whole.starts_with("- ");
        let begins = CODE_BEGINS.iter().any(|mark| line.starts_with(mark));
        let ends = line.trim_end().ends_with('{') && !line.contains(':') || line.trim_end().ends_with("};");
        let marks = CODE_MARKS.iter().any(|mark| self.before.contains(mark) || self.after.contains(mark));
        begins
            || ends
            || marks
            || is_assigned(line)
            || patched && line.ends_with([';', ','])
            || self.is_an_argument()
            || self.is_a_value()
            || self.has_a_comment()
    }

    /// `Err(Overloaded)`: how programs write values.
    fn is_a_value(&self) -> bool {
        let found = &self.whole[self.before.len()..self.whole.len() - self.after.len()];
        let closes = found.ends_with(')') || self.after.starts_with(')');
        let name = if found.starts_with('(') { Some(self.before.as_str()) } else { self.before.strip_suffix('(') };
        let last = name.and_then(|name| name.rsplit(|letter: char| !letter.is_alphanumeric()).next());
        closes && last.is_some_and(|last| VALUES.contains(&last))
    }

    /// `"error": "rate limit exceeded", // shown to users`: no program says it with a comment.
    fn has_a_comment(&self) -> bool {
        self.after
            .match_indices(" //")
            .any(|(at, _)| self.after[..at].trim_end().ends_with(['"', '\'', ',', '}', ']', ';', ')']))
    }

    /// `say("rate limit exceeded")`, but not `RateLimitError("…")`, which is how exceptions are shown.
    fn is_an_argument(&self) -> bool {
        let Some((call, between)) = self.before_quote().and_then(|lead| lead.rsplit_once('(')) else { return false };
        let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '!');
        let name = &call[call.trim_end_matches(is_name).len()..];
        let is_raised = ["error", "exception", "failure", "fault"].iter().any(|word| name.ends_with(word));
        let is_first =
            between.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, ',' | ' ' | '_' | '.'));
        !name.is_empty() && !is_raised && is_first
    }

    /// An entry of a list of codes or of texts: `429 - rate_limit_error: …`, `"errors.limit": "…"`.
    pub(super) fn is_an_entry(&self) -> bool {
        is_of_a_list_of_codes(&self.whole) || self.is_a_named_text() || self.is_an_element()
    }

    /// A quoted text after a name that is none of a message, in a line of its own.
    fn is_a_named_text(&self) -> bool {
        let Some(name) = self.before_quote().and_then(|lead| lead.trim_end().strip_suffix(':')) else { return false };
        let name = name.trim_start_matches(['{', ' ', '"', '\'']).trim_matches(['"', '\'', '`']);
        let is_part =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b' ' | b':' | b'{');
        let is_name = !name.is_empty() && name.bytes().all(is_part);
        let last = name.rsplit([' ', ':', '{']).next().unwrap_or_default();
        let ends = self.after.trim_end().ends_with(['"', ',', '\'', '}']);
        is_name && ends && !MESSAGE_NAMES.contains(&last)
    }

    /// A quoted element of a list that is none of messages, or a quoted text that is all of its line.
    fn is_an_element(&self) -> bool {
        let Some(lead) = self.before_quote() else { return false };
        let lead = lead.trim_end_matches(['\\', ' ', '\t']);
        if lead.is_empty() {
            return self.after.trim_end().trim_end_matches([',', ']']).trim_end().ends_with(['"', '\'', '`']);
        }
        let Some((name, between)) = lead.rsplit_once('[') else { return false };
        let elements = between.trim_start_matches(['\\', ' ']);
        let is_list = elements.is_empty() || elements.starts_with(['"', '\'', '`']) && elements.ends_with(',');
        if !is_list || between.contains([']', '{']) {
            return false;
        }
        let Some(name) = name.trim_end().strip_suffix([':', '=']) else { return name.trim_end().is_empty() };
        let name = name.trim_end_matches(['"', '\'', '`', '\\', ' ']);
        let name = name.rsplit(['"', '\'', '`', ' ', '{', ',']).next().unwrap_or_default();
        !MESSAGE_NAMES.contains(&name)
    }

    pub(super) fn is_of_a_test(&self) -> bool {
        let begins = TEST_BEGINS.iter().any(|mark| self.whole.starts_with(mark));
        begins || TEST_MARKS.iter().any(|mark| self.whole.contains(mark)) || self.is_an_explanation()
    }

    /// `+ where 429 = <Response [429]>.status_code`, as pytest explains a comparison.
    fn is_an_explanation(&self) -> bool {
        self.whole.split_once("where ").is_some_and(|(_, rest)| {
            let value = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
            value.len() < rest.len() && value.starts_with(" = ")
        })
    }

    /// `src/retry.rs:154:  …`, `src/retry.rs-155-  …`, `  12<tab>…`.
    pub(super) fn is_found_by_a_search(&self) -> bool {
        let number = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let digits = number(&self.whole);
        if digits > 0 && self.whole[digits..].starts_with(['\t', '\u{2192}']) {
            return true;
        }
        let first = self.whole.split_whitespace().next().unwrap_or_default();
        if first.starts_with("http") || !first.contains(['/', '.']) {
            return false;
        }
        first.match_indices([':', '-']).any(|(at, _)| {
            let rest = &first[at + 1..];
            let digits = number(rest);
            digits > 0 && rest[digits..].starts_with([':', '-']) && first[..at].contains('.')
        })
    }
}

/// `TOO_MANY = "…"`, `client.effect = RateLimitError(…)`.
fn is_assigned(line: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_. []'\"".contains(&byte);
    line.split_once(" = ")
        .is_some_and(|(name, _)| !name.is_empty() && name.split(' ').count() <= 2 && name.bytes().all(is_part))
}

/// `429 - rate_limit_error: …`, as documentation lists errors.
fn is_of_a_list_of_codes(line: &str) -> bool {
    let line = line.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let Some((number, rest)) = line.split_once(" - ") else { return false };
    let Some((name, _)) = rest.split_once(':') else { return false };
    let is_number = number.len() == 3 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// `{self.key}`, `{ seconds }`: a name in braces, which no JSON has.
fn has_name_in_braces(text: &str) -> bool {
    text.split('{').skip(1).any(|rest| {
        let Some((name, _)) = rest.split_once('}') else { return false };
        let name = name.trim();
        name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.()[]".contains(&byte))
    })
}

/// Whether the lines around a find are source code. The lines a traceback shows are not: they come with an error.
pub(super) fn stands_in_code(place: Place<'_>) -> bool {
    let Place { text, start, end } = place;
    let before = &text[start.saturating_sub(REACH)..start];
    let after = &text[end..text.len().min(end + REACH)];
    let is_code = |line: &[u8]| {
        let line = line.trim_ascii_start();
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let numbered = digits > 0 && line.get(digits) == Some(&b'\t');
        let line = if numbered { line[digits..].trim_ascii_start() } else { line };
        let line = line.strip_prefix(b"+").or_else(|| line.strip_prefix(b"-")).unwrap_or(line).trim_ascii_start();
        CODE_NEIGHBOURS.iter().any(|mark| line.starts_with(mark.as_bytes())) || contains(line, b"${")
    };
    if contains(before, b"File \"") || contains(before, b"Traceback") || contains(before, b"    at ") {
        return false;
    }
    // The body of a commit, some lines below its header.
    if before.split(|byte| *byte == b'\n').any(|line| line.starts_with(b"Author: ")) {
        return true;
    }
    // The line of the find itself is looked at by itself.
    let above = before.rsplit(|byte| *byte == b'\n').skip(1).take(NEIGHBOURS);
    let below = after.split(|byte| *byte == b'\n').skip(1).take(NEIGHBOURS);
    above.chain(below).any(is_code)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
