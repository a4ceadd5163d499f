//! What the agent may spend: it runs down with every call and ends the run when it is empty.

use super::model::{Model, Reply};
use crate::system::instant;
use std::time::{Duration, Instant};
use vigil::{Budget, BudgetKind, EconomicMode};

/// 30,000 tokens, 25 cents, two minutes, twelve tool calls.
const TOKENS: u64 = 30_000;
const NANO_USD: i64 = 250_000_000;
const TIME: Duration = Duration::from_secs(120);
const TOOL_CALLS: u64 = 12;

/// What is left.
#[derive(Debug)]
pub(crate) struct Purse {
    tokens: u64,
    nano_usd: i64,
    until: Instant,
    tool_calls: u64,
}

impl Default for Purse {
    fn default() -> Self {
        Self { tokens: TOKENS, nano_usd: NANO_USD, until: instant() + TIME, tool_calls: TOOL_CALLS }
    }
}

impl Purse {
    /// Takes what a model call used. A model without a price costs tokens only.
    pub(crate) fn pay_for(&mut self, model: &Model, reply: &Reply) {
        let tokens = reply.usage.input().unwrap_or(0).saturating_add(reply.usage.output().unwrap_or(0));
        self.tokens = self.tokens.saturating_sub(tokens);
        let cost = vigil::price(Some(&model.provider()), &reply.model, &reply.usage);
        self.nano_usd = self.nano_usd.saturating_sub_unsigned(cost.nano_usd().unwrap_or(0));
    }

    pub(crate) fn pay_for_tool_call(&mut self) {
        self.tool_calls = self.tool_calls.saturating_sub(1);
    }

    pub(crate) fn left(&self) -> Budget {
        Budget {
            tokens_remaining: Some(self.tokens),
            cost_remaining_nano_usd: Some(self.nano_usd),
            time_remaining: Some(self.until.saturating_duration_since(instant())),
            tool_calls_remaining: Some(self.tool_calls),
        }
    }

    /// Half of the tokens gone is the time to save.
    pub(crate) fn economic_mode(&self) -> EconomicMode {
        if self.tokens > TOKENS / 2 { EconomicMode::Sovereign } else { EconomicMode::Conserving }
    }

    /// What is used up, if anything is.
    pub(crate) fn exhausted(&self) -> Option<BudgetKind> {
        match self {
            Purse { tokens: 0, .. } => Some(BudgetKind::Tokens),
            Purse { tool_calls: 0, .. } => Some(BudgetKind::ToolCalls),
            Purse { nano_usd: ..=0, .. } => Some(BudgetKind::Cost),
            Purse { until, .. } if *until <= instant() => Some(BudgetKind::Time),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purse_says_what_ran_out_first() {
        let mut purse = Purse::default();
        assert_eq!(purse.exhausted(), None);
        assert_eq!(purse.economic_mode(), EconomicMode::Sovereign);
        (0..TOOL_CALLS).for_each(|_| purse.pay_for_tool_call());
        assert_eq!(purse.exhausted(), Some(BudgetKind::ToolCalls));
        assert_eq!(purse.left().tool_calls_remaining, Some(0));
    }
}
