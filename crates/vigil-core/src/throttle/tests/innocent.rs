//! What only talks about throttling, or fails for another reason.

use super::*;

/// Seed T10: no substring matching. Whatever an agent shows on its terminal while it works on rate limits.
#[test]
fn t10_talk_about_rate_limits_is_not_a_rate_limit() {
    let mut alarms = Vec::new();
    for text in [
        // Change logs
        "- Fixed the \"Rate limit exceeded\" banner that stayed after the window had reset",
        "- Usage limit reached errors now show when the window resets",
        "* Added a countdown for \"You've hit your limit\" screens",
        "## 2.3.0\n\n- Retry 529 overloaded errors twice before giving up\n- Bumped dependencies",
        "* [CLI] Improved wording when your credit balance is too low",
        "### Too many requests (429) handling\n",
        "- Quota exceeded errors are no longer retried",
        // Histories
        "a1b2c3d4e fix: 429 Too Many Requests no longer kills the worker (#429)",
        "0f1e2d3c4b5 Handle usage limit reached for Codex",
        "feat(api): surface insufficient_quota separately from rate_limit_exceeded",
        "chore: bump octokit (secondary rate limit exceeded fix)",
        "commit 4290429042904290429042904290429042904290\n    Retry when the API is overloaded\n",
        "Merge pull request #429 from me/rate-limit-exceeded",
        // Searches
        "src/retry.rs:42:    // You have exceeded a secondary rate limit",
        "lib/errors.py:17: raise RateLimitError(\"Rate limit reached for requests\")",
        "./docs/errors.md:12:429 Too Many Requests",
        "packages/core/src/quota.ts:9:export const MESSAGE = 'Quota exceeded for quota metric';",
        // Source code and patches
        "if response.status_code == 429:\n    raise TooManyRequestsError()",
        "+    throw new Error(\"You've hit your usage limit\");",
        "-  if (error.code === 'insufficient_quota') {",
        "const OVERLOADED = { type: 'overloaded_error' };",
        "    except openai.RateLimitError as error:\n        wait()",
        "import { RateLimitError } from 'openai';",
        "        openai.RateLimitError,\n        openai.APITimeoutError,",
        "PATTERN = re.compile(r\"usage limit reached|too many requests\")",
        "expect(classify(\"API Error: Rate limit reached\")).toBe(\"rate_limit\")",
        "assert_eq!(kind(\"credit balance is too low\"), Quota);",
        "echo \"Rate limit exceeded, retrying\" >&2",
        "return Err(anyhow!(\"rate limit exceeded, retry in {}s\", seconds))",
        "logger.warning(\"Rate limit reached, waiting %s seconds\", delay)",
        "# Retry-After is sent with 429 Too Many Requests",
        "    /// Returned when the rate limit is exceeded.",
        "format!(\"too many requests, try again in {} seconds\", wait)",
        "case \"RESOURCE_EXHAUSTED\": return Quota",
        // Tests
        "test throttle::tests::usage_limit_reached_is_quota ... ok",
        "  \u{2713} shows \"Usage limit reached\" after a 429 (12 ms)",
        "--- PASS: TestTooManyRequests (0.00s)",
        "tests/test_api.py::test_rate_limit_exceeded PASSED",
        "ok 12 - answers 429 too many requests",
        "429 passed, 3 skipped in 12.5s",
        // Documentation, questions, plans
        "| 429 | Too Many Requests | slow down |",
        "HTTP 429 Too Many Requests indicates that a client has sent too many requests.",
        "What does \"rate limit exceeded\" mean in the GitHub API?",
        "How should I handle a 529 overloaded error from Claude?",
        "If you've hit your limit, wait until it resets or buy extra usage.",
        "The server may answer `429 Too Many Requests` when its queue is full.",
        "1. Detect 429 Too Many Requests\n2. Back off\n3. Retry",
        "> You've hit your usage limit\n\nI saw this yesterday, is there a way around it?",
        "Let me add a test for when the model is overloaded.",
        "Status page: the previous 529 Overloaded errors are resolved.",
        "Resolved: API rate limit exceeded for installation tokens",
        // Warnings before a limit
        "Approaching usage limit \u{b7} resets at 7pm",
        "You've used 90% of your weekly limit \u{b7} resets Monday at 9am",
        "Heads up, you have less than 10% of your 5h limit left. Run /status for a breakdown.",
        "Rate limit: 12/5000 remaining, resets in 20 minutes",
        "Your credit balance is getting low",
        // Local limits
        "Maximum tool call limit reached (25). Continue?",
        "concurrency: 4 workers, queue limit reached, waiting",
        "Output limit reached, truncated to 30000 characters",
        "Stopped after 5 attempts: retry budget used up",
        "Max iterations exceeded",
        // Quotas of other kinds
        "write: Disk quota exceeded",
        "cp: error writing 'x': Disk quota exceeded",
        "Error from server (Forbidden): pods \"a\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=10, limited: pods=10",
        "Error from server (TooManyRequests): Cannot evict pod as it would violate the pod's disruption budget.",
        "QuotaExceededError: Failed to execute 'setItem' on 'Storage': Setting the value of 'x' exceeded the quota.",
        // Context, authentication, network
        "This model's maximum context length is 128000 tokens, however you requested 130000",
        "prompt is too long: 210034 tokens > 200000 maximum",
        "You've reached your maximum context limit",
        "API Error: 401 {\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"invalid x-api-key\"}}",
        "fatal: Authentication failed for 'https://github.com/a/b.git/'",
        "curl: (6) Could not resolve host: api.openai.com",
        "fatal: unable to access 'https://github.com/a/b.git/': The requested URL returned error: 502",
        // Numbers
        "Fixes #429",
        "at run (/app/dist/main.js:429:17)",
        "listening on :4290",
        "returned 429 rows",
        "Downloaded 429 packages in 529ms",
        "code 429 lines changed",
        "Ran 429 tests",
        "took 429 ms",
        "id: 429529",
        "PR #529: rate the limits page",
    ] {
        alarms.extend(
            classify(&terminal(text)).map(|throttle| format!("{text}\n  is {:?} by {}", throttle.class, throttle.rule)),
        );
    }
    assert!(alarms.is_empty(), "\n{}", alarms.join("\n"));
}

/// What only the lines around it, or its place in its line, show to be code, a list or a text of somebody's.
#[test]
fn what_is_shown_listed_or_labelled_is_not_said() {
    let mut alarms = Vec::new();
    for text in [
        // Texts of programs
        "    LIMIT_REACHED: 'session usage limit reached',",
        "  \"errors.busy\": \"The model is overloaded. Please try again later.\",",
        "msgid \"You have exceeded your rate limit\"",
        "  de: { quota: \"You exceeded your current quota\" },",
        "    TOO_MANY_REQUESTS(429, \"Rate limit exceeded\"),",
        "answer.side_effect = RateLimitError(\"Rate limit reached\")",
        "    [new Error('429 Too Many Requests'), true],",
        "send(JSON.stringify({ error: \"Rate limit exceeded\" }))",
        "print(f\"usage limit reached for {self.name}: waiting\")",
        "with pytest.raises(openai.RateLimitError):",
        "        '429':\n          description: Too Many Requests",
        "  14\t    return \"API Error: Rate limit reached\"",
        "src/errors.rs-15-    \"rate_limit_error\": \"Rate limited\",",
        // Lists
        r#""messages": ["quota exceeded"]"#,
        r#"{"messages": ["quota exceeded"]}"#,
        r#"{"banners": ["all is well", "rate limit exceeded"]}"#,
        r#"["rate limit exceeded"]"#,
        r#""quota exceeded""#,
        "[\n  \"rate limit exceeded\",\n  \"too many requests\"\n]",
        r#"{"error": "rate limit exceeded"} // what the service answers"#,
        r#"{"type": "error", "error": {"type": "overloaded_error"}}, // an example"#,
        r#"{"error": {"type": "rate_limit_error"}} //example"#,
        // Comparisons of tests
        "Expected: 200\nReceived: 429",
        "    Expected: 200\n    Received: 429 Too Many Requests",
        "AssertionError: assert 429 == 200\n +  where 429 = <Response [429]>.status_code",
        "E    +  where 429 = <Response [429]>.status_code",
        "AssertionError: expected status 429 to be 200",
        "thread 'main' panicked at src/a.rs:1:2: got Err(Overloaded)",
        "got Err(Overloaded)",
        "error: left is Err(RateLimitExceeded)",
        // Counts of one's own
        "WARN cache full: too many requests in flight (429 of 500)",
        // Code around it
        "    if (status === 429) {\n      throw new Error(\n        \"Rate limit exceeded. Please wait and try again.\",\n      );\n    }",
        "const limiter = rateLimit({\n  max: 100,\n  message: 'Rate limit exceeded',\n});",
        "  {\n    error: 'Too many requests',\n    hint: `Come back in ${seconds} s`,\n  }",
        "@@ -1,3 +1,4 @@\n-  message: \"Rate limited\",\n+  message: \"API Error: Rate limit reached\",",
        // Histories
        "commit 4290429042904290429042904290429042904290\nAuthor: A <a@example.com>\n\n    Usage limit reached: say when it resets\n",
        "Pull request #12: Rate limit exceeded",
        "The commit \"fix: rate limit exceeded\" is in.",
        // Lists and addresses
        "429 - rate_limit_error: Your account has hit a rate limit.\n529 - overloaded_error: The API is temporarily overloaded.",
        "rate_limit_error | 429 | Your account has hit a rate limit.",
        "2. 429 Too Many Requests - a page about it",
        "https://help.example.com/articles/429-too-many-requests",
        "description: API rate limit exceeded",
        // The same words about other things
        "error: call to overloaded function is ambiguous",
        "lot 7 is at capacity",
        "Reached the maximum number of agents (10)",
        "You can hit a rate limit when you run many agents.",
        "The retry policy covers 429 Too Many Requests and 503 Service Unavailable.",
    ] {
        alarms.extend(
            classify(&terminal(text)).map(|throttle| format!("{text}\n  is {:?} by {}", throttle.class, throttle.rule)),
        );
    }
    assert!(alarms.is_empty(), "\n{}", alarms.join("\n"));
}

#[test]
fn what_shows_other_peoples_words_never_throttles() {
    for tool in ["grep", "git grep", "git log", "git show", "cat", "rg", "/usr/bin/less"] {
        let observation =
            Observation { tool: Some(tool), ..terminal("You've hit your usage limit. Try again in 2 days.") };
        assert_eq!(classify(&observation), None, "{tool}");
    }
    let history = Observation { tool: Some("git"), ..terminal("Rate limits: answer 429 too many requests, say why") };
    assert_eq!(classify(&history), None);
}

/// Conversations go through an agent's stream; what is said in them is nobody's error.
#[test]
fn what_models_say_and_tools_read_is_not_an_error() {
    for text in [
        r#"{"type":"assistant","message":{"model":"m","content":[{"type":"text","text":"API Error: Rate limit reached means you must wait."}]}}"#,
        r#"{"type":"user","message":{"content":[{"type":"tool_result","content":"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}"}]}}"#,
        r#"{"type":"item.completed","item":{"type":"agent_message","text":"You've hit your usage limit"}}"#,
        r#"{"type":"result","subtype":"success","is_error":false,"result":"The fix for `429 Too Many Requests` is in."}"#,
        r#"{"type":"stream_event","event":{"delta":{"type":"input_json_delta","partial_json":"{\"code\": \"insufficient_quota\"}"}}}"#,
        r#"{"type":"rate_limit_event","rate_limit_info":{"status":"allowed","resetsAt":1,"overageStatus":"rejected"}}"#,
    ] {
        let observation = Observation { channel: Channel::StreamJson, ..terminal(text) };
        assert_eq!(classify(&observation), None, "{text}");
        assert_eq!(classify(&terminal(text)), None, "{text}");
    }
}

#[test]
fn a_success_with_limit_headers_is_a_success() {
    let headers =
        [("x-ratelimit-limit-requests", "500"), ("x-ratelimit-remaining-requests", "0"), ("retry-after", "20")];
    let body = r#"{"choices":[{"message":{"content":"429 Too Many Requests: you exceeded your current quota"}}]}"#;
    assert_eq!(classify(&Observation { headers: &headers, ..http(200, body) }), None);
    assert_eq!(classify(&http(200, "Rate limit exceeded is what this page is about")), None);
}

#[test]
fn failures_of_other_kinds_are_not_throttling() {
    for (status, text) in [
        (400, r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: 9000 > 8192"}}"#),
        (401, r#"{"error":{"code":"invalid_api_key","message":"Incorrect API key provided"}}"#),
        (403, r#"{"message":"Resource not accessible by integration"}"#),
        (404, r#"{"error":{"code":"model_not_found"}}"#),
        (413, r#"{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}"#),
        (500, "Internal Server Error"),
        (502, "Bad Gateway"),
        (429, r#"{"code":8,"message":"grpc: received message larger than max (5000000 vs. 4194304)"}"#),
    ] {
        assert_eq!(classify(&http(status, text)), None, "{status} {text}");
    }
    let headers = [("x-ratelimit-limit", "60"), ("x-ratelimit-remaining", "59")];
    assert_eq!(
        classify(&Observation { headers: &headers, service: Some("github"), ..http(401, "Bad credentials") }),
        None
    );
}
