//! What an agent's work adds up to: the sums its span carries when it ends.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use vigil_core::contract::{SpanKind, attr};
use vigil_core::cost::{Cost, CostSum, Rate, TABLE_DATE};
use vigil_core::fact::{AnyValue, AttributeSet, Outcome, SpanData};
use vigil_core::usage::Usage;
use vigil_core::vocab::{Provider, UsageSource};

/// The sums of a span's descendants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rollup {
    /// By model, in the order they were first used.
    models: Vec<(String, Usage)>,
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
    /// Whether a span of this kind contributes anything itself.
    pub(crate) fn counts(kind: SpanKind) -> bool {
        matches!(kind, SpanKind::Chat | SpanKind::Embeddings | SpanKind::Tool | SpanKind::Turn)
    }

    /// Adds what `span`, which has ended, contributes itself; `cost` is that of a model call.
    pub(crate) fn add_span(&mut self, span: &SpanData<'_>, cost: Option<&CallCost<'_>>) {
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

    fn add_call(&mut self, span: &SpanData<'_>, cost: Option<&CallCost<'_>>) {
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

    fn add_usage(&mut self, model: &str, usage: Usage) {
        match self.models.iter_mut().find(|(name, _)| name == model) {
            Some((_, sum)) => *sum += usage,
            None => self.models.push((model.to_owned(), usage)),
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

    /// Writes the sums of nothing.
    pub(crate) fn write_nothing(attributes: &mut AttributeSet<'_>) {
        for key in [attr::VIGIL_CHAT_COUNT, attr::VIGIL_TOOL_COUNT, attr::VIGIL_TOOL_FAILED] {
            attributes.set(key, 0_u64);
        }
    }

    /// Writes the sums onto the agent's span, under keys of their own: the calls below carry
    /// `gen_ai.usage.*`, and a dashboard that adds those up must not count anything twice.
    pub(crate) fn write<'a>(&'a self, attributes: &mut AttributeSet<'a>) {
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
        let names: Vec<Cow<'a, str>> = self.models.iter().map(|(name, _)| name.as_str().into()).collect();
        attributes.set(attr::VIGIL_USAGE_MODELS, names);
        let list = |of: fn(&Usage) -> Option<u64>| {
            AnyValue::IntList(self.models.iter().map(|(_, usage)| of(usage).unwrap_or(0) as i64).collect())
        };
        attributes.set(attr::VIGIL_USAGE_MODELS_INPUT_TOKENS, list(Usage::input));
        attributes.set(attr::VIGIL_USAGE_MODELS_OUTPUT_TOKENS, list(Usage::output));
        attributes.set(attr::VIGIL_USAGE_MODELS_CACHE_READ_INPUT_TOKENS, list(Usage::cache_read_tokens));
        attributes.set(attr::VIGIL_USAGE_MODELS_CACHE_WRITE_INPUT_TOKENS, list(Usage::cache_write_tokens));
        attributes.set(attr::VIGIL_USAGE_SOURCE, UsageSource::Sdk.as_str());
        self.cost.set_on(attributes);
    }
}

/// The sums as another process reads them.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Sums {
    models: Vec<(String, [Option<u64>; 7])>,
    nano_usd: u64,
    unpriced: Vec<String>,
    incomplete: bool,
    chats: u64,
    tools: u64,
    tools_failed: u64,
    turns: u64,
    retries: u64,
    own_chats: u64,
    own_tools: u64,
}

impl Rollup {
    /// As JSON, for another process.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let models = self.models.iter().map(|(model, usage)| (model.clone(), usage.to_parts())).collect();
        let sums = Sums {
            models,
            nano_usd: self.cost.at_least_nano_usd(),
            unpriced: self.cost.unpriced_models().to_vec(),
            incomplete: self.cost.is_incomplete(),
            chats: self.chats,
            tools: self.tools,
            tools_failed: self.tools_failed,
            turns: self.turns,
            retries: self.retries,
            own_chats: self.own.chats,
            own_tools: self.own.tools,
        };
        serde_json::to_vec(&sums).unwrap_or_default()
    }

    /// What [`to_json`](Self::to_json) wrote; `None` where it is something else.
    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        let sums: Sums = serde_json::from_slice(json).ok()?;
        let mut cost = CostSum::default();
        cost.add(&Cost::Known { nano_usd: sums.nano_usd, table: TABLE_DATE });
        sums.unpriced.into_iter().for_each(|model| cost.add(&Cost::Unpriced { model }));
        if sums.incomplete {
            cost.add(&Cost::Incomplete);
        }
        Some(Self {
            models: sums.models.into_iter().map(|(model, parts)| (model, Usage::from_parts(parts))).collect(),
            cost,
            chats: sums.chats,
            tools: sums.tools,
            tools_failed: sums.tools_failed,
            turns: sums.turns,
            retries: sums.retries,
            own: Own { chats: sums.own_chats, tools: sums.own_tools },
        })
    }
}

/// The model, tokens and cost of a model call.
#[derive(Clone, Debug)]
pub(crate) struct CallCost<'a> {
    model: Cow<'a, str>,
    pub(crate) usage: Usage,
    pub(crate) cost: Cost,
}

/// Rates of the models that are called, found once.
#[derive(Debug, Default)]
pub(crate) struct Rates(Vec<Known>);

#[derive(Debug)]
struct Known {
    provider: Option<String>,
    model: String,
    rate: Option<Rate>,
}

/// Models whose rates are kept. An agent calls a handful.
const RATES_MAX: usize = 16;

impl Rates {
    fn of(&mut self, provider: Option<&str>, model: &str) -> Option<Rate> {
        let known = |known: &&Known| known.model == model && known.provider.as_deref() == provider;
        if let Some(known) = self.0.iter().find(known) {
            return known.rate;
        }
        let rate = Rate::of(provider.map(Provider::from_code).as_ref(), model);
        if self.0.len() >= RATES_MAX {
            self.0.clear();
        }
        self.0.push(Known { provider: provider.map(str::to_owned), model: model.to_owned(), rate });
        rate
    }
}

impl<'a> CallCost<'a> {
    /// `None` when the span is no model call or no tokens were recorded.
    pub(crate) fn of(span: &SpanData<'a>, rates: &mut Rates) -> Option<Self> {
        if !matches!(span.kind, SpanKind::Chat | SpanKind::Embeddings) {
            return None;
        }
        let attributes = &span.attributes;
        let usage = Usage::of_call(attributes);
        if usage.is_empty() || super::derive::is_replay(attributes) {
            return None;
        }
        let named = |key| match attributes.get(key) {
            Some(AnyValue::Str(model)) => Some(model.clone()),
            _ => None,
        };
        let model = named(attr::GEN_AI_RESPONSE_MODEL).or_else(|| named(attr::GEN_AI_REQUEST_MODEL))?;
        let cost = match rates.of(attributes.str(attr::GEN_AI_PROVIDER_NAME), &model) {
            Some(rate) => rate.cost(&usage),
            None => Cost::Unpriced { model: model.clone().into_owned() },
        };
        Some(Self { model, usage, cost })
    }
}
