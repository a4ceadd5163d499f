//! What an agent's work adds up to: the sums its span carries when it ends.

use vigil_core::contract::{SpanKind, attr};
use vigil_core::cost::{Cost, price};
use vigil_core::fact::{Attributes, Outcome, SpanRecord, Text, Value};
use vigil_core::usage::Usage;
use vigil_core::vocab::{Provider, UsageSource};

/// The sums of a span's descendants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rollup {
    /// By model, in the order they were first used.
    models: Vec<(Text, Usage)>,
    nano_usd: Option<u64>,
    table: Option<&'static str>,
    unpriced: Vec<Text>,
    /// A call has a price and lacks a number it depends on: a sum without it would be too small.
    incomplete: bool,
    chats: u64,
    tools: u64,
    tools_failed: u64,
    turns: u64,
    retries: u64,
    /// Model and tool calls of the agent itself, without those of agents below it.
    pub(crate) own_chats: u64,
    pub(crate) own_tools: u64,
}

impl Rollup {
    /// Adds what `span`, which has ended, contributes itself.
    pub(crate) fn add_span(&mut self, span: &SpanRecord) {
        match span.kind {
            SpanKind::Chat | SpanKind::Embeddings => {
                self.chats += 1;
                self.own_chats += 1;
                self.add_usage(&span.attributes);
            }
            SpanKind::Tool => {
                self.tools += 1;
                self.own_tools += 1;
                self.tools_failed += u64::from(matches!(span.outcome, Outcome::Error(_)));
            }
            SpanKind::Turn => self.turns += 1,
            _ => {}
        }
    }

    fn add_usage(&mut self, attributes: &Attributes) {
        let Some((model, usage, cost)) = cost_of(attributes) else { return };
        match self.models.iter_mut().find(|(name, _)| name == &model) {
            Some((_, sum)) => *sum += usage,
            None => self.models.push((model.clone(), usage)),
        }
        match cost {
            Cost::Known { nano_usd, table } => {
                self.nano_usd = Some(self.nano_usd.unwrap_or(0).saturating_add(nano_usd));
                self.table = Some(table);
            }
            Cost::Unpriced { .. } if !self.unpriced.contains(&model) => self.unpriced.push(model),
            Cost::Unpriced { .. } => {}
            Cost::Incomplete => self.incomplete = true,
        }
    }

    pub(crate) fn add_retry(&mut self) {
        self.retries += 1;
    }

    /// Adds the sums of a span below.
    pub(crate) fn add(&mut self, below: &Rollup, below_is_agent: bool) {
        for (model, usage) in &below.models {
            match self.models.iter_mut().find(|(name, _)| name == model) {
                Some((_, sum)) => *sum += *usage,
                None => self.models.push((model.clone(), *usage)),
            }
        }
        if let Some(nano_usd) = below.nano_usd {
            self.nano_usd = Some(self.nano_usd.unwrap_or(0).saturating_add(nano_usd));
            self.table = below.table;
        }
        for model in &below.unpriced {
            if !self.unpriced.contains(model) {
                self.unpriced.push(model.clone());
            }
        }
        self.incomplete |= below.incomplete;
        self.chats += below.chats;
        self.tools += below.tools;
        self.tools_failed += below.tools_failed;
        self.retries += below.retries;
        if !below_is_agent {
            // Turns of a sub-agent are its own.
            self.turns += below.turns;
            self.own_chats += below.own_chats;
            self.own_tools += below.own_tools;
        }
    }

    /// Writes the sums onto the agent's span, under keys of their own: the calls below carry
    /// `gen_ai.usage.*`, and a dashboard that adds those up must not count anything twice.
    pub(crate) fn write(&self, attributes: &mut Attributes) {
        attributes.set(attr::VIGIL_CHAT_COUNT, self.chats);
        attributes.set(attr::VIGIL_TOOL_COUNT, self.tools);
        attributes.set(attr::VIGIL_TOOL_FAILED, self.tools_failed);
        if self.turns > 0 {
            attributes.set(attr::VIGIL_TURN_COUNT, self.turns);
        }
        if self.retries > 0 {
            attributes.set(attr::VIGIL_RETRY_COUNT, self.retries);
        }
        if !self.models.is_empty() {
            let total = self.models.iter().fold(Usage::unknown(), |sum, (_, usage)| sum + *usage);
            total.set_roll_up(attributes);
            let names = self.models.iter().map(|(name, _)| name.clone()).collect();
            attributes.set(attr::VIGIL_USAGE_MODELS, Value::StrList(names));
            let list = |of: fn(&Usage) -> Option<u64>| {
                Value::IntList(self.models.iter().map(|(_, usage)| of(usage).unwrap_or(0) as i64).collect())
            };
            attributes.set(attr::VIGIL_USAGE_MODELS_INPUT_TOKENS, list(Usage::input));
            attributes.set(attr::VIGIL_USAGE_MODELS_OUTPUT_TOKENS, list(Usage::output));
            attributes.set(attr::VIGIL_USAGE_MODELS_CACHE_READ_INPUT_TOKENS, list(Usage::cache_read_tokens));
            attributes.set(attr::VIGIL_USAGE_MODELS_CACHE_WRITE_INPUT_TOKENS, list(Usage::cache_write_tokens));
            attributes.set(attr::VIGIL_USAGE_SOURCE, UsageSource::Sdk.as_str());
        }
        if let (Some(nano_usd), Some(table), false) = (self.nano_usd, self.table, self.incomplete) {
            attributes.set(attr::VIGIL_COST_NANO_USD, nano_usd);
            attributes.set(attr::VIGIL_COST_TABLE, table);
        }
        if !self.unpriced.is_empty() {
            attributes.set(attr::VIGIL_COST_UNPRICED_MODELS, Value::StrList(self.unpriced.clone()));
        }
    }
}

/// The model, tokens and cost of a model call; `None` when no tokens were recorded.
pub(crate) fn cost_of(attributes: &Attributes) -> Option<(Text, Usage, Cost)> {
    let usage = Usage::of_call(attributes);
    if usage.is_empty() {
        return None;
    }
    let model = attributes.str(attr::GEN_AI_RESPONSE_MODEL).or(attributes.str(attr::GEN_AI_REQUEST_MODEL))?;
    let provider = attributes.str(attr::GEN_AI_PROVIDER_NAME).map(Provider::from_code);
    let cost = price(provider.as_ref(), model, &usage);
    Some((model.to_owned().into(), usage, cost))
}
