//! Codes made for programs, and the exception classes of client libraries.

use super::{Tells, Tier};
use crate::vocab::ProviderCode as C;
use crate::vocab::ThrottleClass::{self, Overloaded as O, Quota as Q, RateLimit as R};
use crate::vocab::{LimitScope, LimitScope as L, Service, Service as S, ThrottleRule, ThrottleRule as T};

/// A code as the value of a field: `"type": "rate_limit_error"`, `code=rate_limit_exceeded`.
pub(in crate::throttle) struct Code {
    pub(in crate::throttle) text: &'static str,
    pub(in crate::throttle) tells: Tells,
}

const fn code(
    text: &'static str,
    code: C,
    class: ThrottleClass,
    tier: Tier,
    scope: LimitScope,
    service: Option<Service>,
    rule: ThrottleRule,
) -> Code {
    Code { text, tells: Tells { tier, class, scope, service, code: Some(code), rule } }
}

use Tier::{Firm, SoftCode as Soft};

/// Codes that count as the value of a field of [`FIELDS`].
#[rustfmt::skip]
pub(in crate::throttle) static CODES: &[Code] = &[
    // Anthropic
    code("rate_limit_error", C::RateLimitError, R, Soft, L::Unknown, Some(S::Anthropic), T::CodeAnthropic),
    code("overloaded_error", C::OverloadedError, O, Firm, L::Unknown, Some(S::Anthropic), T::CodeAnthropic),
    code("billing_error", C::BillingError, Q, Firm, L::Credits, Some(S::Anthropic), T::CodeAnthropic),
    code("enforced_spend_limit_reached", C::EnforcedSpendLimitReached, Q, Firm, L::Spend, Some(S::Anthropic), T::CodeAnthropic),
    // Claude Code's events name the kind of error without its suffix.
    code("rate_limit", C::RateLimitError, R, Soft, L::Unknown, None, T::CodeOther),
    code("overloaded", C::OverloadedError, O, Firm, L::Unknown, None, T::CodeOther),
    // OpenAI, and those that speak its language
    code("rate_limit_exceeded", C::RateLimitExceeded, R, Soft, L::Unknown, None, T::CodeOpenAi),
    code("insufficient_quota", C::InsufficientQuota, Q, Firm, L::Spend, Some(S::OpenAi), T::CodeOpenAi),
    code("credit_balance_exhausted", C::CreditBalanceExhausted, Q, Firm, L::Credits, Some(S::OpenAi), T::CodeOpenAi),
    code("organization_spend_limit_exceeded", C::OrganizationSpendLimitExceeded, Q, Firm, L::Spend, Some(S::OpenAi), T::CodeOpenAi),
    code("project_spend_limit_exceeded", C::ProjectSpendLimitExceeded, Q, Firm, L::Spend, Some(S::OpenAi), T::CodeOpenAi),
    code("organization_usage_limit_exceeded", C::OrganizationUsageLimitExceeded, Q, Firm, L::Spend, Some(S::OpenAi), T::CodeOpenAi),
    code("billing_hard_limit_reached", C::BillingHardLimitReached, Q, Firm, L::Spend, Some(S::OpenAi), T::CodeOpenAi),
    code("billing_not_active", C::BillingNotActive, Q, Firm, L::Spend, Some(S::OpenAi), T::CodeOpenAi),
    code("server_is_overloaded", C::ServerIsOverloaded, O, Firm, L::Unknown, Some(S::OpenAi), T::CodeOpenAi),
    code("server_overloaded", C::ServerIsOverloaded, O, Firm, L::Unknown, None, T::CodeOpenAi),
    code("slow_down", C::SlowDown, R, Soft, L::Unknown, Some(S::OpenAi), T::CodeOpenAi),
    // ChatGPT plans
    code("usage_limit_reached", C::UsageLimitReached, Q, Firm, L::SubscriptionWindow, Some(S::CodexCli), T::CodePlan),
    code("usage_limit_exceeded", C::UsageLimitReached, Q, Firm, L::SubscriptionWindow, Some(S::CodexCli), T::CodePlan),
    code("usage_not_included", C::UsageNotIncluded, Q, Firm, L::SubscriptionWindow, Some(S::CodexCli), T::CodePlan),
    code("workspace_owner_credits_depleted", C::WorkspaceOwnerCreditsDepleted, Q, Firm, L::Credits, Some(S::CodexCli), T::CodePlan),
    code("workspace_member_credits_depleted", C::WorkspaceMemberCreditsDepleted, Q, Firm, L::Credits, Some(S::CodexCli), T::CodePlan),
    code("workspace_owner_usage_limit_reached", C::WorkspaceOwnerUsageLimitReached, Q, Firm, L::SubscriptionWindow, Some(S::CodexCli), T::CodePlan),
    code("workspace_member_usage_limit_reached", C::WorkspaceMemberUsageLimitReached, Q, Firm, L::SubscriptionWindow, Some(S::CodexCli), T::CodePlan),
    // Google
    code("RESOURCE_EXHAUSTED", C::ResourceExhausted, R, Soft, L::Unknown, None, T::CodeGoogle),
    code("ResourceExhausted", C::ResourceExhausted, R, Soft, L::Unknown, None, T::CodeGrpc),
    code("QUOTA_EXHAUSTED", C::QuotaExhausted, Q, Firm, L::Daily, Some(S::GeminiCli), T::CodeGoogle),
    code("INSUFFICIENT_G1_CREDITS_BALANCE", C::InsufficientG1CreditsBalance, Q, Firm, L::Credits, Some(S::GeminiCli), T::CodeGoogle),
    code("MODEL_CAPACITY_EXHAUSTED", C::ModelCapacityExhausted, O, Firm, L::Unknown, Some(S::GeminiCli), T::CodeGoogle),
    code("MODEL_CAPACITY_EXCEEDED", C::ModelCapacityExceeded, O, Firm, L::Unknown, Some(S::GeminiCli), T::CodeGoogle),
    code("rateLimitExceeded", C::RateLimitExceeded, R, Soft, L::Unknown, None, T::CodeGoogle),
    code("userRateLimitExceeded", C::RateLimitExceeded, R, Soft, L::Requests, None, T::CodeGoogle),
    code("dailyLimitExceeded", C::QuotaExceeded, Q, Firm, L::Daily, None, T::CodeGoogle),
    code("quotaExceeded", C::QuotaExceeded, Q, Soft, L::Unknown, None, T::CodeGoogle),
    // AWS
    code("Throttling", C::ThrottlingException, R, Soft, L::Unknown, None, T::CodeAmazon),
    code("RequestLimitExceeded", C::ThrottlingException, R, Soft, L::Requests, None, T::CodeAmazon),
    // Others
    code("RATE_LIMITED", C::RateLimited, R, Soft, L::Unknown, None, T::CodeOther),
    code("request_quota_exceeded", C::RateLimitExceeded, R, Soft, L::Requests, None, T::CodeOther),
    code("token_quota_exceeded", C::RateLimitExceeded, R, Soft, L::Tokens, None, T::CodeOther),
    code("queue_exceeded", C::ServerIsOverloaded, O, Firm, L::Unknown, None, T::CodeOther),
    code("NoCapacity", C::ServerIsOverloaded, O, Firm, L::Unknown, None, T::CodeOther),
    code("SlowDown", C::SlowDown, R, Soft, L::Requests, None, T::CodeAmazon),
    code("throttling_error", C::ThrottlingError, R, Soft, L::Unknown, None, T::CodeOther),
    code("too_many_requests", C::RateLimitError, R, Soft, L::Unknown, None, T::CodeOther),
    code("too_many_requests_error", C::RateLimitError, R, Soft, L::Unknown, None, T::CodeOther),
    code("TooManyRequests", C::Toomanyrequests, R, Soft, L::Unknown, None, T::CodeOther),
    code("engine_overloaded_error", C::EngineOverloadedError, O, Firm, L::Unknown, Some(S::Moonshot), T::CodeOther),
    code("rate_limit_reached_error", C::RateLimitReachedError, R, Soft, L::Unknown, Some(S::Moonshot), T::CodeOther),
    code("exceeded_current_quota_error", C::ExceededCurrentQuotaError, Q, Firm, L::Credits, Some(S::Moonshot), T::CodeOther),
    code("quota_exceeded", C::QuotaExceeded, Q, Firm, L::Unknown, None, T::CodeOther),
    code("E429", C::E429, R, Soft, L::Unknown, Some(S::Npm), T::CodeOther),
    code("GITHUB_RATE_LIMIT", C::RateLimited, R, Soft, L::Requests, Some(S::GithubRest), T::CodeGithub),
];

/// Fields whose value is a code.
pub(in crate::throttle) static FIELDS: &[&str] = &[
    "type",
    "code",
    "status",
    "reason",
    "error",
    "name",
    "kind",
    "__type",
    "error_code",
    "error_type",
    "error_status",
    "error.type",
    "error.code",
    "errorcode",
    "errortype",
    "errorreason",
    "errorstatus",
    "api_error",
    "api_error_type",
    "codex_error_info",
    "title",
    "exception",
    "quotareason",
    "ratelimitreason",
    "rate_limit_reached_type",
    "x-codex-rate-limit-reached-type",
    "fault",
    "shortcode",
    "x-amzn-errortype",
];

const fn exception(
    text: &'static str,
    code: Option<C>,
    class: ThrottleClass,
    tier: Tier,
    service: Option<Service>,
) -> Code {
    let rule = if matches!(service, Some(S::AwsBedrock)) { T::CodeAmazon } else { T::CodeException };
    Code { text, tells: Tells { tier, class, scope: L::Unknown, service, code, rule } }
}

/// Exception classes, which count wherever they stand as a class: `openai.RateLimitError: …`.
#[rustfmt::skip]
pub(in crate::throttle) static EXCEPTIONS: &[Code] = &[
    exception("ThrottlingException", Some(C::ThrottlingException), R, Soft, Some(S::AwsBedrock)),
    exception("ThrottledException", Some(C::ThrottlingException), R, Soft, None),
    exception("TooManyRequestsException", Some(C::TooManyRequestsException), R, Soft, None),
    exception("ProvisionedThroughputExceededException", Some(C::ThrottlingException), R, Soft, None),
    exception("ServiceQuotaExceededException", Some(C::ServiceQuotaExceededException), Q, Firm, Some(S::AwsBedrock)),
    exception("ServiceUnavailableException", Some(C::ServiceUnavailableException), O, Soft, Some(S::AwsBedrock)),
    exception("ModelNotReadyException", Some(C::ModelNotReadyException), O, Firm, Some(S::AwsBedrock)),
    exception("RateLimitError", None, R, Soft, None),
    exception("RateLimitException", None, R, Soft, None),
    exception("RateLimitExceededException", None, R, Soft, None),
    exception("RateLimitExceededError", None, R, Soft, None),
    exception("RateLimitedError", None, R, Soft, None),
    exception("TooManyRequestsError", None, R, Soft, None),
    exception("HTTPTooManyRequests", None, R, Soft, None),
    exception("ResourceExhausted", Some(C::ResourceExhausted), R, Soft, None),
    exception("ResourceExhaustedError", Some(C::ResourceExhausted), R, Soft, None),
    exception("RESOURCE_EXHAUSTED", Some(C::ResourceExhausted), R, Soft, None),
    exception("OverloadedError", Some(C::OverloadedError), O, Firm, None),
    exception("InsufficientQuotaError", Some(C::InsufficientQuota), Q, Firm, None),
    exception("UsageLimitReachedError", Some(C::UsageLimitReached), Q, Firm, None),
];
