//! What an agent's work adds up to: the sums its span carries when it ends.

use vigil_core::contract::{SpanKind, attr};
use vigil_core::cost::{Cost, CostSum, price};
use vigil_core::fact::{Attributes, Outcome, SpanRecord, Text, Value};
use vigil_core::usage::Usage;
use vigil_core::vocab::{Provider, UsageSource};

/// The sums of a span's descendants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rollup {
    /// By model, in the order they were first used.
    models: Vec<(Text, Usage)>,
    cost: CostSum,
    chats: u64,
    tools: u64,
    tools_failed: u64,
    turns: u64,
    retries: u64,
    pub(crate) own: Own,
}

/// Model and tool calls of an agent itself, without those of agents below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) chats: u64,
    pub(crate) tools: u64,
}

impl Rollup {
    /// Adds what `span`, which has ended, contributes itself; `cost` is that of a model call.
    pub(crate) fn add_span(&mut self, span: &SpanRecord, cost: Option<&CallCost>) {
        match span.kind {
            SpanKind::Chat => {
                self.chats += 1;
                self.own.chats += 1;
                self.add_call(span, cost);
            }
            SpanKind::Embeddings => self.add_call(span, cost),
            SpanKind::Tool => {
                self.tools += 1;
                self.own.tools += 1;
                self.tools_failed += u64::from(matches!(span.outcome, Outcome::Error(_)));
            }
            SpanKind::Turn => self.turns += 1,
            _ => {}
        }
    }

    fn add_call(&mut self, span: &SpanRecord, cost: Option<&CallCost>) {
        match cost {
            Some(call) => {
                self.add_usage(&call.model, call.usage);
                self.cost.add(&call.cost);
            }
            // A call that failed used nothing; one that went well, or was given up half way, used nobody knows what.
            None if matches!(span.outcome, Outcome::Error(_)) => {}
            None => self.cost.add(&Cost::Incomplete),
        }
    }

    fn add_usage(&mut self, model: &Text, usage: Usage) {
        match self.models.iter_mut().find(|(name, _)| name == model) {
            Some((_, sum)) => *sum += usage,
            None => self.models.push((model.clone(), usage)),
        }
    }

    pub(crate) fn add_retry(&mut self) {
        self.retries += 1;
    }

    /// Adds the sums of a span below.
    pub(crate) fn add(&mut self, below: &Rollup, below_is_agent: bool) {
        below.models.iter().for_each(|(model, usage)| self.add_usage(model, *usage));
        self.cost.add_sum(&below.cost);
        self.chats += below.chats;
        self.tools += below.tools;
        self.tools_failed += below.tools_failed;
        self.retries += below.retries;
        if !below_is_agent {
            // Turns and calls of a sub-agent are its own.
            self.turns += below.turns;
            self.own.chats += below.own.chats;
            self.own.tools += below.own.tools;
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
        if self.models.is_empty() {
            return;
        }
        self.models.iter().map(|(_, usage)| *usage).sum::<Usage>().set_roll_up(attributes);
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
        self.cost.set_on(attributes);
    }
}

/// The model, tokens and cost of a model call.
#[derive(Clone, Debug)]
pub(crate) struct CallCost {
    model: Text,
    usage: Usage,
    pub(crate) cost: Cost,
}

impl CallCost {
    /// `None` when the span is no model call or no tokens were recorded.
    pub(crate) fn of(span: &SpanRecord) -> Option<Self> {
        if !matches!(span.kind, SpanKind::Chat | SpanKind::Embeddings) {
            return None;
        }
        let attributes = &span.attributes;
        let usage = Usage::of_call(attributes);
        if usage.is_empty() {
            return None;
        }
        let named = |key| match attributes.get(key) {
            Some(Value::Str(model)) => Some(model.clone()),
            _ => None,
        };
        let model = named(attr::GEN_AI_RESPONSE_MODEL).or_else(|| named(attr::GEN_AI_REQUEST_MODEL))?;
        let provider = attributes.str(attr::GEN_AI_PROVIDER_NAME).map(Provider::from_code);
        let cost = price(provider.as_ref(), &model, &usage);
        Some(Self { model, usage, cost })
    }
}
