//! Token counts in Claude Code's own terms, and their way into the contract's inclusive form.
//!
//! Anthropic's `input` excludes cached tokens. Counts of a message in the stream are complete only where the
//! message carries its `stop_reason`; otherwise `output` is a placeholder and must not be used.

use super::wire;
use crate::lenient::Record as _;
use std::collections::BTreeMap;
use vigil_core::usage::Usage;

/// Tokens of one model call, or of many of one model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    pub(crate) cache_write: u64,
    /// The part of `cache_write` that lives an hour, which costs more.
    pub(crate) cache_write_one_hour: u64,
    /// The part of `output` spent on thinking.
    pub(crate) thinking: u64,
    pub(crate) web_searches: u64,
}

impl Tokens {
    pub(crate) fn of_message(usage: &wire::Usage<'_>) -> Option<Self> {
        usage.is_present().then(|| Self {
            input: usage.input.count().unwrap_or(0),
            output: usage.output.count().unwrap_or(0),
            cache_read: usage.cache_read.count().unwrap_or(0),
            cache_write: usage.cache_write.count().unwrap_or(0),
            cache_write_one_hour: usage.cache_creation.one_hour.count().unwrap_or(0),
            thinking: usage.output_details.thinking.count().unwrap_or(0),
            web_searches: usage.server_tools.web_searches.count().unwrap_or(0),
        })
    }

    fn of_model(usage: &wire::ModelUsage<'_>) -> Self {
        Self {
            input: usage.input.count().unwrap_or(0),
            output: usage.output.count().unwrap_or(0),
            cache_read: usage.cache_read.count().unwrap_or(0),
            cache_write: usage.cache_write.count().unwrap_or(0),
            cache_write_one_hour: usage.cache_write_one_hour.count().unwrap_or(0),
            thinking: usage.thinking.count().unwrap_or(0),
            web_searches: usage.web_searches.count().unwrap_or(0),
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    fn combine(self, other: Self, each: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input: each(self.input, other.input),
            output: each(self.output, other.output),
            cache_read: each(self.cache_read, other.cache_read),
            cache_write: each(self.cache_write, other.cache_write),
            cache_write_one_hour: each(self.cache_write_one_hour, other.cache_write_one_hour),
            thinking: each(self.thinking, other.thinking),
            web_searches: each(self.web_searches, other.web_searches),
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        self.combine(other, u64::saturating_add)
    }

    /// What is left of `self` without `other`; counts never go below zero.
    pub(crate) fn minus(self, other: Self) -> Self {
        self.combine(other, u64::saturating_sub)
    }

    /// Whether every count that is billed is at least that of `other`.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.input >= other.input
            && self.output >= other.output
            && self.cache_read >= other.cache_read
            && self.cache_write >= other.cache_write
    }

    /// The contract's form. Parts that are zero as a rule are left out when they are.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage::anthropic(self.input, self.output).cache(self.cache_read, self.cache_write);
        if self.cache_write_one_hour > 0 {
            usage = usage.cache_write_1h(self.cache_write_one_hour);
        }
        if self.thinking > 0 {
            usage = usage.reasoning(self.thinking);
        }
        if self.web_searches > 0 {
            usage = usage.web_searches(self.web_searches);
        }
        usage
    }
}

/// Tokens and the program's own price, by model.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Totals(pub(crate) BTreeMap<String, ModelTotal>);

/// Tokens of one model and what the program says they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ModelTotal {
    pub(crate) tokens: Tokens,
    pub(crate) reported_usd: f64,
}

/// Models told apart in one run; real runs use a handful.
const MODEL_LIMIT: usize = 256;

impl Totals {
    pub(crate) fn of(entries: &[(std::borrow::Cow<'_, str>, wire::ModelUsage<'_>)]) -> Self {
        let mut totals = Self::default();
        for (model, usage) in entries {
            totals.add(model, Tokens::of_model(usage), usage.cost_usd.float().unwrap_or(0.0));
        }
        totals
    }

    pub(crate) fn add(&mut self, model: &str, tokens: Tokens, reported_usd: f64) {
        let model = model_name(model);
        if !self.0.contains_key(model) && self.0.len() >= MODEL_LIMIT {
            return;
        }
        let total = self.0.entry(model.to_owned()).or_default();
        total.tokens = total.tokens.plus(tokens);
        total.reported_usd += reported_usd;
    }

    pub(crate) fn add_all(&mut self, other: &Self) {
        for (model, total) in &other.0 {
            self.add(model, total.tokens, total.reported_usd);
        }
    }

    /// What happened since `earlier`, for totals that continue. `None` when these do not continue `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Self> {
        let mut rest = self.clone();
        for (model, before) in &earlier.0 {
            let total = rest.0.get_mut(model)?;
            if !total.tokens.covers(&before.tokens) {
                return None;
            }
            total.tokens = total.tokens.minus(before.tokens);
            total.reported_usd = (total.reported_usd - before.reported_usd).max(0.0);
        }
        rest.0.retain(|_, total| !total.tokens.is_zero());
        Some(rest)
    }

    pub(crate) fn get(&self, model: &str) -> Tokens {
        self.0.get(model_name(model)).map(|total| total.tokens).unwrap_or_default()
    }

    pub(crate) fn sum(&self) -> Tokens {
        self.0.values().fold(Tokens::default(), |sum, total| sum.plus(total.tokens))
    }
}

/// A model's name without the context size the program appends (`claude-opus-4-8[1m]`), which messages do not
/// carry.
pub(crate) fn model_name(model: &str) -> &str {
    match model.split_once('[') {
        Some((name, size)) if size.ends_with(']') && !name.is_empty() => name,
        _ => model,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(input: u64, output: u64) -> Tokens {
        Tokens { input, output, ..Tokens::default() }
    }

    #[test]
    fn totals_that_continue_give_the_difference_and_others_do_not() {
        let (mut before, mut after) = (Totals::default(), Totals::default());
        before.add("a", tokens(4, 11), 0.5);
        after.add("a", tokens(11, 20), 0.75);
        after.add("b[1m]", tokens(1, 1), 0.25);
        let since = after.since(&before).unwrap();
        assert_eq!(since.get("a"), tokens(7, 9));
        assert_eq!(since.get("b"), tokens(1, 1));
        assert_eq!(since.0["a"].reported_usd, 0.25);
        assert_eq!(before.since(&after), None);
    }

    #[test]
    fn the_context_size_is_no_part_of_a_models_name() {
        for (given, name) in [("claude-opus-4-8[1m]", "claude-opus-4-8"), ("x", "x"), ("[1m]", "[1m]"), ("a[b", "a[b")]
        {
            assert_eq!(model_name(given), name);
        }
    }
}
