//! What every contender records: the two shapes of span and their values.
//!
//! A capability call has 4 attributes: its name at the start, then the bytes together, then what is left of
//! the budget. A chat has 11: operation, provider and model at the start, then the limit of tokens, id and
//! model of the response together, the four counts of tokens together, and the finish reason. Contenders make
//! the same calls in the same groups, each with its own API's way to say several at once.

use serde::{Deserialize, Serialize};
use std::hint::black_box;

/// Which span is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Shape {
    Capability,
    Chat,
}

impl Shape {
    pub(crate) const ALL: [Shape; 2] = [Shape::Capability, Shape::Chat];
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Shape::Capability => "capability",
            Shape::Chat => "chat",
        })
    }
}

pub(crate) struct Capability {
    pub(crate) name: &'static str,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) budget_remaining: u64,
}

pub(crate) struct Chat {
    pub(crate) model: &'static str,
    pub(crate) max_tokens: u64,
    pub(crate) response_id: &'static str,
    pub(crate) response_model: &'static str,
    /// Without what came from the cache, as Anthropic counts.
    pub(crate) fresh_input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cache_read_tokens: u64,
    pub(crate) cache_write_tokens: u64,
}

impl Chat {
    /// With what came from the cache, as the conventions count.
    pub(crate) fn input_tokens(&self) -> u64 {
        self.fresh_input_tokens + self.cache_read_tokens + self.cache_write_tokens
    }
}

pub(crate) const OPERATION: &str = "chat";
pub(crate) const PROVIDER: &str = "anthropic";
pub(crate) const FINISH_REASON: &str = "stop";

/// The values, hidden from the optimizer: a caller's values are not constants either.
pub(crate) fn capability() -> &'static Capability {
    black_box(&Capability { name: "net.fetch", bytes_in: 512, bytes_out: 18_403, budget_remaining: 41 })
}

pub(crate) fn chat() -> &'static Chat {
    black_box(&Chat {
        model: "claude-sonnet-4-5",
        max_tokens: 4096,
        response_id: "msg_01XFDUDYJgAACzvnptvVoYEL",
        response_model: "claude-sonnet-4-5-20250929",
        fresh_input_tokens: 890,
        output_tokens: 2103,
        cache_read_tokens: 15_360,
        cache_write_tokens: 512,
    })
}

/// Names on the wire, for contenders that take names. They are the contract's (see the test): a constant is
/// what a peer's user would hand over, and the contract's names are not constants of the compiler.
pub(crate) mod name {
    pub(crate) const CAP_NAME: &str = "cap.name";
    pub(crate) const BYTES_IN: &str = "bytes_in";
    pub(crate) const BYTES_OUT: &str = "bytes_out";
    pub(crate) const CAP_BUDGET_REMAINING: &str = "cap.budget_remaining";
    pub(crate) const OPERATION: &str = "gen_ai.operation.name";
    pub(crate) const PROVIDER: &str = "gen_ai.provider.name";
    pub(crate) const REQUEST_MODEL: &str = "gen_ai.request.model";
    pub(crate) const MAX_TOKENS: &str = "gen_ai.request.max_tokens";
    pub(crate) const RESPONSE_ID: &str = "gen_ai.response.id";
    pub(crate) const RESPONSE_MODEL: &str = "gen_ai.response.model";
    pub(crate) const INPUT_TOKENS: &str = "gen_ai.usage.input_tokens";
    pub(crate) const OUTPUT_TOKENS: &str = "gen_ai.usage.output_tokens";
    pub(crate) const CACHE_READ_TOKENS: &str = "gen_ai.usage.cache_read.input_tokens";
    pub(crate) const CACHE_WRITE_TOKENS: &str = "gen_ai.usage.cache_write.input_tokens";
    pub(crate) const FINISH_REASONS: &str = "gen_ai.response.finish_reasons";
}

#[cfg(test)]
mod tests {
    use super::name;
    use vigil::contract::attr;

    #[test]
    fn the_peers_use_the_names_of_the_contract() {
        let pairs = [
            (name::CAP_NAME, attr::CAP_NAME),
            (name::BYTES_IN, attr::BYTES_IN),
            (name::BYTES_OUT, attr::BYTES_OUT),
            (name::CAP_BUDGET_REMAINING, attr::CAP_BUDGET_REMAINING),
            (name::OPERATION, attr::GEN_AI_OPERATION_NAME),
            (name::PROVIDER, attr::GEN_AI_PROVIDER_NAME),
            (name::REQUEST_MODEL, attr::GEN_AI_REQUEST_MODEL),
            (name::MAX_TOKENS, attr::GEN_AI_REQUEST_MAX_TOKENS),
            (name::RESPONSE_ID, attr::GEN_AI_RESPONSE_ID),
            (name::RESPONSE_MODEL, attr::GEN_AI_RESPONSE_MODEL),
            (name::INPUT_TOKENS, attr::GEN_AI_USAGE_INPUT_TOKENS),
            (name::OUTPUT_TOKENS, attr::GEN_AI_USAGE_OUTPUT_TOKENS),
            (name::CACHE_READ_TOKENS, attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS),
            (name::CACHE_WRITE_TOKENS, attr::GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS),
            (name::FINISH_REASONS, attr::GEN_AI_RESPONSE_FINISH_REASONS),
        ];
        for (used, key) in pairs {
            assert_eq!(used, key.name());
        }
    }
}
