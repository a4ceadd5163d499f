//! What makes a verdict more precise, wherever it stands near one. None of it is a verdict.

use crate::vocab::{LimitScope as L, Service as S};

/// What a text near a verdict adds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::throttle) enum Refine {
    /// The quota is one by the day, the week or the month.
    LongWindow(L),
    /// The quota is one by the minute or shorter.
    ShortWindow,
    /// The quota is zero.
    NoQuota,
    /// What is counted.
    Scope(L),
    /// The request is larger than its limit.
    TooLarge,
    /// What failed is something else, whatever status or generic words there are.
    Veto,
    /// A length of time follows, bare numbers being of so many milliseconds.
    Wait(Lead),
    /// An instant follows.
    Reset(Lead),
    /// The address of a service.
    Host(S),
}

/// How a time is led in to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::throttle) enum Lead {
    /// A sentence: a unit must follow.
    Prose,
    /// A field of seconds.
    Seconds,
    /// A field of milliseconds.
    Milliseconds,
    /// A field of an instant.
    Field,
}

use Lead::{Field, Milliseconds, Prose, Seconds};
use Refine::{Host, LongWindow, NoQuota, Reset, Scope, ShortWindow, TooLarge, Veto, Wait};

/// Longer ones first where one begins with the other.
#[rustfmt::skip]
pub(in crate::throttle) static REFINEMENTS: &[(&str, Refine)] = &[
    // Windows
    ("PerDay", LongWindow(L::Daily)), ("per_day", LongWindow(L::Daily)), ("(TPD)", LongWindow(L::Daily)), ("(RPD)", LongWindow(L::Daily)),
    ("daily quota", LongWindow(L::Daily)), ("daily limit", LongWindow(L::Daily)),
    ("per month", LongWindow(L::SubscriptionWindow)), ("per_month", LongWindow(L::SubscriptionWindow)),
    ("calls / month", LongWindow(L::SubscriptionWindow)), ("monthly quota", LongWindow(L::SubscriptionWindow)),
    ("weekly rate limit", LongWindow(L::SubscriptionWindow)),
    ("PerMinute", ShortWindow), ("per_minute", ShortWindow), ("tokens per min", ShortWindow), ("requests per min", ShortWindow),
    ("per second", ShortWindow), ("calls / minute", ShortWindow), ("models-per-min", ShortWindow), ("per-minute", ShortWindow),
    ("limit: 0,", NoQuota), ("limit: 0 ", NoQuota), ("limit:0\\nPlease retry", NoQuota), ("'quota_limit_value':'0'", NoQuota), ("'quotaValue':'0'", NoQuota),
    // What is counted
    ("input tokens per", Scope(L::InputTokens)), ("input_token_count", Scope(L::InputTokens)), ("InputTokensPer", Scope(L::InputTokens)),
    ("output tokens per", Scope(L::OutputTokens)), ("output_token_count", Scope(L::OutputTokens)), ("OutputTokensPer", Scope(L::OutputTokens)),
    ("tokens per min", Scope(L::Tokens)), ("(TPM)", Scope(L::Tokens)), ("token rate limit", Scope(L::Tokens)), ("'type':'tokens'", Scope(L::Tokens)),
    ("request tokens has exceeded", Scope(L::Tokens)), ("too many tokens", Scope(L::Tokens)), ("TokensPerMinute", Scope(L::Tokens)),
    ("requests per min", Scope(L::Requests)), ("(RPM)", Scope(L::Requests)), ("call rate limit", Scope(L::Requests)), ("'type':'requests'", Scope(L::Requests)),
    ("RequestsPer", Scope(L::Requests)), ("requests_per", Scope(L::Requests)), ("_requests", Scope(L::Requests)), ("calls / minute", Scope(L::Requests)),
    ("api calls per", Scope(L::Requests)), ("too many requests, please wait", Scope(L::Requests)),
    ("concurrent", Scope(L::Concurrency)), ("bytes/sec", Scope(L::Bandwidth)),
    ("secondary rate limit", Scope(L::Secondary)), ("secondary-rate-limit", Scope(L::Secondary)),
    // Larger than the limit
    ("request too large", TooLarge), ("reduce your message size", TooLarge), ("tokens must be reduced", TooLarge),
    // Something else
    ("maximum context length", Veto), ("context length exceeded", Veto), ("context_length_exceeded", Veto), ("prompt is too long", Veto),
    ("context window", Veto), ("message larger than max", Veto), ("larger than max", Veto), ("max_recv_msg_size", Veto),
    ("forbidden: exceeded quota", Veto), ("disk quota", Veto), ("inode quota", Veto), ("EDQUOT", Veto), ("no space left on device", Veto),
    ("gpu quota", Veto), ("storage quota", Veto), ("mailbox quota", Veto), ("attachment too large", Veto), ("payload too large", Veto),
    ("entity too large", Veto), ("disruption budget", Veto), ("localStorage", Veto), ("on 'Storage'", Veto), ("local policy", Veto), ("simulated", Veto),
    // Times
    ("'retryDelay':", Wait(Seconds)), ("retryDelay:", Wait(Seconds)), ("retry_delay{seconds:", Wait(Seconds)), ("resets_in_seconds':", Wait(Seconds)),
    ("resetsInSeconds':", Wait(Seconds)), ("retry_after_seconds':", Wait(Seconds)), ("retry_after':", Wait(Seconds)), ("retryAfter':", Wait(Seconds)),
    ("retry-after':", Wait(Seconds)), ("retry-after:", Wait(Seconds)), ("retry-after=", Wait(Seconds)), ("retry-after-ms':", Wait(Milliseconds)),
    ("retry-after-ms:", Wait(Milliseconds)), ("retry_after_ms':", Wait(Milliseconds)), ("quotaResetDelay':", Wait(Seconds)), ("reset_after_seconds':", Wait(Seconds)),
    ("try again in", Wait(Prose)), ("retry in", Wait(Prose)), ("retry after", Wait(Prose)), ("please wait", Wait(Prose)), ("wait for", Wait(Prose)),
    ("try again after", Wait(Prose)), ("may reset in", Wait(Prose)), ("will reset after", Wait(Prose)), ("resets in", Wait(Prose)), ("reset in", Wait(Prose)),
    ("quota will reset in", Wait(Prose)), ("available in", Wait(Prose)), ("throttle (", Wait(Prose)), ("expected to be available in", Wait(Prose)), ("again in about", Wait(Prose)), ("replenished in", Wait(Prose)),
    ("resets_at':", Reset(Field)), ("resetsAt':", Reset(Field)), ("reset_at':", Reset(Field)), ("resetAt':", Reset(Field)), ("quotaResetTimeStamp':", Reset(Field)),
    ("limit reached|", Reset(Field)), ("unified-reset:", Reset(Field)), ("unified-reset=", Reset(Field)),
    ("· resets at", Reset(Prose)), ("resets at", Reset(Prose)), ("resets on", Reset(Prose)), ("resets", Reset(Prose)), ("reset at", Reset(Prose)), ("reset on", Reset(Prose)),
    ("will be reset on", Reset(Prose)), ("regain access on", Reset(Prose)), ("try again at", Reset(Prose)), ("try again on", Reset(Prose)), ("try again after", Reset(Prose)),
    ("cycle ends on", Reset(Prose)), ("redefinido em", Reset(Prose)), ("se restablecerá el", Reset(Prose)), ("available again at", Reset(Prose)),
    ("available again on", Reset(Prose)), ("messages until", Reset(Prose)), ("renews on", Reset(Prose)), ("access resets at", Reset(Prose)), ("resume at", Reset(Prose)),
    // Addresses
    ("api.anthropic.com", Host(S::Anthropic)), ("the anthropic api", Host(S::Anthropic)), ("docs.anthropic.com", Host(S::Anthropic)), ("console.anthropic.com", Host(S::Anthropic)), ("docs.claude.com", Host(S::Anthropic)),
    ("platform.claude.com", Host(S::Anthropic)), ("claude.com/contact", Host(S::Anthropic)), ("anthropicexception", Host(S::Anthropic)), ("anthropic.ratelimiterror", Host(S::Anthropic)),
    ("platform.openai.com", Host(S::OpenAi)), ("api.openai.com", Host(S::OpenAi)), ("openai.ratelimiterror", Host(S::OpenAi)), ("openaiexception", Host(S::OpenAi)),
    ("chatgpt.com", Host(S::CodexCli)), ("openai.com/chatgpt", Host(S::CodexCli)), ("x-codex-", Host(S::CodexCli)),
    ("azure openai", Host(S::AzureOpenAi)), ("openai.azure.com", Host(S::AzureOpenAi)), ("azureexception", Host(S::AzureOpenAi)), ("cognitiveservices", Host(S::AzureOpenAi)),
    ("generativelanguage.googleapis.com", Host(S::GoogleGemini)), ("ai.google.dev", Host(S::GoogleGemini)), ("google.genai.errors", Host(S::GoogleGemini)),
    ("aiplatform.googleapis.com", Host(S::GoogleVertex)), ("cloud.google.com/vertex-ai", Host(S::GoogleVertex)), ("vertexai", Host(S::GoogleVertex)),
    ("cloudcode-pa.googleapis.com", Host(S::GeminiCli)), ("bedrock", Host(S::AwsBedrock)), ("botocore.", Host(S::AwsBedrock)),
    ("console.groq.com", Host(S::Groq)), ("api.groq.com", Host(S::Groq)), ("api.mistral.ai", Host(S::Mistral)), ("mistralapi", Host(S::Mistral)),
    ("cohere.", Host(S::Cohere)), ("openrouter.ai", Host(S::OpenRouter)), ("console.x.ai", Host(S::Xai)), ("api.x.ai", Host(S::Xai)), ("api.deepseek.com", Host(S::DeepSeek)),
    ("deepseekexception", Host(S::DeepSeek)), ("api.moonshot", Host(S::Moonshot)), ("api.github.com", Host(S::GithubRest)), ("docs.github.com", Host(S::GithubRest)),
    ("developer.github.com", Host(S::GithubRest)), ("api.githubcopilot.com", Host(S::CopilotCli)), ("cursor.com", Host(S::Cursor)),
    ("registry.npm", Host(S::Npm)), ("npm err!", Host(S::Npm)), ("npm error", Host(S::Npm)), ("docker.io", Host(S::DockerRegistry)), ("docker.com", Host(S::DockerRegistry)),
    ("upload.pypi.org", Host(S::Pypi)), ("pypi.org", Host(S::Pypi)), ("crates.io", Host(S::CratesIo)),
    ("otlphttp", Host(S::OtlpBackend)), ("exporterhelper", Host(S::OtlpBackend)), ("retry_sender", Host(S::OtlpBackend)), ("/v1/traces", Host(S::OtlpBackend)),
    ("/v1/metrics", Host(S::OtlpBackend)), ("/v1/logs", Host(S::OtlpBackend)),
];
