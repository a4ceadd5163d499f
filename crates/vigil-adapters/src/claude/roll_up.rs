//! Sums below a span: counts, tokens by model, and what they cost.

use super::records::Counts;
use super::telling::name;
use super::tokens::{Tokens, Totals};
use vigil_core::contract::{Key, attr};
use vigil_core::cost::{Cost, price_of_sum};
use vigil_core::fact::{Attributes, Text, Value};
use vigil_core::vocab::{Provider, UsageSource};

/// Writes counts of what happened below a span.
pub(crate) fn set_counts(attributes: &mut Attributes, counts: &Counts) {
    attributes.set(attr::VIGIL_CHAT_COUNT, counts.chats);
    attributes.set(attr::VIGIL_TOOL_COUNT, counts.tools);
    for (key, count) in [
        (attr::VIGIL_CHAT_FAILED, counts.chats_failed),
        (attr::VIGIL_TOOL_FAILED, counts.tools_failed),
        (attr::VIGIL_DENIED_COUNT, counts.denied),
        (attr::VIGIL_RETRY_COUNT, counts.retries),
        (attr::VIGIL_AGENT_COUNT, counts.sub_agents),
    ] {
        if count > 0 {
            attributes.set(key, count);
        }
    }
}

/// What a sum of tokens by model costs: the sum where every model has a price, and the models that have none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bill {
    pub(crate) nano_usd: Option<u64>,
    pub(crate) table: Option<&'static str>,
    pub(crate) unpriced: Vec<String>,
    pub(crate) by_model: Vec<(String, Tokens, Cost)>,
}

impl Bill {
    pub(crate) fn of(totals: &Totals) -> Self {
        let mut bill = Self { nano_usd: Some(0), ..Self::default() };
        for (model, total) in &totals.0 {
            let cost = price_of_sum(Some(&Provider::ANTHROPIC), model, &total.tokens.usage());
            match &cost {
                Cost::Known { nano_usd, table } => {
                    bill.nano_usd = bill.nano_usd.map(|sum| sum.saturating_add(*nano_usd));
                    bill.table = Some(table);
                }
                Cost::Unpriced { model } => {
                    bill.unpriced.push(model.clone());
                    bill.nano_usd = None;
                }
                Cost::Incomplete => bill.nano_usd = None,
            }
            bill.by_model.push((model.clone(), total.tokens, cost));
        }
        bill
    }
}

/// Writes the roll-up of tokens by model, and what they cost.
pub(crate) fn set_totals(attributes: &mut Attributes, totals: &Totals, source: Option<UsageSource>) -> Bill {
    totals.sum().usage().set_roll_up(attributes);
    if !totals.0.is_empty() {
        attributes.set(attr::VIGIL_USAGE_MODELS, totals.0.keys().map(|model| name(model)).collect::<Vec<Text>>());
        let by_model = |part: fn(&vigil_core::usage::Usage) -> Option<u64>| -> Value {
            let numbers = totals.0.values().map(|total| part(&total.tokens.usage()).unwrap_or(0));
            Value::IntList(numbers.map(|number| i64::try_from(number).unwrap_or(i64::MAX)).collect())
        };
        let lists: [(Key, Value); 4] = [
            (attr::VIGIL_USAGE_MODELS_INPUT_TOKENS, by_model(|usage| usage.input())),
            (attr::VIGIL_USAGE_MODELS_OUTPUT_TOKENS, by_model(|usage| usage.output())),
            (attr::VIGIL_USAGE_MODELS_CACHE_READ_INPUT_TOKENS, by_model(|usage| usage.cache_read_tokens())),
            (attr::VIGIL_USAGE_MODELS_CACHE_WRITE_INPUT_TOKENS, by_model(|usage| usage.cache_write_tokens())),
        ];
        for (key, list) in lists {
            attributes.set(key, list);
        }
    }
    attributes.set_some(attr::VIGIL_USAGE_SOURCE, source);
    let bill = Bill::of(totals);
    if let (Some(nano_usd), Some(table)) = (bill.nano_usd, bill.table) {
        attributes.set(attr::VIGIL_COST_NANO_USD, nano_usd);
        attributes.set(attr::VIGIL_COST_TABLE, table);
    }
    if !bill.unpriced.is_empty() {
        attributes.set(
            attr::VIGIL_COST_UNPRICED_MODELS,
            bill.unpriced.iter().map(|model| name(model)).collect::<Vec<Text>>(),
        );
    }
    bill
}
