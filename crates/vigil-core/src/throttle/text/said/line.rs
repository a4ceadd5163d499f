//! The line of a find, in small letters.

use super::Place;

/// How far is looked to both sides, in bytes.
pub(super) const REACH: usize = 400;

/// The line of a find.
pub(super) struct Line {
    /// Before the find, without the blanks the line begins with.
    pub(super) before: String,
    pub(super) after: String,
    pub(super) whole: String,
    /// Where in `before` the quotation begins that the find stands in, if it stands in one.
    quote: Option<usize>,
}

impl Line {
    pub(super) fn around(place: Place<'_>) -> Self {
        let Place { text, start, end } = place;
        let before = &text[start.saturating_sub(REACH)..start];
        let before = &before[before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)..];
        let after = &text[end..text.len().min(end + REACH)];
        let after = &after[..after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len())];
        let small = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
        let (before, after) = (small(before).trim_start().to_owned(), small(after));
        let whole = format!("{before}{}{after}", small(text.get(start..end).unwrap_or_default()));
        let quote = open_quote(&before);
        Self { before, after, whole, quote }
    }

    /// What stands before the quotation the find stands in; nothing when it stands in none.
    pub(super) fn before_quote(&self) -> Option<&str> {
        self.quote.and_then(|at| self.before.get(..at))
    }

    /// What stands in the quotation before the find.
    pub(super) fn in_quote(&self) -> &str {
        self.quote.and_then(|at| self.before.get(at + 1..)).unwrap_or_default()
    }
}

/// Where the quotation begins that is open at the end of `before`. An apostrophe within a word begins none.
fn open_quote(before: &str) -> Option<usize> {
    let mut open: Option<(char, usize)> = None;
    let mut last = ' ';
    for (at, letter) in before.char_indices() {
        if matches!(letter, '"' | '\'' | '`') {
            match open {
                Some((quote, _)) if quote == letter => open = None,
                Some(_) => {}
                None if letter == '\'' && last.is_alphanumeric() && last != 'b' && last != 'r' && last != 'f' => {}
                None => open = Some((letter, at)),
            }
        }
        last = letter;
    }
    open.map(|(_, at)| at)
}

/// The words of a text.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '\'' | '!' | '.' | '_');
    text.split(move |letter| !is_part(letter)).map(|word| word.trim_end_matches('.')).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_quotation_is_found_and_apostrophes_are_none() {
        let open = |text: &str| open_quote(text).map(|at| text[..at].to_owned());
        assert_eq!(open("say \"it"), Some("say ".to_owned()));
        assert_eq!(open("say \"it\" or '"), Some("say \"it\" or ".to_owned()));
        assert_eq!(open("you've hit"), None);
        assert_eq!(open("body b'{\"a\": \""), Some("body b".to_owned()));
        assert_eq!(open(""), None);
    }
}
