//! The words that appear as attribute values, as types.
//!
//! Two shapes. A *closed* vocabulary is a plain enum: every value is known, and `verify` rejects any other
//! (it has `ALL`, `WORDS`, `as_str`, `FromStr`, `Display`). An *open* one is a text newtype with constants
//! for the known values, because the conventions allow others (`WORDS`, `from_static`, `from_code`,
//! `as_str`); what comes from outside passes [`sanitise`], so that no free text can hide in it.
//!
//! Every list here is also the list of values in the attribute table: a word is written once.

mod agent;
mod error_type;
mod genai;
mod record;
mod throttle;
mod word;

pub use agent::{CircuitState, EconomicMode, EvaluationTiming, Health, OperatingMode, Phase, RiskLevel};
pub use error_type::ErrorType;
pub use genai::{FinishReason, McpMethod, Modality, Operation, OutputType, Provider, ToolStatus, ToolType};
pub use record::{
    AgentKind, BudgetKind, CapabilityError, Decision, Originator, OutcomeWord, Severity, ThrottleClass,
    ThrottleOutcome, UsageSource,
};
pub use throttle::{
    Blocked, DownstreamOperation, EvidenceKind, LimitScope, ProviderCode, Service, ServiceCategory, ThrottleRule,
};
pub use word::{MAX_WORD_BYTES, UnknownWord, is_word, sanitise};

#[cfg(test)]
mod tests;
