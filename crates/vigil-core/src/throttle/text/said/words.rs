//! The words by which talk, code and failures are told apart, in small letters.

/// Programs that show what others wrote.
#[rustfmt::skip]
pub(super) static SHOWING_TOOLS: &[&str] = &[
    "grep", "git grep", "git log", "git show", "git diff", "git blame", "rg", "ag", "ack", "cat", "bat", "head",
    "less", "more", "sed", "awk", "find", "ls", "diff", "fd", "jq", "nl", "tree",
];

/// What lines of `git` that report a failure begin with; its other lines are what people committed.
#[rustfmt::skip]
pub(super) static GIT_REPORTS: &[&str] = &[
    "fatal:", "error:", "remote:", "batch response:", "lfs:", "warning:", "hint:", "http ", "git:", "git-lfs:", "! [",
    "unexpected ", "rate limit exceeded", "bandwidth limit exceeded", "(error", "error ",
];

/// What lines of source code, patches and scripts begin with.
#[rustfmt::skip]
pub(super) static CODE_BEGINS: &[&str] = &[
    "//", "/*", "*/", "# ", "#[", "#!", "\"\"\"", "'''", "<!--", "-- ", "if ", "if(", "elif ", "else", "} else",
    "return ", "let ", "const ", "var ", "def ", "fn ", "pub ", "func ", "function ", "class ", "struct ", "enum ",
    "impl ", "throw ", "raise ", "assert", "expect(", "case ", "match ", "echo ", "printf ", "print(", "console.",
    "logger.", "logging.", "log.", "import ", "from ", "self.", "this.", "await ", "async ", "@@", "diff --git",
    "index ", "export ", "describe(", "it(", "test(", "it '", "use ", "while ", "for ", "try ", "try:", "catch ",
    "except ", "} catch", "yield ", "new ", "when ", "given ", "then ", "select ", "insert ", "msgid ", "msgstr ",
    "static ", "private ", "public ", "protected ", "type ", "interface ", "grep ", "rg ", "sed ", "curl ", "$ ",
    "> ", "r'", "r\"", "r#\"", "with ", "} ", "<p>", "<p ", "<li", "<td", "<h1", "<h2", "<h3", "<div", "<span", "<title",
];

/// What only source code holds.
#[rustfmt::skip]
pub(super) static CODE_MARKS: &[&str] = &[
    " == ", " === ", " != ", " && ", " || ", ".test(", ".includes(", ".contains(", ".match(", "re.compile", "\\b",
    "\\s*", "\\d", "(?i)", ") -> ", "().", ".is_", "::new(", "assert", " = \"", " := ", "+= ", ".unwrap",
    "#[test]", "fn ", ".to_", "i.test", ".await", "std::", "${{", "new error(", "({ ", ".stringify(", ".json(",
    "({\"", ") => ", ").to",
];

/// What is filled in later.
#[rustfmt::skip]
pub(super) static PLACEHOLDERS: &[&str] = &[
    "{}", "{0}", "{1}", "%s", "%d", "%v", "${", "#{",
];

/// Where test runners tell of tests.
#[rustfmt::skip]
pub(super) static TEST_MARKS: &[&str] = &[
    "... ok", "... failed", "... ignored", "\u{2713}", "\u{2714}", "--- pass", "--- fail", "=== run", "[ ok ]",
    "::test_", "::tests::", "test_", "_test.", ".spec.", ".test.", "... done", "assertionerror",
];

/// What lines begin with in which test runners tell of tests.
#[rustfmt::skip]
pub(super) static TEST_BEGINS: &[&str] = &[
    "ok ", "not ok ", "pass ", "fail ", "expected:", "received:", "+ received", "- expected", "actual:",
];

/// What a value stands in the brackets of when a program shows it.
pub(super) static VALUES: &[&str] = &["err", "ok", "some"];

/// What people write when they talk about a thing: commits, change logs, questions, plans.
#[rustfmt::skip]
pub(super) static TALKING_WORDS: &[&str] = &[
    "fix", "fixed", "fixes", "fixing", "add", "added", "adds", "adding", "improve", "improved", "improves", "handle",
    "handled", "handles", "handling", "implement", "implemented", "implements", "support", "supports", "surface",
    "extract", "refactor", "document", "documented", "test", "tests", "testing", "when", "whenever", "if", "unless",
    "how", "what", "why", "which", "explain", "difference", "between", "instead", "avoid", "prevent", "detect",
    "detects", "detected", "retries", "should", "might", "e.g", "example", "feature", "todo", "docs", "documentation",
    "mention", "mentioning", "says", "said", "called", "named", "means", "meaning", "regarding", "without", "skip",
    "misleading", "spurious", "showing", "reporting", "appearing", "simulate", "simulated", "mock", "fake", "local",
    "return", "returns", "throws", "indicates", "recommended", "typically", "usually", "sometimes", "often", "always",
    "common", "troubleshooting", "issue", "issues", "pull", "pr", "question", "note", "summary", "described",
];

/// What stands before or around a failure.
#[rustfmt::skip]
pub(super) static FAILURE_WORDS: &[&str] = &[
    "error", "errors", "failed", "failure", "fail", "fatal", "exception", "denied", "err", "err!", "panic",
    "critical", "severe", "rejected", "refused", "aborted", "cannot", "can't", "unable", "unsuccessful", "403",
    "retrying", "status", "traceback", "stopped", "blocked", "forbidden", "warning", "warn", "response",
];

/// What a number may count that is no status.
#[rustfmt::skip]
pub(super) static COUNTED_THINGS: &[&str] = &[
    "rows", "results", "items", "records", "entries", "files", "lines", "bytes", "tests", "ms", "ns", "tokens",
    "matches", "objects", "errors", "warnings", "times", "messages", "documents", "pages", "users", "passed",
    "failed", "kb", "mb", "packages", "points", "commits", "issues",
];

/// Names of fields that hold messages.
#[rustfmt::skip]
pub(super) static MESSAGE_NAMES: &[&str] = &[
    "message", "error", "errors", "detail", "details", "msg", "reason", "raw", "exception", "cause", "stderr", "desc",
    "err", "error_message", "errormessage", "error.message", "error_msg", "lasterror", "statustext", "statusmessage",
    "status_message", "failure",
];

/// What people write before a service's own sentence when they talk about it.
#[rustfmt::skip]
pub(super) static TALKING_BEFORE: &[&str] = &[
    "fix", "fixed", "fixes", "fixing", "add", "added", "adds", "adding", "improve", "improved", "improves", "handle",
    "handled", "handles", "handling", "implement", "implemented", "when", "whenever", "if", "unless", "how", "what",
    "why", "explain", "instead", "detect", "detects", "detected", "test", "tests", "testing", "feature", "docs",
    "documentation", "misleading", "spurious", "showing", "reporting", "displaying", "simulate", "simulated",
    "simulates", "mock", "mocked", "fake", "resolved", "earlier", "previous", "previously", "yesterday", "recovered",
    "example", "e.g", "says", "surface", "surfaces", "avoid", "prevent", "should", "might", "like", "mentions",
    "mentioning", "indicates", "indicate", "means", "occurs", "happens", "assume", "suppose", "imagine",
    "approaching", "near", "nearing", "close", "almost", "warns", "can", "issue", "issues", "pull", "question",
];

/// What comes after words that are being defined or referred to, within a few words.
#[rustfmt::skip]
pub(super) static DEFINING_AFTER: &[&str] = &[
    "indicates", "means", "occurs", "happens", "represents", "refers", "signifies",
];

/// What makes a service's words the name of something else when it follows them at once.
#[rustfmt::skip]
pub(super) static NAMED_AFTER: &[&str] = &[
    "errors", "message", "messages", "banner", "notification", "notifications", "handling", "hint", "hints", "dialog",
    "screen", "popup", "warnings", "responses", "handler", "event", "events", "detection", "checks", "logic",
    "behavior", "behaviour", "cases", "scenario", "scenarios", "response", "prompt", "prompts", "toast", "screens",
    "status", "state", "label", "code", "codes", "path", "retry", "retries",
];

/// Labels of what is described, not of what happened.
#[rustfmt::skip]
pub(super) static LABELS: &[&str] = &[
    "description", "summary", "title", "name", "label", "example", "subject", "state", "body", "pull request", "open issue", "closed issue", "problem", "symptom", "todo",
    "feature", "test", "case", "meaning", "usage", "default", "help", "tooltip", "placeholder", "comment", "docs", "heading", "topic", "query",
];

/// What lines around a find begin with in source code.
#[rustfmt::skip]
pub(super) static CODE_NEIGHBOURS: &[&str] = &[
    "const ", "return ", "if (", "if !", "throw ", "raise ", "def ", "function ", "import ", "export ", "class ", "try {", "try:", "} catch", "except ", "let ", "var ", "elif ",
    "for (", "while (", "expect(", "describe(", "it(", "assert", "fn ", "pub ", "func ", "package ", "#include", "public ", "private ", "async ", "await ", "} else", "switch ",
    "case ", "match ", "struct ", "enum ", "impl ", "interface ", "@@", "diff --git", "+++ ", "--- a/", "});", "]);",
];
