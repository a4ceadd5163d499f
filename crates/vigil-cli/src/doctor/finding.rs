//! What was found, in words for a person and fields for a program.

use crate::output::{Style, Styles, printable};
use serde_json::{Value, json};

/// How much a finding matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// Worth knowing.
    Advice,
    /// Telemetry is lost, or will be.
    Wrong,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Advice => "advice",
            Level::Wrong => "wrong",
        }
    }
}

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Finding {
    pub(super) level: Level,
    /// What was looked at: `settings`, `backend`, `spool`, `clock`, `agents`.
    pub(super) topic: &'static str,
    pub(super) what: String,
    /// Why it matters, where that is not plain.
    pub(super) why: Option<String>,
    /// How to mend it.
    pub(super) mend: Option<String>,
}

impl Finding {
    pub(super) fn good(topic: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Good, topic, what: what.into(), why: None, mend: None }
    }

    pub(super) fn advice(topic: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Advice, ..Self::good(topic, what) }
    }

    pub(super) fn wrong(topic: &'static str, what: impl Into<String>) -> Self {
        Self { level: Level::Wrong, ..Self::good(topic, what) }
    }

    pub(super) fn because(mut self, why: impl Into<String>) -> Self {
        self.why = Some(why.into());
        self
    }

    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    pub(super) fn text(&self, styles: Styles) -> String {
        let style = match self.level {
            Level::Good => Style::Good,
            Level::Advice => Style::Notable,
            Level::Wrong => Style::Bad,
        };
        let mut text =
            format!("{} {}: {}\n", styles.paint(style, self.level.word()), self.topic, printable(&self.what));
        for line in [&self.why, &self.mend].into_iter().flatten() {
            text += &format!("     {}\n", printable(line));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "level": self.level.word(),
            "topic": self.topic,
            "what": self.what,
            "why": self.why,
            "mend": self.mend,
        })
    }
}
