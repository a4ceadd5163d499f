//! What every service says when it throttles, in its own forms and through what wraps them.

use super::*;
use LimitScope as L;
use Service as S;
use ThrottleClass::{Overloaded as O, Quota as Q, RateLimit as R};

type Told = (Service, ThrottleClass, LimitScope);

/// Says all that is wrong at once.
#[track_caller]
fn assert_all_right(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn compare(text: &str, got: Option<Told>, expected: Told, wrong: &mut Vec<String>) {
    if got != Some(expected) {
        wrong.push(format!("{text}\n  is {got:?}\n not {expected:?}"));
    }
}

/// The service, class and scope of a verdict.
fn told(observation: &Observation<'_>) -> Option<Told> {
    classify(observation).map(|throttle| (throttle.service, throttle.class, throttle.scope))
}

/// Seeds T2, T3 and T5: every provider's shapes.
#[test]
fn t5_providers_are_recognised_by_what_their_apis_answer() {
    let mut wrong = Vec::new();
    for (status, text, expected) in [
        (503, r#"{"error":{"code":"slow_down","message":"x"}}"#, (S::OpenAi, O, L::Unknown)),
        (429, r#"{"error":{"code":"slow_down","message":"x"}}"#, (S::OpenAi, R, L::Unknown)),
        (
            200,
            r#"{"choices":[{"message":{"content":""},"finish_reason":"stop","error":{"code":429,"message":"x"}}]}"#,
            (S::OpenAi, R, L::Unknown),
        ),
        (
            200,
            r#"{"type":"error","status":429,"headers":{"x-codex-rate-limit-reached-type":"workspace_owner_credits_depleted"}}"#,
            (S::CodexCli, Q, L::Credits),
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 8,000 output tokens per minute"}}"#,
            (S::Anthropic, R, L::OutputTokens),
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit. Please try again later."}}"#,
            (S::Anthropic, Q, L::SubscriptionWindow),
        ),
        (
            429,
            r#"{"type":"error","error":{"type":"rate_limit_error","details":{"error_code":"enforced_spend_limit_reached"},"message":"x"}}"#,
            (S::Anthropic, Q, L::Spend),
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API"}}"#,
            (S::Anthropic, Q, L::Credits),
        ),
        (402, r#"{"type":"error","error":{"type":"billing_error","message":"x"}}"#, (S::Anthropic, Q, L::Credits)),
        (
            529,
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            (S::Anthropic, O, L::Unknown),
        ),
        (
            429,
            r#"{"error":{"code":"rate_limit_exceeded","type":"requests","message":"Rate limit reached for gpt-9 on requests per min (RPM): Limit 3, Used 3, Requested 1."}}"#,
            (S::OpenAi, R, L::Requests),
        ),
        (
            429,
            r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota","message":"You exceeded your current quota"}}"#,
            (S::OpenAi, Q, L::Spend),
        ),
        (400, r#"{"error":{"code":"billing_hard_limit_reached","message":"x"}}"#, (S::OpenAi, Q, L::Spend)),
        (
            503,
            r#"{"error":{"type":"service_unavailable_error","code":"server_is_overloaded","message":"x"}}"#,
            (S::OpenAi, O, L::Unknown),
        ),
        (
            429,
            r#"{"error":{"type":"usage_limit_reached","plan_type":"pro","resets_in_seconds":600}}"#,
            (S::CodexCli, Q, L::SubscriptionWindow),
        ),
        (429, r#"{"error":{"type":"usage_not_included"}}"#, (S::CodexCli, Q, L::SubscriptionWindow)),
    ] {
        let service = match expected.0 {
            S::OpenAi => Some("openai"),
            S::CodexCli => Some("chatgpt.com"),
            _ => None,
        };
        compare(text, told(&Observation { service, ..http(status, text) }), expected, &mut wrong);
    }
    for (service, status, text, expected) in [
        (
            "azure_openai",
            429,
            r#"{"error":{"code":"429","message":"Your requests to gpt-9 have exceeded the call rate limit for your current S0 pricing tier. Please retry after 6 seconds."}}"#,
            (S::AzureOpenAi, R, L::Requests),
        ),
        (
            "azure_openai",
            429,
            r#"{"error":{"code":"NoCapacity","message":"The system is currently experiencing high demand"}}"#,
            (S::AzureOpenAi, O, L::Unknown),
        ),
        (
            "gcp.gemini",
            429,
            r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}]}]}}"#,
            (S::GoogleGemini, R, L::Requests),
        ),
        (
            "gcp.gemini",
            429,
            r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}"#,
            (S::GoogleGemini, Q, L::Daily),
        ),
        (
            "gcp.gemini",
            503,
            r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
            (S::GoogleGemini, O, L::Unknown),
        ),
        (
            "gemini_cli",
            429,
            r#"{"error":{"code":429,"details":[{"reason":"MODEL_CAPACITY_EXHAUSTED"}],"message":"No capacity available for model x"}}"#,
            (S::GeminiCli, O, L::Unknown),
        ),
        (
            "gemini_cli",
            429,
            r#"{"error":{"code":429,"details":[{"reason":"QUOTA_EXHAUSTED","metadata":{"quotaResetDelay":"7200s"}}]}}"#,
            (S::GeminiCli, Q, L::Daily),
        ),
        (
            "gcp.vertex_ai",
            429,
            r#"[{"error":{"code":429,"message":"Quota exceeded for aiplatform.googleapis.com/online_prediction_tokens_per_minute_per_base_model","status":"RESOURCE_EXHAUSTED"}}]"#,
            (S::GoogleVertex, R, L::Unknown),
        ),
        (
            "gcp.vertex_ai",
            429,
            r#"{"error":{"message":"x is temporarily out of capacity","status":"RESOURCE_EXHAUSTED"}}"#,
            (S::GoogleVertex, O, L::Unknown),
        ),
        (
            "aws.bedrock",
            429,
            r#"{"__type":"com.amazonaws.bedrock#ThrottlingException","message":"Too many tokens, please wait before trying again."}"#,
            (S::AwsBedrock, R, L::Tokens),
        ),
        (
            "aws.bedrock",
            429,
            r#"{"message":"Too many tokens per day, please wait before trying again."}"#,
            (S::AwsBedrock, Q, L::Daily),
        ),
        (
            "aws.bedrock",
            503,
            r#"{"message":"Bedrock is unable to process your request."}"#,
            (S::AwsBedrock, O, L::Unknown),
        ),
        (
            "groq",
            429,
            r#"{"error":{"message":"Rate limit reached for model x on tokens per minute (TPM): Limit 6000, Used 5990","code":"rate_limit_exceeded","type":"tokens"}}"#,
            (S::Groq, R, L::Tokens),
        ),
        (
            "groq",
            429,
            r#"{"error":{"message":"Rate limit reached for model x on tokens per day (TPD): Limit 100000","code":"rate_limit_exceeded"}}"#,
            (S::Groq, Q, L::Daily),
        ),
        ("groq", 503, "Service Unavailable", (S::Groq, O, L::Unknown)),
        ("mistral", 429, r#"{"message":"Requests rate limit exceeded"}"#, (S::Mistral, R, L::Requests)),
        (
            "mistral",
            429,
            r#"{"object":"error","message":"Service tier capacity exceeded for this model.","type":"invalid_request_error","code":null}"#,
            (S::Mistral, O, L::Unknown),
        ),
        (
            "cohere",
            429,
            r#"{"message":"You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free."}"#,
            (S::Cohere, R, L::Requests),
        ),
        (
            "cohere",
            429,
            r#"{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}"#,
            (S::Cohere, Q, L::SubscriptionWindow),
        ),
        (
            "openrouter",
            402,
            r#"{"error":{"message":"Insufficient credits. Add more.","code":402}}"#,
            (S::OpenRouter, Q, L::Credits),
        ),
        (
            "openrouter",
            429,
            r#"{"error":{"message":"Rate limit exceeded: free-models-per-day","code":429}}"#,
            (S::OpenRouter, Q, L::Daily),
        ),
        (
            "openrouter",
            429,
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"x is temporarily rate-limited upstream. Please retry shortly."}}}"#,
            (S::OpenRouter, R, L::Unknown),
        ),
        (
            "xai",
            429,
            r#""Too many requests for team 0 and model grok-9. Your team's rate limit is — Requests per Minute (actual/limit): 31/30""#,
            (S::Xai, R, L::Requests),
        ),
        (
            "xai",
            429,
            r#""Your team 0 has either used all available credits or reached its monthly spending limit.""#,
            (S::Xai, Q, L::Spend),
        ),
        (
            "deepseek",
            402,
            r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","code":"invalid_request_error"}}"#,
            (S::DeepSeek, Q, L::Credits),
        ),
        ("deepseek", 503, "Server Overloaded", (S::DeepSeek, O, L::Unknown)),
        (
            "moonshot",
            429,
            r#"{"error":{"message":"Your account request reached organization max RPM: 3, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#,
            (S::Moonshot, R, L::Requests),
        ),
        (
            "moonshot",
            429,
            r#"{"error":{"message":"The engine is currently overloaded","type":"engine_overloaded_error"}}"#,
            (S::Moonshot, O, L::Unknown),
        ),
        (
            "moonshot",
            429,
            r#"{"error":{"message":"x","type":"exceeded_current_quota_error"}}"#,
            (S::Moonshot, Q, L::Credits),
        ),
    ] {
        compare(text, told(&Observation { service: Some(service), ..http(status, text) }), expected, &mut wrong);
    }
    assert_all_right(&wrong);
}

/// Seed T5: at least one that is no provider. Seed T3: they have categories.
#[test]
fn t3_t5_services_that_are_no_providers_are_recognised() {
    let mut wrong = Vec::new();
    for (service, status, text, expected) in [
        (
            "api.github.com",
            403,
            r#"{"message":"API rate limit exceeded for user ID 1."}"#,
            (S::GithubRest, R, L::Requests),
        ),
        (
            "api.github.com",
            403,
            r#"{"message":"You have exceeded a secondary rate limit and have been temporarily blocked from content creation."}"#,
            (S::GithubRest, R, L::Secondary),
        ),
        (
            "api.github.com",
            429,
            r#"{"documentation_url":"https://docs.github.com/rest/overview#about-secondary-rate-limits"}"#,
            (S::GithubRest, R, L::Secondary),
        ),
        (
            "github_graphql",
            200,
            r#"{"errors":[{"type":"RATE_LIMITED","message":"x"}]}"#,
            (S::GithubGraphql, R, L::Requests),
        ),
        ("npm", 429, "Too Many Requests", (S::Npm, R, L::Unknown)),
        (
            "docker_registry",
            429,
            r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}"#,
            (S::DockerRegistry, Q, L::SubscriptionWindow),
        ),
        ("pypi", 429, "Too many new projects created", (S::Pypi, R, L::Unknown)),
        (
            "crates_io",
            429,
            r#"{"errors":[{"detail":"You have published too many updates to existing crates in a short period of time. Please try again after Sat, 21 Nov 2026 08:20:00 GMT"}]}"#,
            (S::CratesIo, R, L::Requests),
        ),
        (
            "otlp_backend",
            429,
            "ingestion rate limit exceeded (limit: 1000 bytes/sec)",
            (S::OtlpBackend, R, L::Bandwidth),
        ),
        ("otlp_backend", 503, "", (S::OtlpBackend, O, L::Unknown)),
        ("mcp", 429, "", (S::Mcp, R, L::Unknown)),
        ("https://api.example.com", 429, "", (S::Other, R, L::Unknown)),
    ] {
        compare(text, told(&Observation { service: Some(service), ..http(status, text) }), expected, &mut wrong);
    }
    assert_eq!(S::GhCli.category(), ServiceCategory::Github);
    assert_eq!(S::OtlpBackend.category(), ServiceCategory::TelemetryExport);
    assert_eq!(S::CodexCli.category(), ServiceCategory::Provider);
    assert_all_right(&wrong);
}

/// Seed T7: whatever command was run.
#[test]
fn t7_command_lines_are_recognised_by_what_they_show() {
    let mut wrong = Vec::new();
    for (tool, text, expected) in [
        ("claude", "Claude AI usage limit reached|1795260000", (S::ClaudeCode, Q, L::SubscriptionWindow)),
        ("claude", "Weekly limit reached \u{2219} resets Dec 1 at 8am", (S::ClaudeCode, Q, L::SubscriptionWindow)),
        (
            "claude",
            "  \u{23bf}  You\u{2019}ve hit your Opus\n     limit \u{b7} resets 5pm (Asia/Tokyo)",
            (S::ClaudeCode, Q, L::SubscriptionWindow),
        ),
        ("claude", "You've hit your org's monthly spend limit", (S::ClaudeCode, Q, L::Spend)),
        ("claude", "API Error: Rate limit reached", (S::ClaudeCode, R, L::Unknown)),
        (
            "claude",
            "API Error: Server is temporarily limiting requests (not your usage limit) \u{b7} Rate limited",
            (S::ClaudeCode, R, L::Unknown),
        ),
        (
            "claude",
            "API Error (529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}) \u{b7} Retrying in 4 seconds\u{2026} (attempt 3/10)",
            (S::ClaudeCode, O, L::Unknown),
        ),
        ("claude", "API Error: Repeated 529 Overloaded errors", (S::ClaudeCode, O, L::Unknown)),
        ("claude", "Credit balance is too low", (S::ClaudeCode, Q, L::Credits)),
        (
            "codex",
            "ERROR: You've hit your usage limit. To get more access now, send a request to your admin or try again at 5:32 PM.",
            (S::CodexCli, Q, L::SubscriptionWindow),
        ),
        ("codex", "Your workspace is out of credits. Add credits to continue.", (S::CodexCli, Q, L::Credits)),
        (
            "codex",
            "stream error: exceeded retry limit, last status: 429 Too Many Requests; retrying 2/5 in 391ms\u{2026}",
            (S::CodexCli, R, L::Unknown),
        ),
        ("codex", "unexpected status 503 Service Unavailable: upstream connect error", (S::CodexCli, O, L::Unknown)),
        (
            "gemini",
            "\u{2715} [API Error: You have exhausted your daily quota on this model.]",
            (S::GeminiCli, Q, L::Daily),
        ),
        (
            "gemini",
            "[API Error: You have exhausted your capacity on this model. Your quota will reset after 2h7m31s.]",
            (S::GeminiCli, Q, L::SubscriptionWindow),
        ),
        (
            "gemini",
            "Attempt 2 failed with status 429. Retrying with backoff... GaxiosError: [{\n  \"error\": {\n    \"code\": 429,\n    \"status\": \"RESOURCE_EXHAUSTED\"",
            (S::GeminiCli, R, L::Unknown),
        ),
        ("gemini", "We are currently experiencing high demand.", (S::GeminiCli, O, L::Unknown)),
        (
            "copilot",
            "Sorry, you've hit a rate limit that restricts the number of model requests you can make. Please try again in 30 hours.",
            (S::CopilotCli, Q, L::Unknown),
        ),
        (
            "copilot",
            "Sorry, you have been rate-limited. Please wait 45 seconds before trying again.",
            (S::CopilotCli, R, L::Unknown),
        ),
        ("copilot", "You've used all your premium requests for this month.", (S::CopilotCli, Q, L::Credits)),
        ("cursor-agent", "You've hit your usage limit", (S::Cursor, Q, L::SubscriptionWindow)),
        ("cursor-agent", "We're getting more traffic than we can handle right now.", (S::Cursor, O, L::Unknown)),
        (
            "gh",
            "HTTP 403: API rate limit exceeded for user ID 1. (https://api.github.com/graphql)",
            (S::GhCli, R, L::Requests),
        ),
        ("gh", "GraphQL: was submitted too quickly (addComment)", (S::GhCli, R, L::Secondary)),
        ("git", "error: RPC failed; HTTP 429 curl 22 The requested URL returned error: 429", (S::Git, R, L::Unknown)),
        ("git", "batch response: This repository is over its data quota.", (S::Git, Q, L::Bandwidth)),
        (
            "git",
            "LFS: Client error &{%!v(PANIC=String method: nil)}: Bandwidth limit exceeded",
            (S::Git, Q, L::Bandwidth),
        ),
        (
            "npm",
            "npm error code E429\nnpm error 429 Too Many Requests - GET https://registry.example/x",
            (S::Npm, R, L::Unknown),
        ),
        (
            "docker",
            "Error response from daemon: toomanyrequests: Too Many Requests",
            (S::DockerRegistry, R, L::Unknown),
        ),
        (
            "docker",
            "Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit.",
            (S::DockerRegistry, Q, L::SubscriptionWindow),
        ),
        (
            "pip",
            "WARNING: Retrying after connection broken by 'ResponseError('too many 429 error responses')'",
            (S::Pypi, R, L::Requests),
        ),
        (
            "twine",
            "ERROR    HTTPError: 429 Too Many Requests from https://registry.example/legacy/",
            (S::Pypi, R, L::Unknown),
        ),
        (
            "cargo",
            "the remote server responded with an error (status 429 Too Many Requests): You have published too many new crates in a short period of time.",
            (S::CratesIo, R, L::Requests),
        ),
        (
            "otelcol",
            "Throttle (5s), error: rpc error: code = ResourceExhausted desc = slow",
            (S::OtlpBackend, R, L::Unknown),
        ),
        (
            "terraform",
            "Error: GET https://api.github.com/repos/a/b: 403 API rate limit exceeded for 203.0.113.7.",
            (S::GithubRest, R, L::Requests),
        ),
        ("make", "urllib.error.HTTPError: HTTP Error 429: Too Many Requests", (S::Other, R, L::Unknown)),
        (
            "make",
            "requests.exceptions.HTTPError: 429 Client Error: Too Many Requests for url: https://api.example.com/v1",
            (S::Other, R, L::Unknown),
        ),
        ("make", "Error: reading https://proxy.example/mod/@v/list: 429 Too Many Requests", (S::Other, R, L::Unknown)),
        (
            "kubectl",
            "Error from server (TooManyRequests): the server has received too many requests and has asked us to try again later",
            (S::Other, R, L::Unknown),
        ),
    ] {
        compare(text, told(&Observation { tool: Some(tool), ..terminal(text) }), expected, &mut wrong);
    }
    assert_all_right(&wrong);
}

#[test]
fn exceptions_of_client_libraries_are_recognised_whatever_wraps_them() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        (
            "openai.RateLimitError: Error code: 429 - {'error': {'message': 'You exceeded your current quota, please check your plan and billing details.', 'type': 'insufficient_quota', 'code': 'insufficient_quota'}}",
            (S::OpenAi, Q, L::Spend),
        ),
        (
            "anthropic.InternalServerError: Error code: 529 - {'type': 'error', 'error': {'type': 'overloaded_error', 'message': 'Overloaded'}}",
            (S::Anthropic, O, L::Unknown),
        ),
        (
            "litellm.RateLimitError: AnthropicException - b'{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Number of request tokens has exceeded your per-minute rate limit\"}}'",
            (S::Anthropic, R, L::Tokens),
        ),
        (
            "An error occurred (ThrottlingException) when calling the InvokeModel operation: Too many requests, please wait before trying again.",
            (S::AwsBedrock, R, L::Requests),
        ),
        ("ServiceQuotaExceededException: Your request exceeds the service quota", (S::AwsBedrock, Q, L::Unknown)),
        (
            "google.api_core.exceptions.ResourceExhausted: 429 Resource has been exhausted (e.g. check quota).",
            (S::Other, R, L::Unknown),
        ),
        (
            "AI_RetryError: Failed after 3 attempts. Last error: Rate limit reached for gpt-9 in organization org-x on tokens per min (TPM): Limit 1, Used 1. Please try again in 1m2.5s. Visit https://platform.openai.com/account/rate-limits",
            (S::OpenAi, R, L::Tokens),
        ),
        (
            "Error: { status: 429, error: { type: 'error', error: { type: 'rate_limit_error',\n message: 'x' } } }",
            (S::Anthropic, R, L::Unknown),
        ),
        (
            "API error: {\\\"error\\\":{\\\"message\\\":\\\"{\\\\n  \\\\\\\"error\\\\\\\": {\\\\n \\\\\\\"code\\\\\\\": 503,\\\\n \\\\\\\"message\\\\\\\": \\\\\\\"The model is over\nloaded. Please try again later.\\\\\\\"",
            (S::Other, O, L::Unknown),
        ),
        (
            "\u{1b}[31mError\u{1b}[0m: Rate \u{1b}[1mlimit\u{1b}[0m reached for\n  gpt-9 on requests per min",
            (S::Other, R, L::Requests),
        ),
    ] {
        compare(text, told(&exception(text)), expected, &mut wrong);
    }
    assert_all_right(&wrong);
}

/// Terminals frame, wrap and colour; logs put it into fields; other lines stand around it.
#[test]
fn errors_are_found_in_the_middle_of_what_else_is_shown() {
    let mut wrong = Vec::new();
    for (tool, text, expected) in [
        (
            "claude",
            "\u{256d}\u{2500}\u{256e}\n\u{2502} You've hit your session \u{2502}\n\u{2502} limit \u{b7} resets 4pm    \u{2502}\n\u{2570}\u{2500}\u{256f}",
            (S::ClaudeCode, Q, L::SubscriptionWindow),
        ),
        (
            "claude",
            "Let me look.\n  \u{23bf}  API Error: 429\n     {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"This request would exceed the rate limit for your\n     organization of 9 input tokens per minute.\"}}",
            (S::ClaudeCode, R, L::InputTokens),
        ),
        (
            "codex",
            "stream error: unexpected status 429 Too Many Requests: {\"error\":{\"type\":\"usage_limit_reached\",\"resets_in_seconds\":8123}}; retrying 1/5 in 204ms\u{2026}",
            (S::CodexCli, Q, L::SubscriptionWindow),
        ),
        (
            "promtail",
            "level=warn msg=\"error sending batch\" status=429 error=\"server returned HTTP status 429: Ingestion rate limit exceeded (limit: 9 bytes/sec)\"",
            (S::OtlpBackend, R, L::Bandwidth),
        ),
        (
            "otelcol",
            "otel-collector  | 2026-01-01T00:00:00Z\tinfo\tExporting failed.\t{\"error\": \"rpc error: code = Unavailable desc = not stored due to rate limiting.\", \"interval\": \"4.9s\"}",
            (S::OtlpBackend, R, L::Unknown),
        ),
        (
            "worker",
            "2026-07-16 20:52:33 | WARNING | - | attempt 1/3: error: {'message': 'requests limit reached: too many requests per minute'}",
            (S::Other, R, L::Requests),
        ),
        ("worker", "< HTTP/2 429 \n< retry-after: 12\n", (S::Other, R, L::Unknown)),
        (
            "worker",
            "Traceback (most recent call last):\n  File \"a.py\", line 429, in run\n    raise self._error(response) from None\nopenai.RateLimitError: Error code: 429 - {'error': {'type': 'insufficient_quota'}}",
            (S::OpenAi, Q, L::Spend),
        ),
        ("worker", "API Request Failed\n\n429 status code (no body)", (S::Other, R, L::Unknown)),
        (
            "worker",
            "{\n  \"error\": {\n    \"message\": \"Resource has been exhausted\",\n    \"code\": 429\n  },\n  \"id\": 1\n}",
            (S::Other, R, L::Unknown),
        ),
    ] {
        let observation = Observation { tool: Some(tool), ..terminal(text) };
        compare(text, told(&observation), expected, &mut wrong);
    }
    assert_all_right(&wrong);
}

#[test]
fn an_agents_stream_tells_of_throttling_by_its_own_events() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        (
            r#"{"type":"rate_limit_event","rate_limit_info":{"status":"rejected","resetsAt":1795260000,"rateLimitType":"five_hour"}}"#,
            (S::ClaudeCode, Q, L::SubscriptionWindow),
        ),
        (
            r#"{"type":"system","subtype":"api_retry","attempt":1,"error_status":429,"error":"rate_limit"}"#,
            (S::ClaudeCode, R, L::Unknown),
        ),
        (
            r#"{"type":"system","subtype":"api_retry","attempt":1,"error_status":529,"error":"overloaded"}"#,
            (S::ClaudeCode, O, L::Unknown),
        ),
        (
            r#"{"type":"result","subtype":"success","is_error":true,"api_error_status":429,"result":"You've hit your session limit · resets 3pm (UTC)"}"#,
            (S::ClaudeCode, Q, L::SubscriptionWindow),
        ),
        (
            r#"{"type":"assistant","message":{"model":"<synthetic>","content":[{"type":"text","text":"API Error: Request rejected (429) · This request would exceed your organization's rate limit of 9 input tokens per minute"}]}}"#,
            (S::ClaudeCode, R, L::InputTokens),
        ),
    ] {
        let observation = Observation { channel: Channel::StreamJson, tool: Some("claude"), ..terminal(text) };
        compare(text, told(&observation), expected, &mut wrong);
    }
    assert_all_right(&wrong);
}
