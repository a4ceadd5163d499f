//! Words about services that throttle. All of them are closed: a verdict has no room for anybody's text.

use super::word::closed_words;

closed_words! {
    /// What kind of service throttles (`downstream.service`).
    ServiceCategory {
        /// A model provider, or an agent's program that speaks for one.
        Provider = "provider",
        /// GitHub, by its API or its command line.
        Github = "github",
        /// A git remote or large file storage.
        Git = "git",
        /// A package or image registry.
        Registry = "registry",
        /// A backend that takes telemetry.
        TelemetryExport = "telemetry_export",
        /// An MCP server.
        Mcp = "mcp",
        /// None of the others, or not known.
        Other = "other",
    }
}

closed_words! {
    /// The service that throttles, or the agent's program that tells of it (`downstream.provider`).
    Service {
        /// The Anthropic API.
        Anthropic = "anthropic",
        /// Claude Code and claude.ai.
        ClaudeCode = "claude_code",
        /// The OpenAI API.
        OpenAi = "openai",
        /// Codex and the backend of ChatGPT plans.
        CodexCli = "codex_cli",
        /// Azure OpenAI.
        AzureOpenAi = "azure_openai",
        /// The Gemini API.
        GoogleGemini = "google_gemini",
        /// Vertex AI.
        GoogleVertex = "google_vertex",
        /// Gemini CLI and Code Assist.
        GeminiCli = "gemini_cli",
        /// AWS Bedrock.
        AwsBedrock = "aws_bedrock",
        /// Groq.
        Groq = "groq",
        /// Mistral AI.
        Mistral = "mistral",
        /// Cohere.
        Cohere = "cohere",
        /// OpenRouter.
        OpenRouter = "openrouter",
        /// xAI.
        Xai = "xai",
        /// DeepSeek.
        DeepSeek = "deepseek",
        /// Moonshot AI.
        Moonshot = "moonshot",
        /// GitHub Copilot and its command line.
        CopilotCli = "copilot_cli",
        /// Cursor.
        Cursor = "cursor",
        /// GitHub's REST API.
        GithubRest = "github_rest",
        /// GitHub's GraphQL API.
        GithubGraphql = "github_graphql",
        /// GitHub's command line.
        GhCli = "gh_cli",
        /// A git remote.
        Git = "git",
        /// The npm registry.
        Npm = "npm",
        /// An image registry, such as Docker Hub.
        DockerRegistry = "docker_registry",
        /// The Python package index.
        Pypi = "pypi",
        /// The registry of Rust crates.
        CratesIo = "crates_io",
        /// A backend that takes telemetry.
        OtlpBackend = "otlp_backend",
        /// An MCP server.
        Mcp = "mcp",
        /// Another, or not known.
        Other = "other",
    }
}

impl Service {
    /// Its category, which aggregates use.
    pub const fn category(self) -> ServiceCategory {
        match self {
            Self::Anthropic
            | Self::ClaudeCode
            | Self::OpenAi
            | Self::CodexCli
            | Self::AzureOpenAi
            | Self::GoogleGemini
            | Self::GoogleVertex
            | Self::GeminiCli
            | Self::AwsBedrock
            | Self::Groq
            | Self::Mistral
            | Self::Cohere
            | Self::OpenRouter
            | Self::Xai
            | Self::DeepSeek
            | Self::Moonshot
            | Self::CopilotCli
            | Self::Cursor => ServiceCategory::Provider,
            Self::GithubRest | Self::GithubGraphql | Self::GhCli => ServiceCategory::Github,
            Self::Git => ServiceCategory::Git,
            Self::Npm | Self::DockerRegistry | Self::Pypi | Self::CratesIo => ServiceCategory::Registry,
            Self::OtlpBackend => ServiceCategory::TelemetryExport,
            Self::Mcp => ServiceCategory::Mcp,
            Self::Other => ServiceCategory::Other,
        }
    }
}

closed_words! {
    /// What was being done when a service throttled (`downstream.operation`). Call sites say it; it never
    /// holds arguments.
    DownstreamOperation {
        /// A model call.
        Chat = "chat",
        /// Embeddings.
        Embeddings = "embeddings",
        /// A whole run of an agent's program.
        AgentRun = "agent_run",
        /// A tool call of an agent.
        Tool = "tool",
        /// A capability call.
        Capability = "capability",
        /// A request of the model context protocol.
        McpRequest = "mcp_request",
        /// Reading from a git remote: clone, fetch, pull.
        GitFetch = "git_fetch",
        /// Writing to a git remote.
        GitPush = "git_push",
        /// Reading from or writing to GitHub.
        GithubRequest = "github_request",
        /// Fetching packages or images.
        PackageFetch = "package_fetch",
        /// Publishing packages or images.
        PackagePublish = "package_publish",
        /// Exporting telemetry.
        TelemetryExport = "telemetry_export",
        /// An HTTP request of which nothing else is known.
        HttpRequest = "http_request",
        /// A command of which nothing else is known.
        Command = "command",
        /// None of the others.
        Other = "other",
    }
}

closed_words! {
    /// What is limited (`downstream.scope`).
    LimitScope {
        /// Nobody said.
        Unknown = "unknown",
        /// Requests in a time.
        Requests = "requests",
        /// Tokens in a time.
        Tokens = "tokens",
        /// Input tokens in a time.
        InputTokens = "input_tokens",
        /// Output tokens in a time.
        OutputTokens = "output_tokens",
        /// What a day allows.
        Daily = "daily",
        /// The usage window of a plan: hours, days or a week.
        SubscriptionWindow = "subscription_window",
        /// Money that may be spent.
        Spend = "spend",
        /// Credits that were bought or granted.
        Credits = "credits",
        /// Calls at the same time.
        Concurrency = "concurrency",
        /// Bytes in a time.
        Bandwidth = "bandwidth",
        /// GitHub's limits on how content is made and how fast it is asked for.
        Secondary = "secondary",
    }
}

closed_words! {
    /// What a verdict rests on, from the strongest.
    EvidenceKind {
        /// A code, a reason or a header made for programs.
        Code = "code",
        /// The name of a quota's window: per day, per minute.
        Window = "window",
        /// The size of the wait the service states.
        Wait = "wait",
        /// What the service says to people.
        Prose = "prose",
        /// A status and nothing else.
        Status = "status",
    }
}

closed_words! {
    /// Which rule made a verdict (`vigil.throttle.rule`). The part before the dot is its evidence.
    ThrottleRule {
        /// Anthropic's unified limit says it rejected the request.
        HeaderUnifiedRejected = "header.unified_rejected",
        /// Codex' backend names the limit that was reached.
        HeaderCodexReached = "header.codex_reached",
        /// An error type in a header of AWS.
        HeaderAmazonErrorType = "header.amzn_error_type",
        /// A refused request, and a limit header whose remaining count is zero.
        HeaderNothingRemaining = "header.nothing_remaining",
        /// A refused request, and a header that says when to come again.
        HeaderRetryAfter = "header.retry_after",
        /// An error code of Anthropic's.
        CodeAnthropic = "code.anthropic",
        /// An error code of OpenAI's, or of the many that speak its language.
        CodeOpenAi = "code.openai",
        /// An error code about the limits of a plan.
        CodePlan = "code.plan",
        /// An error reason of Google's.
        CodeGoogle = "code.google",
        /// An error class of AWS.
        CodeAmazon = "code.aws",
        /// An error type of GitHub's.
        CodeGithub = "code.github",
        /// An error code of another service.
        CodeOther = "code.other",
        /// An agent's own event about the limits of its plan.
        CodeRateLimitEvent = "code.rate_limit_event",
        /// A gRPC status and its details.
        CodeGrpc = "code.grpc",
        /// The exception class of a client library.
        CodeException = "code.exception",
        /// A quota by the day, the week or the month.
        WindowLong = "window.long",
        /// A quota by the second, the minute or the hour.
        WindowShort = "window.short",
        /// A quota of zero: the plan has none.
        WindowNone = "window.none",
        /// A wait of more than five minutes.
        WaitLong = "wait.long",
        /// Words of a quota, and a wait of at most five minutes.
        WaitShort = "wait.short",
        /// Words of a plan's usage window.
        ProsePlanWindow = "prose.plan_window",
        /// Words of credits, balances and spending.
        ProseMoney = "prose.money",
        /// Words of a quota.
        ProseQuota = "prose.quota",
        /// Words of a rate limit.
        ProseRateLimit = "prose.rate_limit",
        /// Words of a service without room.
        ProseOverloaded = "prose.overloaded",
        /// Words of GitHub's.
        ProseGithub = "prose.github",
        /// Words of a registry.
        ProseRegistry = "prose.registry",
        /// Words of a backend that takes telemetry, or of what exports to it.
        ProseTelemetry = "prose.telemetry",
        /// The status 429.
        StatusTooManyRequests = "status.429",
        /// The status 529, or 503 of a model provider.
        StatusOverloaded = "status.overloaded",
        /// The status 402 of a model provider.
        StatusPaymentRequired = "status.402",
    }
}

impl ThrottleRule {
    /// What it rests on.
    pub fn evidence(self) -> EvidenceKind {
        match self.as_str().split('.').next() {
            Some("window") => EvidenceKind::Window,
            Some("wait") => EvidenceKind::Wait,
            Some("prose") => EvidenceKind::Prose,
            Some("status") => EvidenceKind::Status,
            _ => EvidenceKind::Code,
        }
    }
}

closed_words! {
    /// A code of a provider's that tells of throttling, in snake case.
    ProviderCode {
        /// Anthropic.
        RateLimitError = "rate_limit_error",
        /// Anthropic.
        OverloadedError = "overloaded_error",
        /// Anthropic.
        BillingError = "billing_error",
        /// Anthropic: the spend cap of a tier.
        EnforcedSpendLimitReached = "enforced_spend_limit_reached",
        /// OpenAI, Groq, Azure, Google.
        RateLimitExceeded = "rate_limit_exceeded",
        /// OpenAI.
        InsufficientQuota = "insufficient_quota",
        /// OpenAI.
        CreditBalanceExhausted = "credit_balance_exhausted",
        /// OpenAI.
        OrganizationSpendLimitExceeded = "organization_spend_limit_exceeded",
        /// OpenAI.
        ProjectSpendLimitExceeded = "project_spend_limit_exceeded",
        /// OpenAI.
        OrganizationUsageLimitExceeded = "organization_usage_limit_exceeded",
        /// OpenAI.
        BillingHardLimitReached = "billing_hard_limit_reached",
        /// OpenAI.
        BillingNotActive = "billing_not_active",
        /// OpenAI.
        ServerIsOverloaded = "server_is_overloaded",
        /// OpenAI: the load grew too fast.
        SlowDown = "slow_down",
        /// ChatGPT plans.
        UsageLimitReached = "usage_limit_reached",
        /// ChatGPT plans.
        UsageNotIncluded = "usage_not_included",
        /// ChatGPT plans.
        WorkspaceOwnerCreditsDepleted = "workspace_owner_credits_depleted",
        /// ChatGPT plans.
        WorkspaceMemberCreditsDepleted = "workspace_member_credits_depleted",
        /// ChatGPT plans.
        WorkspaceOwnerUsageLimitReached = "workspace_owner_usage_limit_reached",
        /// ChatGPT plans.
        WorkspaceMemberUsageLimitReached = "workspace_member_usage_limit_reached",
        /// Google, gRPC.
        ResourceExhausted = "resource_exhausted",
        /// Google Code Assist.
        QuotaExhausted = "quota_exhausted",
        /// Google Code Assist.
        InsufficientG1CreditsBalance = "insufficient_g1_credits_balance",
        /// Google Code Assist.
        ModelCapacityExhausted = "model_capacity_exhausted",
        /// Google Code Assist.
        ModelCapacityExceeded = "model_capacity_exceeded",
        /// AWS.
        ThrottlingException = "throttling_exception",
        /// AWS.
        TooManyRequestsException = "too_many_requests_exception",
        /// AWS.
        ServiceQuotaExceededException = "service_quota_exceeded_exception",
        /// AWS.
        ServiceUnavailableException = "service_unavailable_exception",
        /// AWS.
        ModelNotReadyException = "model_not_ready_exception",
        /// Mistral, GitHub GraphQL.
        RateLimited = "rate_limited",
        /// Moonshot.
        EngineOverloadedError = "engine_overloaded_error",
        /// Moonshot.
        RateLimitReachedError = "rate_limit_reached_error",
        /// Moonshot.
        ExceededCurrentQuotaError = "exceeded_current_quota_error",
        /// Copilot.
        QuotaExceeded = "quota_exceeded",
        /// Proxies in front of several providers.
        ThrottlingError = "throttling_error",
        /// Image registries.
        Toomanyrequests = "toomanyrequests",
        /// npm.
        E429 = "e429",
    }
}

closed_words! {
    /// Why a wrapped command ended as it did: the words of `error.type` that its exit status and last words allow.
    Blocked {
        /// A provider's money, plan or window is used up.
        ProviderQuota = "provider_quota",
        /// A provider refuses for now.
        ProviderRateLimit = "provider_rate_limit",
        /// A provider is full.
        ProviderOverloaded = "provider_overloaded",
        /// A provider does not accept the credentials.
        ProviderAuth = "provider_auth",
        /// The provider's program is not installed.
        ProviderMissing = "provider_missing",
        /// The provider's program failed in another way.
        ProviderRuntimeError = "provider_runtime_error",
        /// Git has no access.
        GitAuth = "git_auth",
        /// The GitHub command line has no access.
        GhAuth = "gh_auth",
        /// Another service than a provider refuses for now.
        RateLimit = "rate_limit",
        /// The quota of another service than a provider is used up.
        Quota = "quota",
        /// Another service than a provider is full.
        Overloaded = "overloaded",
        /// The network cannot be reached.
        NetworkUnreachable = "network_unreachable",
        /// The worktree has changes that are in the way.
        DirtyWorktree = "dirty_worktree",
        /// A check of the work failed.
        ValidationFailed = "validation_failed",
        /// The system or a rule did not allow it.
        PermissionDenied = "permission_denied",
        /// The conversation is longer than the model can take.
        ContextLength = "context_length_exceeded",
        /// It took longer than allowed.
        Timeout = "timeout",
        /// A signal ended it.
        Killed = "killed",
        /// Somebody stopped it.
        Cancelled = "cancelled",
        /// The program could not be started.
        StartFailed = "start_failed",
        /// It ended with a non-zero exit status and nothing else is known.
        ExitStatus = "exit_status",
    }
}

impl From<Blocked> for super::ErrorType {
    fn from(blocked: Blocked) -> Self {
        Self::from_static(blocked.as_str())
    }
}
