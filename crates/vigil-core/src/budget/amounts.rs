//! What is counted: amounts, limits, and what is left of them.

use crate::usage::Usage;
use crate::vocab::BudgetKind;
use std::time::Duration;

/// What was spent, or is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amounts {
    /// Tokens, input and output.
    pub tokens: u64,
    /// Money, in billionths of a US dollar.
    pub nano_usd: u64,
    /// Tool calls.
    pub tool_calls: u64,
}

/// The kinds that are amounts, with time left out: it passes by itself.
pub(super) const AMOUNTS: [BudgetKind; 3] = [BudgetKind::Tokens, BudgetKind::Cost, BudgetKind::ToolCalls];

impl Amounts {
    /// One tool call.
    pub const TOOL_CALL: Self = Self { tokens: 0, nano_usd: 0, tool_calls: 1 };

    /// The tokens of `usage`, and `nano_usd` for them. What is not known of a usage counts as nothing.
    pub fn of_call(usage: &Usage, nano_usd: u64) -> Self {
        let tokens = usage.input().unwrap_or(0).saturating_add(usage.output().unwrap_or(0));
        Self { tokens, nano_usd, tool_calls: 0 }
    }

    /// The amount of this kind; 0 for kinds that are no amounts.
    pub const fn of(&self, kind: BudgetKind) -> u64 {
        match kind {
            BudgetKind::Tokens => self.tokens,
            BudgetKind::Cost => self.nano_usd,
            BudgetKind::ToolCalls => self.tool_calls,
            BudgetKind::Time | BudgetKind::CapabilityCalls => 0,
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.nano_usd = self.nano_usd.saturating_add(other.nano_usd);
        self.tool_calls = self.tool_calls.saturating_add(other.tool_calls);
    }

    pub(super) fn take(&mut self, other: Self) {
        self.tokens = self.tokens.saturating_sub(other.tokens);
        self.nano_usd = self.nano_usd.saturating_sub(other.nano_usd);
        self.tool_calls = self.tool_calls.saturating_sub(other.tool_calls);
    }
}

/// What work wants to spend. `None` is not spent at all; `Some(0)` is spent, and nobody knows how much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ask {
    /// Tokens.
    pub tokens: Option<u64>,
    /// Billionths of a US dollar.
    pub nano_usd: Option<u64>,
    /// Tool calls.
    pub tool_calls: Option<u64>,
}

impl Ask {
    /// Nothing but time: may work begin at all?
    pub const TIME: Self = Self { tokens: None, nano_usd: None, tool_calls: None };
    /// One tool call.
    pub const TOOL_CALL: Self = Self { tool_calls: Some(1), ..Self::TIME };

    pub(super) const fn of(&self, kind: BudgetKind) -> Option<u64> {
        match kind {
            BudgetKind::Tokens => self.tokens,
            BudgetKind::Cost => self.nano_usd,
            BudgetKind::ToolCalls => self.tool_calls,
            BudgetKind::Time | BudgetKind::CapabilityCalls => None,
        }
    }

    pub(super) fn held(&self) -> Amounts {
        let amount = |asked: Option<u64>| asked.unwrap_or(0);
        Amounts { tokens: amount(self.tokens), nano_usd: amount(self.nano_usd), tool_calls: amount(self.tool_calls) }
    }
}

/// What may be spent. What is `None` is not limited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Tokens, input and output.
    pub tokens: Option<u64>,
    /// Billionths of a US dollar.
    pub nano_usd: Option<u64>,
    /// Wall time from the opening of the account.
    pub time: Option<Duration>,
    /// Tool calls.
    pub tool_calls: Option<u64>,
    /// From how many percent of a limit on it is running low. Defaults to 80; above 100 never.
    pub low_at_percent: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tokens: None, nano_usd: None, time: None, tool_calls: None, low_at_percent: 80 }
    }
}

impl Limits {
    /// Nothing is limited.
    pub fn none() -> Self {
        Self::default()
    }

    /// Limits tokens.
    #[must_use]
    pub const fn tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Limits money, in billionths of a US dollar.
    #[must_use]
    pub const fn nano_usd(mut self, nano_usd: u64) -> Self {
        self.nano_usd = Some(nano_usd);
        self
    }

    /// Limits wall time.
    #[must_use]
    pub const fn time(mut self, time: Duration) -> Self {
        self.time = Some(time);
        self
    }

    /// Limits tool calls.
    #[must_use]
    pub const fn tool_calls(mut self, calls: u64) -> Self {
        self.tool_calls = Some(calls);
        self
    }

    /// Sets from how many percent of a limit on it is running low.
    #[must_use]
    pub const fn low_at_percent(mut self, percent: u8) -> Self {
        self.low_at_percent = percent;
        self
    }

    /// The limit of this kind, time in milliseconds.
    pub fn of(&self, kind: BudgetKind) -> Option<u64> {
        match kind {
            BudgetKind::Tokens => self.tokens,
            BudgetKind::Cost => self.nano_usd,
            BudgetKind::ToolCalls => self.tool_calls,
            BudgetKind::Time => self.time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            BudgetKind::CapabilityCalls => None,
        }
    }

    /// Whether `used` of `limit` is enough to be running low.
    pub(super) fn is_low(&self, used: u128, limit: u128) -> bool {
        used * 100 >= limit * u128::from(self.low_at_percent)
    }
}

/// What is neither spent nor held, of an account and of all above it: what may still be asked for. `None` where
/// nothing limits it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Left {
    /// Tokens.
    pub tokens: Option<u64>,
    /// Billionths of a US dollar.
    pub nano_usd: Option<u64>,
    /// Wall time.
    pub time: Option<Duration>,
    /// Tool calls.
    pub tool_calls: Option<u64>,
}

impl Left {
    /// What is left where both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
            match (one, other) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            }
        }
        Self {
            tokens: least(self.tokens, other.tokens),
            nano_usd: least(self.nano_usd, other.nano_usd),
            time: least(self.time, other.time),
            tool_calls: least(self.tool_calls, other.tool_calls),
        }
    }
}
