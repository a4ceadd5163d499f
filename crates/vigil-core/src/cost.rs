//! Money: what a usage costs, in integer nano-dollars, or that nobody knows.
//!
//! Prices come from a dated table of models ([`TABLE_DATE`]). A model is found by its exact id, by an alias
//! the table lists, or by its id without one ending that never changes the price: a date (`-20250929`,
//! `@20250929`, `-2025-09-29`) or Claude Code's context window (`[1m]`). There is no matching by prefix or
//! substring: a model that is not in the table is [`Cost::Unpriced`], never free and never as dear as its
//! sibling.
//!
//! The arithmetic is in integers: a price is a whole number of nano-dollars a token (one dollar a million
//! tokens is 1000), sums saturate. List prices of text at the provider's own or global endpoint only: no
//! batch, priority, fast or regional rates, no audio or image rates, no discounts.

mod prices;

pub use prices::TABLE_DATE;

use crate::contract::attr;
use crate::fact::{AttributeSet, Text};
use crate::usage::Usage;
use crate::vocab::Provider;
use prices::{Entry, Rates, TABLE};
use std::collections::HashMap;
use std::sync::LazyLock;

/// What a usage costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cost {
    /// By the table of this date.
    Known {
        /// Billionths of a US dollar.
        nano_usd: u64,
        /// The date of the price table.
        table: &'static str,
    },
    /// The table has no price for the model.
    Unpriced {
        /// The model.
        model: String,
    },
    /// The model has a price, but something it depends on is not known: a number of tokens, or whether a call
    /// was long enough for the higher rate.
    Incomplete,
}

impl Cost {
    /// Billionths of a US dollar, if they are known.
    pub const fn nano_usd(&self) -> Option<u64> {
        match self {
            Self::Known { nano_usd, .. } => Some(*nano_usd),
            Self::Unpriced { .. } | Self::Incomplete => None,
        }
    }

    /// Writes the cost to a span: `vigil.cost.*`. Writes no number where none is known.
    pub fn set_on(&self, attributes: &mut AttributeSet<'_>) {
        match self {
            Self::Known { nano_usd, table } => {
                attributes.set(attr::VIGIL_COST_NANO_USD, *nano_usd);
                attributes.set(attr::VIGIL_COST_TABLE, *table);
            }
            Self::Unpriced { model } => {
                attributes.set(attr::VIGIL_COST_UNPRICED_MODELS, vec![Text::from(model.clone())]);
            }
            Self::Incomplete => {}
        }
    }
}

/// What `usage` of one call of `model` costs.
///
/// `provider` is who was called, where that is known; a price applies only to the providers the table names
/// for it, since the same model costs otherwise elsewhere.
pub fn price(provider: Option<&Provider>, model: &str, usage: &Usage) -> Cost {
    match Rate::of(provider, model) {
        Some(rate) => rate.cost(usage),
        None => Cost::Unpriced { model: model.to_owned() },
    }
}

/// What calls of one model cost: [`price`] in two steps, for whoever prices many calls.
#[derive(Clone, Copy, Debug)]
pub struct Rate(&'static Entry);

impl Rate {
    /// The rate of `model` at `provider`; `None` when the table has none.
    pub fn of(provider: Option<&Provider>, model: &str) -> Option<Self> {
        find(provider, model).map(Self)
    }

    /// What `usage` of one call costs.
    pub fn cost(&self, usage: &Usage) -> Cost {
        let rates = match &self.0.long {
            Some(long) if usage.input().unwrap_or(0) > long.above => &long.rates,
            _ => &self.0.rates,
        };
        known(multiply(rates, self.0.web_search, usage))
    }
}

/// What `usage` of several calls of `model` together costs.
///
/// Where the model has a higher rate for long calls and the calls together are long enough for it, nobody can
/// say which rate each call had: the cost is [`Cost::Incomplete`]. Sum [`price`] over the calls instead, which
/// also notices a call whose tokens are not known.
pub fn price_of_sum(provider: Option<&Provider>, model: &str, usage: &Usage) -> Cost {
    match find(provider, model) {
        Some(Entry { long: Some(long), .. }) if usage.input().unwrap_or(0) > long.above => Cost::Incomplete,
        Some(_) => price(provider, model, usage),
        None => Cost::Unpriced { model: model.to_owned() },
    }
}

/// Whether the table has a price for `model`.
pub fn is_priced(provider: Option<&Provider>, model: &str) -> bool {
    find(provider, model).is_some()
}

fn known(nano_usd: Option<u64>) -> Cost {
    nano_usd.map_or(Cost::Incomplete, |nano_usd| Cost::Known { nano_usd, table: TABLE_DATE })
}

fn find(provider: Option<&Provider>, model: &str) -> Option<&'static Entry> {
    static BY_ID: LazyLock<HashMap<&str, &Entry>> =
        LazyLock::new(|| TABLE.iter().flat_map(|entry| entry.models.iter().map(move |id| (*id, entry))).collect());
    let exactly = |id: &str| BY_ID.get(id).copied();
    // A dated id may have a price of its own, so the whole id goes first.
    let entry = exactly(model).or_else(|| exactly(without_window(model))).or_else(|| {
        let undated = without_date(without_window(model))?;
        exactly(undated)
    })?;
    match provider {
        None => Some(entry),
        Some(provider) if *provider == Provider::UNKNOWN => Some(entry),
        Some(provider) => entry.providers.contains(provider).then_some(entry),
    }
}

/// `model` without Claude Code's mark for the large context window.
fn without_window(model: &str) -> &str {
    model.strip_suffix("[1m]").unwrap_or(model)
}

/// `model` without the date it ends in, if it does: `-YYYYMMDD`, `@YYYYMMDD` or `-YYYY-MM-DD`.
fn without_date(model: &str) -> Option<&str> {
    let matches = |ending: &str, pattern: &str| {
        ending.len() == pattern.len()
            && ending.bytes().zip(pattern.bytes()).all(|(byte, expected)| match expected {
                b'0' => byte.is_ascii_digit(),
                _ => byte == expected,
            })
    };
    ["-00000000", "@00000000", "-0000-00-00"].iter().find_map(|pattern| {
        let (name, ending) = model.split_at_checked(model.len().checked_sub(pattern.len())?)?;
        (matches(ending, pattern) && !name.is_empty()).then_some(name)
    })
}

/// The sum of tokens times rates; `None` when a number of tokens that costs something is not known.
fn multiply(rates: &Rates, web_search: Option<u64>, usage: &Usage) -> Option<u64> {
    let read = usage.cache_read_tokens().unwrap_or(0);
    let write = usage.cache_write_tokens().unwrap_or(0);
    let write_1h = usage.cache_write_1h_tokens().unwrap_or(0).min(write);
    let cached = read.saturating_mul(rates.cache_read).saturating_add(
        (write - write_1h)
            .saturating_mul(rates.cache_write)
            .saturating_add(write_1h.saturating_mul(rates.cache_write_1h)),
    );
    let searches = match usage.web_search_requests().unwrap_or(0) {
        0 => 0,
        requests => requests.saturating_mul(web_search?),
    };
    let input = usage.uncached_input()?.saturating_mul(rates.input);
    let output = match usage.output() {
        Some(output) => output.saturating_mul(rates.output),
        // Embeddings have no output, and none to pay for.
        None if rates.output == 0 => 0,
        None => return None,
    };
    Some(input.saturating_add(output).saturating_add(cached).saturating_add(searches))
}

/// The cost of several calls: what is known of it, and what is not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CostSum {
    nano_usd: u64,
    unpriced: Vec<String>,
    incomplete: bool,
}

impl CostSum {
    /// The most unpriced models that are kept by name; more only make the sum incomplete.
    pub const MAX_UNPRICED: usize = 32;

    /// Nothing yet: zero, and known.
    pub const fn new() -> Self {
        Self { nano_usd: 0, unpriced: Vec::new(), incomplete: false }
    }

    /// Adds the cost of a call, or of several. A call that failed before it used anything is not added: its
    /// cost is not unknown but nothing.
    pub fn add(&mut self, cost: &Cost) {
        match cost {
            Cost::Known { nano_usd, .. } => self.nano_usd = self.nano_usd.saturating_add(*nano_usd),
            Cost::Unpriced { model } => {
                if !self.unpriced.contains(model) {
                    if self.unpriced.len() < Self::MAX_UNPRICED {
                        self.unpriced.push(model.clone());
                    } else {
                        self.incomplete = true;
                    }
                }
            }
            Cost::Incomplete => self.incomplete = true,
        }
    }

    /// Adds another sum.
    pub fn add_sum(&mut self, other: &CostSum) {
        self.nano_usd = self.nano_usd.saturating_add(other.nano_usd);
        self.incomplete |= other.incomplete;
        for model in &other.unpriced {
            self.add(&Cost::Unpriced { model: model.clone() });
        }
    }

    /// The whole cost, if every part of it is known.
    pub fn nano_usd(&self) -> Option<u64> {
        (self.unpriced.is_empty() && !self.incomplete).then_some(self.nano_usd)
    }

    /// What is known of the cost: the whole, or the least it can be.
    pub const fn at_least_nano_usd(&self) -> u64 {
        self.nano_usd
    }

    /// Whether the cost of a call that has a price is not known.
    pub const fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// The models without a price.
    pub fn unpriced_models(&self) -> &[String] {
        &self.unpriced
    }

    /// Writes the sum to a span: the cost where it is known, else the models that have no price.
    pub fn set_on(&self, attributes: &mut AttributeSet<'_>) {
        if let Some(nano_usd) = self.nano_usd() {
            attributes.set(attr::VIGIL_COST_NANO_USD, nano_usd);
            attributes.set(attr::VIGIL_COST_TABLE, TABLE_DATE);
        }
        if !self.unpriced.is_empty() {
            let models: Vec<Text> = self.unpriced.iter().map(|model| Text::from(model.clone())).collect();
            attributes.set(attr::VIGIL_COST_UNPRICED_MODELS, models);
        }
    }
}

#[cfg(test)]
mod tests;
