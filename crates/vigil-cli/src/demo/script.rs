//! What the scripted model says, call by call.
//!
//! The story: a main model has a helper count the errors in some logs, writes a report, sees the check of the
//! report fail, finds what the helper overlooked, and writes it again.

use std::time::Duration;

/// The name the main model goes by: its tokens are priced as that model's would be.
pub(crate) const MAIN_MODEL: &str = "claude-sonnet-5-5";
/// The name of the cheaper model the agent turns to when money runs low. It says the same.
pub(crate) const SAVING_MODEL: &str = "claude-haiku-5-5";
/// The name of the cheaper model that sub-agents ask.
pub(crate) const HELPER_MODEL: &str = "gpt-6-luna";

/// One scripted answer.
#[derive(Debug)]
pub(super) struct Answer {
    /// How long the model thinks.
    pub(super) pause: Duration,
    pub(super) text: &'static str,
    /// Tools and their arguments as JSON text.
    pub(super) calls: &'static [(&'static str, &'static str)],
    pub(super) tokens: Tokens,
    /// Whether the server is too busy for this the first time it is asked.
    pub(super) overloaded_at_first: bool,
}

/// What an answer is said to have used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tokens {
    /// Input that came from no cache.
    pub(super) fresh: u64,
    pub(super) cache_read: u64,
    pub(super) cache_write: u64,
    pub(super) output: u64,
}

const fn tokens(fresh: u64, cache_read: u64, cache_write: u64, output: u64) -> Tokens {
    Tokens { fresh, cache_read, cache_write, output }
}

const MAIN: &[Answer] = &[
    Answer {
        pause: Duration::from_millis(90),
        text: "First the folder, then somebody to count.",
        calls: &[
            ("list_files", "{}"),
            ("delegate", r#"{"task": "Count the lines with ERROR in logs/monday.log and logs/tuesday.log."}"#),
        ],
        tokens: tokens(412, 0, 1880, 96),
        overloaded_at_first: false,
    },
    Answer {
        pause: Duration::from_millis(70),
        text: "Four it is.",
        calls: &[
            ("write_file", r#"{"path": "report.md", "content": "The logs of this week\n\nerrors: 4\n"}"#),
            ("run_command", r#"{"command": "sh check.sh"}"#),
        ],
        tokens: tokens(38, 1880, 264, 121),
        overloaded_at_first: true,
    },
    Answer {
        pause: Duration::from_millis(80),
        text: "One was overlooked. Once more, with my own eyes.",
        calls: &[
            ("read_file", r#"{"path": "logs/tuesday.log"}"#),
            ("write_file", r#"{"path": "report.md", "content": "The logs of this week\n\nerrors: 5\n"}"#),
            ("run_command", r#"{"command": "sh check.sh"}"#),
        ],
        tokens: tokens(44, 2144, 233, 158),
        overloaded_at_first: false,
    },
    Answer {
        pause: Duration::from_millis(50),
        text: "The logs hold 5 errors: 3 on Monday, 2 on Tuesday. The report says so and passed its check.",
        calls: &[],
        tokens: tokens(41, 2377, 305, 34),
        overloaded_at_first: false,
    },
];

const HELPER: &[Answer] = &[
    Answer {
        pause: Duration::from_millis(40),
        text: "",
        calls: &[("read_file", r#"{"path": "logs/monday.log"}"#), ("read_file", r#"{"path": "logs/tuesday.log"}"#)],
        tokens: tokens(655, 0, 0, 48),
        overloaded_at_first: false,
    },
    Answer {
        pause: Duration::from_millis(40),
        text: "4",
        calls: &[],
        tokens: tokens(190, 640, 0, 5),
        overloaded_at_first: false,
    },
];

/// The answer of `model` when it has answered `before` times in this conversation.
pub(super) fn answer(model: &str, before: usize) -> Option<&'static Answer> {
    let answers = match model {
        MAIN_MODEL | SAVING_MODEL => MAIN,
        HELPER_MODEL => HELPER,
        _ => return None,
    };
    answers.get(before)
}
