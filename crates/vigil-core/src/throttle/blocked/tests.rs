use super::*;
use crate::vocab::ErrorType;

fn end<'a>(program: &'a str, exit_code: i32, stderr: &'a str) -> CommandEnd<'a> {
    CommandEnd {
        program: Some(program),
        exit_code: Some(exit_code),
        stderr: stderr.as_bytes(),
        ..CommandEnd::default()
    }
}

fn blocked(end: &CommandEnd<'_>) -> Option<Blocked> {
    outcome_of(end).map(|outcome| outcome.blocked)
}

/// Seed T9: a blocked session keeps a kind.
#[test]
fn t9_a_commands_last_words_say_why_it_failed() {
    let mut wrong = Vec::new();
    for (program, code, text, expected) in [
        ("claude", 1, "You've hit your limit \u{b7} resets 3pm (UTC)", Blocked::ProviderQuota),
        ("claude", 1, "API Error: Rate limit reached", Blocked::ProviderRateLimit),
        ("claude", 1, "API Error: 529 Overloaded", Blocked::ProviderOverloaded),
        ("claude", 1, "Invalid API key \u{b7} Please run /login", Blocked::ProviderAuth),
        (
            "claude",
            1,
            "API Error: 401 {\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"x\"}}",
            Blocked::ProviderAuth,
        ),
        ("claude", 127, "", Blocked::ProviderMissing),
        ("claude", 1, "API Error: Connection error.", Blocked::NetworkUnreachable),
        ("claude", 1, "Prompt is too long", Blocked::ContextLength),
        (
            "codex",
            1,
            "ERROR: unexpected status 401 Unauthorized: Missing bearer or basic authentication in header",
            Blocked::ProviderAuth,
        ),
        ("codex", 1, "ERROR: something else", Blocked::ProviderRuntimeError),
        ("gemini", 41, "Please set an Auth method in your settings.json", Blocked::ProviderAuth),
        ("gemini", 173, "Attempt 1 failed with status 429.", Blocked::ProviderRateLimit),
        (
            "git",
            128,
            "fatal: could not read Username for 'https://github.com': terminal prompts disabled",
            Blocked::GitAuth,
        ),
        (
            "git",
            128,
            "git@github.com: Permission denied (publickey).\nfatal: Could not read from remote repository.",
            Blocked::GitAuth,
        ),
        ("git", 128, "fatal: unable to access 'https://x/': Could not resolve host: x", Blocked::NetworkUnreachable),
        (
            "git",
            1,
            "error: Your local changes to the following files would be overwritten by merge:\n\ta.rs",
            Blocked::DirtyWorktree,
        ),
        (
            "git",
            1,
            "error: failed to push some refs\n ! [remote rejected] main -> main (pre-receive hook declined)",
            Blocked::ValidationFailed,
        ),
        ("gh", 4, "To get started with GitHub CLI, please run:  gh auth login", Blocked::GhAuth),
        ("gh", 1, "HTTP 403: API rate limit exceeded for user ID 1.", Blocked::RateLimit),
        ("docker", 1, "toomanyrequests: You have reached your pull rate limit.", Blocked::Quota),
        ("cargo", 101, "test result: FAILED. 3 passed; 1 failed; 0 ignored", Blocked::ValidationFailed),
        ("make", 2, "cp: cannot create '/x': Permission denied", Blocked::PermissionDenied),
        ("make", 2, "Error: connect ECONNREFUSED 127.0.0.1:1", Blocked::NetworkUnreachable),
        ("make", 2, "Error: request timed out", Blocked::Timeout),
        ("make", 2, "nothing in particular", Blocked::ExitStatus),
        ("make", 127, "", Blocked::StartFailed),
        ("make", 126, "", Blocked::StartFailed),
        ("make", 124, "", Blocked::Timeout),
        ("make", 130, "", Blocked::Cancelled),
        ("make", 137, "", Blocked::Killed),
        ("make", 143, "", Blocked::Killed),
    ] {
        let got = blocked(&end(program, code, text));
        if got != Some(expected) {
            wrong.push(format!("{program} {code} {text}\n  is {got:?}\n not {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn what_is_certain_comes_before_what_is_said() {
    let text = "API Error: Rate limit reached";
    assert_eq!(blocked(&end("claude", 0, text)), None);
    assert_eq!(blocked(&CommandEnd { exit_code: None, ..end("claude", 0, text) }), None);
    assert_eq!(blocked(&CommandEnd { timed_out: true, ..end("claude", 1, text) }), Some(Blocked::Timeout));
    assert_eq!(
        blocked(&CommandEnd { exit_code: None, signal: Some(9), ..end("claude", 1, text) }),
        Some(Blocked::Killed)
    );
    assert_eq!(
        blocked(&CommandEnd { exit_code: None, signal: Some(2), ..end("claude", 1, text) }),
        Some(Blocked::Cancelled)
    );
}

#[test]
fn what_was_said_last_comes_before_what_was_written_along_the_way() {
    let end = CommandEnd {
        final_text: b"Invalid API key \xc2\xb7 Please run /login",
        ..end("claude", 1, "API Error: Rate limit reached")
    };
    assert_eq!(blocked(&end), Some(Blocked::ProviderAuth));
}

#[test]
fn of_a_throttling_and_a_sentence_the_later_counts() {
    for (program, code, text, expected) in [
        (
            "sh",
            128,
            "npm warn 429 Too Many Requests - GET https://registry.example/x - retrying\n\
             fatal: Authentication failed for 'https://github.com/a/b.git/'\n",
            Blocked::GitAuth,
        ),
        (
            "cargo",
            101,
            "Error: 429 Too Many Requests\ntest result: FAILED. 1 passed; 1 failed",
            Blocked::ValidationFailed,
        ),
        (
            "git",
            1,
            "HTTP 429: rate limit exceeded, retrying\n\
             error: Your local changes to the following files would be overwritten by merge:\n\ta.rs",
            Blocked::DirtyWorktree,
        ),
        (
            "make",
            2,
            "Error: connect ECONNREFUSED 127.0.0.1:1, retrying\nError: 429 Too Many Requests",
            Blocked::RateLimit,
        ),
        // One message, and what follows from a throttling.
        ("make", 2, "Error: 429 Too Many Requests: connection refused", Blocked::RateLimit),
        (
            "gh",
            1,
            "HTTP 403: API rate limit exceeded for 192.0.2.1.\nTry authenticating with:  gh auth login",
            Blocked::RateLimit,
        ),
        (
            "git",
            128,
            "remote: You have exceeded a secondary rate limit.\nfatal: Could not read from remote repository.",
            Blocked::RateLimit,
        ),
    ] {
        assert_eq!(blocked(&end(program, code, text)), Some(expected), "{text}");
    }
    let noise = "Error: connect ECONNREFUSED\n".repeat(2 * 128);
    assert_eq!(
        blocked(&end("make", 2, &format!("{noise}Error: Permission denied"))),
        Some(Blocked::NetworkUnreachable)
    );
    let last = format!("{}Error: 429 Too Many Requests\nfatal: Authentication failed for 'https://x/'", noise);
    assert_eq!(blocked(&end("sh", 128, &last)), Some(Blocked::GitAuth));
}

#[test]
fn every_consequence_is_one_of_the_sentences() {
    for text in CONSEQUENCES {
        assert!(ENDINGS.iter().any(|(_, texts)| texts.contains(text)), "{text}");
    }
}

#[test]
fn talk_about_failures_is_not_why_a_command_failed() {
    for text in [
        "src/auth.rs:12: return Err(\"Permission denied\")",
        "- Fixed \"Permission denied\" on startup",
        "    if message.contains(\"could not resolve host\") {",
        "test tests::connection_refused_is_retried ... ok",
    ] {
        assert_eq!(blocked(&end("make", 2, text)), Some(Blocked::ExitStatus), "{text}");
    }
}

#[test]
fn every_reason_is_a_word_of_error_type() {
    for blocked in Blocked::ALL {
        assert!(ErrorType::WORDS.contains(&blocked.as_str()), "{blocked}");
        assert_eq!(ErrorType::from(*blocked).as_str(), blocked.as_str());
    }
}

#[test]
fn only_the_end_of_a_long_text_is_read() {
    let long = format!("Error: connect ECONNREFUSED\n{}", "all is well\n".repeat(MAX_TEXT_BYTES / 10));
    assert_eq!(blocked(&end("make", 2, &long)), Some(Blocked::ExitStatus));
}
