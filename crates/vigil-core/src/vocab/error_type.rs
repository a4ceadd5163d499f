//! `error.type`: why something failed, in one low-cardinality word.
//!
//! The conventions ask instrumentations to document the words they use; this is the list. A provider's own
//! error code may be used instead ([`ErrorType::from_code`]).

use super::word::open_words;

open_words! {
    /// Why something failed (`error.type`).
    ErrorType, empty is OTHER {
        /// The service refuses for now; waiting helps.
        RATE_LIMIT = "rate_limit",
        /// The service is full.
        OVERLOADED = "overloaded",
        /// Money, plan or window is used up.
        QUOTA = "quota",
        /// The credentials are missing, wrong or expired.
        AUTHENTICATION = "authentication",
        /// The credentials are right and do not suffice, or a rule or person said no.
        PERMISSION_DENIED = "permission_denied",
        /// It took longer than allowed.
        TIMEOUT = "timeout",
        /// Somebody stopped it, and that was not the plan.
        CANCELLED = "cancelled",
        /// The tool ran and reported failure.
        TOOL_ERROR = "tool_error",
        /// There is no such tool.
        TOOL_NOT_FOUND = "tool_not_found",
        /// No connection, or it broke.
        CONNECTION = "connection_failed",
        /// The service did not accept the request as it was.
        INVALID_REQUEST = "invalid_request",
        /// There is no such model, or not for this account.
        MODEL_NOT_FOUND = "model_not_found",
        /// The conversation is longer than the model can take.
        CONTEXT_LENGTH = "context_length_exceeded",
        /// The answer reached its token limit where that counts as failure.
        MAX_TOKENS = "max_tokens",
        /// The answer was not what was asked for (unparsable, wrong shape).
        INVALID_RESPONSE = "invalid_response",
        /// The service withheld the answer.
        CONTENT_FILTER = "content_filter",
        /// The service failed on its own.
        SERVER_ERROR = "server_error",
        /// The agent used up its turns.
        MAX_TURNS = "max_turns",
        /// A budget is used up.
        BUDGET_EXHAUSTED = "budget_exhausted",
        /// A policy refused the call.
        DENIED = "denied",
        /// A process was ended by a signal.
        KILLED = "killed",
        /// A process ended with a non-zero exit status.
        EXIT_STATUS = "exit_status",
        /// A program could not be started.
        START_FAILED = "start_failed",
        /// The process vanished without an end.
        PROCESS_LOST = "process_lost",
        /// The record ends before the work does.
        TRUNCATED = "truncated",
        /// The code panicked.
        PANIC = "panic",
        /// A provider's money, plan or window is used up (outcome of a wrapped command).
        PROVIDER_QUOTA = "provider_quota",
        /// A provider refuses for now (outcome of a wrapped command).
        PROVIDER_RATE_LIMIT = "provider_rate_limit",
        /// A provider is full (outcome of a wrapped command).
        PROVIDER_OVERLOADED = "provider_overloaded",
        /// A provider does not accept the credentials (outcome of a wrapped command).
        PROVIDER_AUTH = "provider_auth",
        /// The provider's program is not installed (outcome of a wrapped command).
        PROVIDER_MISSING = "provider_missing",
        /// The provider's program failed in another way (outcome of a wrapped command).
        PROVIDER_RUNTIME_ERROR = "provider_runtime_error",
        /// Git has no access (outcome of a wrapped command).
        GIT_AUTH = "git_auth",
        /// The GitHub command line has no access (outcome of a wrapped command).
        GH_AUTH = "gh_auth",
        /// The network cannot be reached (outcome of a wrapped command).
        NETWORK_UNREACHABLE = "network_unreachable",
        /// The worktree has changes that are in the way (outcome of a wrapped command).
        DIRTY_WORKTREE = "dirty_worktree",
        /// A check of the work failed (outcome of a wrapped command).
        VALIDATION_FAILED = "validation_failed",
        /// None of the others.
        OTHER = "_OTHER",
    }
}
