//! What people write about throttling: change logs, commits, questions, documentation, plans.

use super::line::{Line, words};
use super::words::{DEFINING_AFTER, FAILURE_WORDS, GIT_REPORTS, LABELS, NAMED_AFTER, TALKING_BEFORE, TALKING_WORDS};

/// How many words after a sentence are asked whether it is being defined.
const DEFINING_REACH: usize = 5;
/// How many words after a find are asked whether it is talked about.
const TALKING_REACH: usize = 3;

/// Kinds of change that commit messages begin with.
static CHANGES: &[&str] =
    &["fix", "feat", "chore", "docs", "refactor", "test", "perf", "ci", "build", "revert", "style"];

/// What titles and histories begin with.
static TITLES: &[&str] = &["[bug]", "[feature", "#", "commit ", "merge ", "pull request #", "issue #", "**"];

impl Line {
    /// A commit, an entry of a change log, the title of an issue.
    pub(super) fn is_of_a_history(&self, tool: Option<&str>) -> bool {
        let whole = self.whole.trim_start_matches(['*', '|', ' ']);
        let first = whole.split_whitespace().next().unwrap_or_default();
        let is_hash = (7..=40).contains(&first.len())
            && first.bytes().all(|byte| byte.is_ascii_hexdigit())
            && first.bytes().any(|byte| byte.is_ascii_digit())
            && whole.len() > first.len();
        let is_change = CHANGES.iter().any(|kind| {
            whole.strip_prefix(kind).is_some_and(|rest| {
                rest.starts_with('(') && rest.contains("):") || rest.starts_with(": ") || rest.starts_with("!:")
            })
        });
        let is_quoted_change = CHANGES.iter().any(|kind| self.in_quote().starts_with(&format!("{kind}: ")));
        let is_title = TITLES.iter().any(|title| self.whole.starts_with(title));
        let of_git = tool.is_some_and(|tool| tool.rsplit('/').next() == Some("git"))
            && !GIT_REPORTS.iter().any(|report| self.whole.starts_with(report));
        is_hash || is_change || is_quoted_change || is_title || of_git
    }

    /// In quotes or code marks in the middle of a sentence: `the "rate limit reached" message`.
    pub(super) fn is_quoted(&self) -> bool {
        let Some(lead) = self.before_quote() else { return false };
        if self.before[lead.len()..].starts_with('`') {
            return true;
        }
        let is_escaped = lead.ends_with('\\');
        let lead = lead.trim_end();
        let after_word = lead.ends_with(|letter: char| letter.is_alphabetic() || matches!(letter, ',' | ')'));
        let goes_on = self
            .after
            .split_once(['"', '\''])
            .is_some_and(|(_, rest)| rest.trim_start().starts_with(|letter: char| letter.is_alphabetic()));
        !is_escaped && after_word && goes_on && !lead.ends_with("error") && !lead.ends_with("message")
    }

    /// A row of a table, but not a line of a log, which begins with its time.
    pub(super) fn is_a_row(&self) -> bool {
        let framed = self.before.starts_with("| ") && self.after.contains(" |");
        let begins_with_a_time = self.before.starts_with(|letter: char| letter.is_ascii_digit());
        framed || self.before.matches(" | ").count() >= 2 && !begins_with_a_time
    }

    /// In the middle of an address.
    pub(super) fn is_in_an_address(&self) -> bool {
        let token = self.before.rsplit(char::is_whitespace).next().unwrap_or_default();
        token.contains("://") && !token.ends_with([')', ']', '"', '\'', ',', ';', '>', ':'])
    }

    /// An item of a list, a heading, a quotation.
    pub(super) fn is_an_item(&self) -> bool {
        let whole = self.whole.as_str();
        let mark = whole.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let numbered = mark.len() < whole.len() && (mark.starts_with(". ") || mark.starts_with(") "));
        let marks = ["- ", "* ", "+ ", "> ", "# ", "## ", "### ", "| ", "\u{2022} "];
        numbered || marks.iter().any(|mark| whole.starts_with(mark))
    }

    /// Only marks, times and names of levels stand before it, or the colon of what failed.
    pub(super) fn begins_a_message(&self) -> bool {
        let before = self.before.trim_end();
        let ends = before
            .ends_with([':', '\u{b7}', '\u{2219}', '\u{23bf}', '\u{2715}', '\u{2717}', '\u{d7}', ']', '{'])
            || before.ends_with(['|', '(', '"', '\'', '.', '!', '\u{2014}', '-']);
        let is_talk = self.talks() || words(&self.before).any(|word| TALKING_WORDS.contains(&word));
        (ends || !before.chars().any(char::is_alphabetic)) && !is_talk
    }

    /// `< HTTP/2 429`, as a client shows a response.
    pub(super) fn is_a_status_line(&self) -> bool {
        self.before.trim_start_matches(['<', ' ']).starts_with("http/")
    }

    /// The words around it are those of people who talk about things.
    pub(super) fn talks(&self) -> bool {
        let is_named =
            |word: &str| matches!(word, "are" | "is" | "was" | "were" | "when") || NAMED_AFTER.contains(&word);
        words(self.clause()).any(|word| TALKING_WORDS.contains(&word))
            || self.is_labelled()
            || !self.after.starts_with(['.', ',', ':', ';', '"', '\'', ')'])
                && words(&self.after).take(TALKING_REACH).any(is_named)
    }

    pub(super) fn tells_of_failure(&self) -> bool {
        let is_failure =
            |word: &str| FAILURE_WORDS.contains(&word) || word.ends_with("error") || word.ends_with("exception");
        words(&self.before).chain(words(&self.after)).any(is_failure)
    }

    pub(super) fn is_a_question(&self) -> bool {
        let starts =
            ["how ", "what ", "why ", "can you ", "could you ", "is there ", "does ", "explain ", "should ", "q: "];
        starts.iter().any(|start| self.before.starts_with(start))
            || self.after.trim_end().ends_with('?') && self.talks()
    }

    /// A service's own sentence in the middle of somebody else's.
    pub(super) fn is_referred_to(&self) -> bool {
        let past = ["resolved:", "resolved -", "[resolved]", "changelog", "release notes"];
        let is_past = past
            .iter()
            .any(|mark| self.before.find(mark).is_some_and(|at| at == 0 || self.before[..at].ends_with(' ')));
        let quotes_code = self.before.matches('`').count() >= 2;
        let is_defined = !self.after.starts_with(['.', ',', ':', '!', ';', '"', '\''])
            && (words(&self.after).take(DEFINING_REACH).any(|word| DEFINING_AFTER.contains(&word))
                || words(&self.after).next().is_some_and(|word| NAMED_AFTER.contains(&word)));
        let is_talk = words(self.clause()).any(|word| TALKING_BEFORE.contains(&word));
        // How many are under way is a count of one's own.
        let is_counted = ["in flight", "in-flight"].iter().any(|words| self.after.trim_start().starts_with(words));
        is_past || quotes_code || is_defined || is_talk || is_counted || self.is_labelled()
    }

    /// What stands before it in its own clause.
    fn clause(&self) -> &str {
        let marks = [':', '\u{b7}', ';', '!', '{', '\u{2219}'];
        // A quotation belongs to the clause it stands in.
        let end = self.before_quote().map_or(self.before.len(), str::len);
        let lead = self.before[..end].trim_end();
        let from = lead.trim_end_matches(marks).rfind(marks).filter(|_| self.before_quote().is_some());
        let from = from.or_else(|| self.before.rfind(marks)).unwrap_or(0);
        let clause = &self.before[from..];
        let ends = |at: &usize| !clause[..*at].ends_with("e.g") && !clause[..*at].ends_with("i.e");
        clause.rfind(". ").filter(ends).map_or(clause, |at| &clause[at..])
    }

    /// It is what a label names: `description: Too Many Requests`.
    fn is_labelled(&self) -> bool {
        let lead = self.before_quote().unwrap_or(&self.before).trim_end();
        let Some(label) = lead.strip_suffix(':') else { return false };
        let label = label.trim_end_matches(['"', '\'']);
        LABELS.iter().any(|known| {
            label.strip_suffix(known).is_some_and(|rest| !rest.ends_with(|letter: char| letter.is_alphanumeric()))
        }) && self.in_quote().trim().is_empty()
    }
}
