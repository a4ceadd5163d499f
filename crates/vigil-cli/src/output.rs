//! What people read: styles, and numbers in words.
//!
//! Colours appear on a terminal only, and not when `NO_COLOR` is set to anything or `TERM` is `dumb`. Writing
//! fails quietly: nobody can be told when stderr is gone.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// How a word is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    /// What went well.
    Good,
    /// What went wrong.
    Bad,
    /// What is worth a look.
    Notable,
    /// What is beside the point.
    Faint,
}

/// Whether styles are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Styles(bool);

impl Styles {
    /// For text that goes to `stream`.
    pub(crate) fn for_stream(stream: &impl IsTerminal) -> Self {
        let refused = crate::system::variable("NO_COLOR").is_some();
        let dumb = crate::system::variable("TERM").is_some_and(|value| value == "dumb");
        Self(stream.is_terminal() && !refused && !dumb)
    }

    /// For text that goes anywhere.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self(false)
    }

    /// `text` in `style`.
    pub(crate) fn paint(self, style: Style, text: &str) -> String {
        let code = match style {
            Style::Good => "32",
            Style::Bad => "31",
            Style::Notable => "33",
            Style::Faint => "2",
        };
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Writes to stderr, at once and whole.
pub(crate) fn to_stderr(text: &str) {
    let _nobody_to_tell = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Writes to stdout, at once and whole; `false` when nobody reads it.
pub(crate) fn to_stdout(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// Foreign text for a terminal: control characters become `\u{fffd}`, and it is cut to 200 characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 turn`, `2 turns`, `1,000 turns`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A duration as a person says it: `85 ms`, `4.2 s`, `3 min 5 s`, `2 h 1 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Nano-dollars as dollars: `$0.0704`, `$12.30`. Four digits below a dollar, two above, never `$0.0000` for
/// something that cost.
pub(crate) fn dollars(nano_usd: u64) -> String {
    const DOLLAR: u64 = 1_000_000_000;
    if nano_usd >= DOLLAR {
        let cents = (nano_usd + 5_000_000) / 10_000_000;
        format!("${}.{:02}", grouped(cents / 100), cents % 100)
    } else if nano_usd == 0 {
        "$0".to_owned()
    } else if nano_usd < 50_000 {
        "< $0.0001".to_owned()
    } else {
        let tenth_millis = (nano_usd + 50_000) / 100_000;
        format!("${}.{:04}", tenth_millis / 10_000, tenth_millis % 10_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(grouped), ["0", "7", "999", "1,000", "1,234,567"]);
        assert_eq!(counted(1, "turn", "turns"), "1 turn");
    }

    #[test]
    fn durations_are_said_in_the_unit_that_fits() {
        let said = [85, 4_240, 185_000, 7_260_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(said, ["85 ms", "4.2 s", "3 min 5 s", "2 h 1 min"]);
    }

    #[test]
    fn a_small_cost_is_never_shown_as_nothing() {
        assert_eq!(dollars(0), "$0");
        assert_eq!(dollars(10), "< $0.0001");
        assert_eq!(dollars(70_400_000), "$0.0704");
        assert_eq!(dollars(999_990_000), "$1.0000");
        assert_eq!(dollars(12_304_000_000), "$12.30");
    }

    #[test]
    fn foreign_text_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\n"), "a\u{fffd}[31mb\u{fffd}");
        assert_eq!(printable(&"x".repeat(500)).len(), 200);
    }

    #[test]
    fn without_colours_a_painted_word_is_the_word() {
        assert_eq!(Styles::none().paint(Style::Bad, "failed"), "failed");
    }
}
