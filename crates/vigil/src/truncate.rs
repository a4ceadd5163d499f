//! Cutting content so that it stays what it was: JSON stays valid JSON, text stays UTF-8, and the result is
//! never longer than asked.

use serde_json::Value;

/// Marks a place where something was cut, three bytes.
const MARK: &str = "…";
/// Rounds of shortening before JSON is given up and `null` is returned.
const ROUNDS: usize = 40;

/// `text` in at most `max` bytes. JSON objects and arrays keep their structure: the longest texts inside are
/// shortened first, then the longest lists. Anything else is cut at a character with a mark.
pub(crate) fn text(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let looks_like_json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
    if looks_like_json && let Ok(mut value) = serde_json::from_str::<Value>(text) {
        return json(&mut value, max);
    }
    plain(text, max)
}

fn plain(text: &str, max: usize) -> String {
    if max < MARK.len() {
        return text[..text.floor_char_boundary_at(max)].to_owned();
    }
    format!("{}{MARK}", &text[..text.floor_char_boundary_at(max - MARK.len())])
}

/// `str::floor_char_boundary` is newer than the oldest Rust this is built with.
trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, at: usize) -> usize;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_at(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

fn json(value: &mut Value, max: usize) -> String {
    let mut budget = max;
    for _ in 0..ROUNDS {
        let short = value.to_string();
        if short.len() <= max {
            return short;
        }
        shorten(value, budget / 4, budget);
        budget = budget * 3 / 5;
    }
    // Structure alone is larger than the limit: a JSON value that fits says that something was here.
    if max >= 4 { "null".to_owned() } else { "0".repeat(max.min(1)) }
}

/// Cuts every text to `text_max` bytes and every list and object to what fits `list_max` entries roughly.
fn shorten(value: &mut Value, text_max: usize, list_max: usize) {
    match value {
        Value::String(string) if string.len() > text_max.max(MARK.len()) => {
            *string = plain(string, text_max.max(MARK.len()))
        }
        Value::Array(list) => {
            list.truncate((list_max / 4).max(1));
            list.iter_mut().for_each(|value| shorten(value, text_max, list_max));
        }
        Value::Object(map) => {
            let keep = (list_max / 8).max(1);
            if map.len() > keep {
                let extra: Vec<_> = map.keys().skip(keep).cloned().collect();
                extra.iter().for_each(|key| drop(map.remove(key)));
            }
            map.values_mut().for_each(|value| shorten(value, text_max, list_max));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_valid_and_within_every_limit() {
        let long = "ünïcødé ".repeat(300);
        let value = serde_json::json!([
            {"role": "user", "parts": [{"type": "text", "content": long}, {"type": "text", "content": "short"}]},
            {"role": "assistant", "parts": (0..200).map(|n| serde_json::json!({"n": n})).collect::<Vec<_>>()},
        ]);
        let whole = value.to_string();
        for max in 0..whole.len() + 10 {
            if max % 7 != 0 && max > 400 {
                continue;
            }
            let short = text(&whole, max);
            assert!(short.len() <= max, "{max}: {}", short.len());
            assert!(max == 0 || serde_json::from_str::<Value>(&short).is_ok(), "{max}: {short}");
        }
    }

    #[test]
    fn short_texts_inside_survive_while_long_ones_are_cut() {
        let whole = serde_json::json!({"id": "call-1", "output": "x".repeat(100_000)}).to_string();
        let short: Value = serde_json::from_str(&text(&whole, 4096)).unwrap();
        assert_eq!(short["id"], "call-1");
        assert!(short["output"].as_str().unwrap().ends_with(MARK));
    }

    #[test]
    fn plain_text_is_cut_at_a_character() {
        for max in 0..40 {
            let short = text("äöü€𝄞 plain text with wide characters", max);
            assert!(short.len() <= max);
        }
        assert_eq!(text("fits", 4), "fits");
    }
}
