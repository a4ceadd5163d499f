//! Whether something is said, or only talked about.
//!
//! What a terminal shows may hold source code, tests, commit messages, change logs, search results and people's
//! questions about rate limits. A find counts when its line does not look like one of these; the words that everybody
//! uses count only where a message begins or next to a sign of failure. At most 400 bytes on both sides are looked at.
//!
//! | file | knows |
//! |---|---|
//! | `line.rs` | the line of a find |
//! | `code.rs` | what is source code, a test, a search result |
//! | `talk.rs` | what people write about throttling |
//! | `words.rs` | the words of all these |

mod code;
mod line;
mod talk;
mod words;

use crate::throttle::observation::Channel;
use crate::throttle::rules::Tier;
use line::Line;
use words::{COUNTED_THINGS, SHOWING_TOOLS};

/// Where a find stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) text: &'a [u8],
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Who tells it.
#[derive(Clone, Copy)]
pub(super) struct Teller<'a> {
    pub(super) channel: Channel,
    pub(super) tool: Option<&'a str>,
    /// The status the caller knows says that something failed.
    pub(super) is_failure: bool,
}

/// Whether the find is said as an error. An address counts only where it is what is looked for.
pub(super) fn is_said(place: Place<'_>, tier: Tier, teller: Teller<'_>, is_address: bool) -> bool {
    let line = Line::around(place);
    if line.has_placeholder() {
        return false;
    }
    if teller.channel != Channel::CliText {
        return true;
    }
    let is_shown = teller.tool.is_some_and(shows_what_others_wrote)
        || line.is_code()
        || line.is_an_entry()
        || line.is_of_a_test()
        || line.is_found_by_a_search()
        || line.is_of_a_history(teller.tool)
        || line.is_a_row()
        || line.is_in_an_address() && !is_address;
    if is_shown || line.is_quoted() || line.is_a_question() || line.is_referred_to() {
        return false;
    }
    if line.is_an_item() && (tier == Tier::Generic || !line.begins_a_message()) {
        return false;
    }
    let is_open = tier < Tier::Exact;
    let is_supported = || {
        let is_a_response = tier == Tier::Status && line.is_a_status_line();
        teller.is_failure || is_a_response || line.begins_a_message() || line.tells_of_failure()
    };
    (!is_open || !line.talks() && is_supported()) && !code::stands_in_code(place)
}

fn shows_what_others_wrote(tool: &str) -> bool {
    SHOWING_TOOLS.contains(&tool.rsplit('/').next().unwrap_or(tool))
}

/// Whether the find stands on its own: not in the middle of a word or of a name in code.
pub(super) fn stands_alone(place: Place<'_>) -> bool {
    let Place { text, start, end } = place;
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let (first, last) =
        (text.get(start).copied().unwrap_or(b' '), text.get(end.saturating_sub(1)).copied().unwrap_or(b' '));
    let before = start.checked_sub(1).and_then(|at| text.get(at)).copied().unwrap_or(b' ');
    let after = text.get(end).copied().unwrap_or(b' ');
    // Interfaces run sentences together: "of CodexYour limit", "429This request", "\\nYou".
    let escaped = start >= 2 && text[start - 2] == b'\\' && matches!(before, b'n' | b'r' | b't');
    let glued_before =
        before.is_ascii_lowercase() && first.is_ascii_uppercase() || before.is_ascii_digit() != first.is_ascii_digit();
    let begins = !is_letter(first) || !is_letter(before) || before != b'_' && (glued_before || escaped);
    let glued_after = last.is_ascii_lowercase() && after.is_ascii_uppercase();
    begins
        && (!is_letter(last) || !is_letter(after) || glued_after || last.is_ascii_digit() && after.is_ascii_uppercase())
}

/// Whether there is a blank, a hyphen or a line end in it: a sentence, not a name in code.
pub(super) fn has_blanks(place: Place<'_>) -> bool {
    let found = place.text.get(place.start..place.end).unwrap_or_default();
    found.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b'-' || *byte == b'\\')
}

/// Whether it is followed by what follows the name of an exception: a colon, a bracket, a quote, the end.
pub(super) fn ends_like_a_class(place: Place<'_>) -> bool {
    let found = place.text.get(place.start..place.end).unwrap_or_default();
    match place.text.get(place.end..).unwrap_or_default() {
        // `(StatusCode.RESOURCE_EXHAUSTED, …)`, as gRPC shows it.
        [b',', b' ', ..] => found.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_'),
        // `RateLimitError: "…"` is an entry of a list of texts.
        [b':', b' ', b'"' | b'\'', ..] => false,
        [] | [b':' | b')' | b']' | b'"' | b'\'' | b'\n' | b'\r' | b'\\' | b' ', ..] => true,
        [b'(' | b'[', rest @ ..] => rest.first().is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'f')),
        [b'.', rest @ ..] => rest.first().is_none_or(u8::is_ascii_whitespace),
        _ => false,
    }
}

/// Whether the number counts things: `returned 429 rows`.
pub(super) fn counts_things(place: Place<'_>) -> bool {
    let after = place.text.get(place.end..place.text.len().min(place.end + 24)).unwrap_or_default();
    let word = after.trim_ascii_start().split(|byte| !byte.is_ascii_alphabetic()).next().unwrap_or_default();
    COUNTED_THINGS.iter().any(|thing| thing.as_bytes().eq_ignore_ascii_case(word))
}

/// Whether it begins the text of a field of messages: `"message": "API rate limit exceeded`.
pub(super) fn is_a_message(place: Place<'_>) -> bool {
    let before = &place.text[place.start.saturating_sub(32)..place.start];
    let Some(before) = before.strip_suffix(b"\"") else { return false };
    let before = before.trim_ascii_end().strip_suffix(b":").unwrap_or_default().trim_ascii_end();
    ["\"message\"", "\"detail\"", "\"msg\"", "\"error_message\""].iter().any(|name| before.ends_with(name.as_bytes()))
}
