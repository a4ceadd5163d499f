//! Holds facts against the contract.
//!
//! For tests (`verify_contract()` of the SDK, the adapters' corpora) and for whoever writes an adapter. It
//! looks at one fact at a time and reports everything that is wrong with it; it never fails and never changes
//! anything. What takes several facts to see (parents that exist, times that nest) is not its business.

use super::attributes::{Class, Key, ValueType, Words};
use super::{MAX_NAME_BYTES, attr};
use crate::fact::{Attributes, EventRecord, Fact, Outcome, SpanRecord, Text, Value};
use crate::id::{SpanContext, SpanId, TraceId};
use crate::vocab::{MAX_WORD_BYTES, OutcomeWord, sanitise};
use std::fmt;

/// The longest value of a [`Class::Name`] attribute, in bytes. A longer one is probably free
/// text that took the wrong key.
pub const MAX_NAME_VALUE_BYTES: usize = MAX_NAME_BYTES;

/// One thing that is wrong with one fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The span or event, as a person finds it.
    pub place: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a fact.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// A required attribute is not there.
    Missing(Key),
    /// An attribute is there that such a span or event does not have.
    NotAllowed(Key),
    /// A value has another type than the table says.
    WrongType(Key, ValueType),
    /// Free text is there although the content gate is closed.
    ContentNotAllowed(Key),
    /// A value is not among the closed list of words. The letters of the value follow, made harmless.
    UnknownWord(Key, String),
    /// A value that should be a name is too long or holds control characters.
    NotAName(Key),
    /// A value that should be one word is too long or holds other characters than [`sanitise`] keeps.
    NotAWord(Key),
    /// `error.type` is there although nothing failed, or differs from the outcome.
    ErrorTypeDisagrees,
    /// `vigil.outcome` differs from the outcome.
    OutcomeDisagrees,
    /// The span ends before it starts.
    EndsBeforeStart,
    /// There is no time: OTLP would show 1970.
    NoTime,
    /// A trace or span id is all zeros.
    ZeroId,
    /// A span is its own parent.
    OwnParent,
    /// Parts are larger than the whole: cache reads and writes than input, or reasoning than output.
    PartsExceedTotal(Key),
    /// A list is not as long as the list of models it belongs to.
    ListLengthDiffers(Key),
    /// A number that counts something is negative.
    Negative(Key),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "`{key}` is required; set it before the record ends"),
            Self::NotAllowed(key) => {
                write!(f, "`{key}` does not belong here; leave it out, or add it to this kind in the contract's table")
            }
            Self::WrongType(key, ty) => write!(f, "`{key}` has the wrong type; give it a value of type {ty:?}"),
            Self::ContentNotAllowed(key) => {
                write!(f, "`{key}` is free text and the content gate is closed; record it through the gate")
            }
            Self::UnknownWord(key, word) => {
                write!(f, "`{key}` has the unknown value `{word}`; use one of the words in the contract's table")
            }
            Self::NotAName(key) => {
                write!(f, "`{key}` should be a name: at most {MAX_NAME_VALUE_BYTES} bytes and no control characters")
            }
            Self::NotAWord(key) => write!(
                f,
                "`{key}` should be one word: at most {MAX_WORD_BYTES} letters, digits and `_.:-/`; make it with from_code"
            ),
            Self::ErrorTypeDisagrees => f.write_str("`error.type` disagrees with the outcome; set the outcome alone"),
            Self::OutcomeDisagrees => f.write_str("`vigil.outcome` disagrees with the outcome; set the outcome alone"),
            Self::EndsBeforeStart => f.write_str("it ends before it starts; clamp the end to the start"),
            Self::NoTime => f.write_str("it has no time; use the time of the record it came from"),
            Self::ZeroId => f.write_str("a trace or span id is all zeros; derive it or draw it at random"),
            Self::OwnParent => f.write_str("it is its own parent"),
            Self::PartsExceedTotal(key) => {
                write!(f, "the parts of `{key}` are larger than it; build it with a constructor of Usage")
            }
            Self::ListLengthDiffers(key) => write!(f, "`{key}` is not as long as the list of models"),
            Self::Negative(key) => write!(f, "`{key}` is negative"),
        }
    }
}

impl std::error::Error for Violation {}

/// Everything that is wrong with `fact`. `content_allowed` says whether the content gate is open.
///
/// The outcome of a span stands for `error.type` and `vigil.outcome`: they may be among the attributes too and
/// must agree then.
pub fn verify(fact: &Fact, content_allowed: bool) -> Vec<Violation> {
    let mut check = Check { content_allowed, problems: Vec::new() };
    let place = match fact {
        Fact::Started(span) => {
            check.context(span.context, span.parent);
            if span.start.0 == 0 {
                check.problems.push(Problem::NoTime);
            }
            format!("span `{}` ({})", span.kind.span_name(&Attributes::new(), &span.target), span.context.span_id)
        }
        Fact::Ended(span) => {
            check.span(span);
            format!("span `{}` ({})", span.name(), span.context.span_id)
        }
        Fact::Event(event) => {
            check.event(event);
            format!("event `{}`", event.kind.id())
        }
    };
    check.problems.into_iter().map(|problem| Violation { place: place.clone(), problem }).collect()
}

struct Check {
    content_allowed: bool,
    problems: Vec<Problem>,
}

impl Check {
    fn span(&mut self, span: &SpanRecord) {
        let def = span.kind.def();
        self.context(span.context, span.parent);
        if span.start.0 == 0 {
            self.problems.push(Problem::NoTime);
        }
        if span.end < span.start {
            self.problems.push(Problem::EndsBeforeStart);
        }
        for link in &span.links {
            self.context(*link, None);
        }
        self.required(&span.attributes, def.required);
        self.values(&span.attributes, |key| def.allows(key));
        self.outcome(&span.outcome, &span.attributes);
        self.usage(&span.attributes);
    }

    fn event(&mut self, event: &EventRecord) {
        let def = event.kind.def();
        if let Some(span) = event.span {
            self.context(span, None);
        }
        if event.time.0 == 0 {
            self.problems.push(Problem::NoTime);
        }
        self.required(&event.attributes, def.required);
        self.values(&event.attributes, |key| def.allows(key));
    }

    fn context(&mut self, context: SpanContext, parent: Option<SpanId>) {
        let zero = SpanId::default();
        if context.trace_id == TraceId::default() || context.span_id == zero || parent == Some(zero) {
            self.problems.push(Problem::ZeroId);
        }
        if parent == Some(context.span_id) {
            self.problems.push(Problem::OwnParent);
        }
    }

    fn required(&mut self, attributes: &Attributes, required: &[Key]) {
        for key in required.iter().chain([&attr::VIGIL_ORIGINATOR]) {
            if attributes.get(*key).is_none() {
                self.problems.push(Problem::Missing(*key));
            }
        }
    }

    fn values(&mut self, attributes: &Attributes, allows: impl Fn(Key) -> bool) {
        for (key, value) in attributes.iter() {
            if !allows(key) {
                self.problems.push(Problem::NotAllowed(key));
            }
            if key.is_text() && !self.content_allowed {
                self.problems.push(Problem::ContentNotAllowed(key));
            }
            self.value(key, value);
        }
    }

    fn value(&mut self, key: Key, value: &Value) {
        let def = key.def();
        match (def.ty, value) {
            (ValueType::Str, Value::Str(text)) => self.text(key, text),
            (ValueType::StrList, Value::StrList(texts)) => texts.iter().for_each(|text| self.text(key, text)),
            // The sign means something in a score or a remaining budget, in counts it does not.
            (ValueType::Int, Value::Int(number)) if *number < 0 && !is_remainder(key) => {
                self.problems.push(Problem::Negative(key));
            }
            (ValueType::IntList, Value::IntList(numbers)) if numbers.iter().any(|number| *number < 0) => {
                self.problems.push(Problem::Negative(key));
            }
            (ValueType::Int, Value::Int(_))
            | (ValueType::IntList, Value::IntList(_))
            | (ValueType::Double, Value::Double(_))
            | (ValueType::Bool, Value::Bool(_)) => {}
            (expected, _) => self.problems.push(Problem::WrongType(key, expected)),
        }
    }

    fn text(&mut self, key: Key, text: &Text) {
        let def = key.def();
        match (def.class, def.words) {
            (Class::Text | Class::Number, _) => {}
            (_, Words::Closed(words)) if !words.contains(&text.as_ref()) => {
                self.problems.push(Problem::UnknownWord(key, sanitise(text)));
            }
            (Class::Enum, _) if sanitise(text) != text.as_ref() => self.problems.push(Problem::NotAWord(key)),
            (Class::Name, _) if text.len() > MAX_NAME_VALUE_BYTES || text.chars().any(char::is_control) => {
                self.problems.push(Problem::NotAName(key));
            }
            (Class::Enum | Class::Name, _) => {}
        }
    }

    fn outcome(&mut self, outcome: &Outcome, attributes: &Attributes) {
        let (expected_error, expected_word) = match outcome {
            Outcome::Ok => (None, OutcomeWord::Ok),
            Outcome::Error(error_type) => (Some(error_type.as_str()), OutcomeWord::Error),
            Outcome::Cancelled => (None, OutcomeWord::Cancelled),
        };
        if attributes.str(attr::ERROR_TYPE).is_some_and(|error_type| Some(error_type) != expected_error) {
            self.problems.push(Problem::ErrorTypeDisagrees);
        }
        if attributes.str(attr::VIGIL_OUTCOME).is_some_and(|word| word != expected_word.as_str()) {
            self.problems.push(Problem::OutcomeDisagrees);
        }
    }

    fn usage(&mut self, attributes: &Attributes) {
        for (total, parts) in SUMS {
            if let Some(total_tokens) = attributes.int(*total)
                && parts.iter().filter_map(|part| attributes.int(*part)).fold(0, i64::saturating_add)
                    > total_tokens.max(0)
            {
                self.problems.push(Problem::PartsExceedTotal(*total));
            }
        }
        if let Some(Value::StrList(models)) = attributes.get(attr::VIGIL_USAGE_MODELS) {
            for key in BY_MODEL {
                if let Some(Value::IntList(numbers)) = attributes.get(*key)
                    && numbers.len() != models.len()
                {
                    self.problems.push(Problem::ListLengthDiffers(*key));
                }
            }
        }
    }
}

/// Whether `key` tells what is left, which may be less than nothing.
fn is_remainder(key: Key) -> bool {
    matches!(
        key,
        attr::LIFE_BUDGET_TOKENS_REMAINING
            | attr::LIFE_BUDGET_TIME_REMAINING_MS
            | attr::LIFE_BUDGET_TOOL_CALLS_REMAINING
            | attr::PROCESS_EXIT_CODE
            | attr::GEN_AI_REQUEST_SEED
    )
}

/// Totals and their parts.
const SUMS: &[(Key, &[Key])] = &[
    (
        attr::GEN_AI_USAGE_INPUT_TOKENS,
        &[attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, attr::GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS],
    ),
    (attr::GEN_AI_USAGE_OUTPUT_TOKENS, &[attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS]),
    (
        attr::VIGIL_USAGE_INPUT_TOKENS,
        &[attr::VIGIL_USAGE_CACHE_READ_INPUT_TOKENS, attr::VIGIL_USAGE_CACHE_WRITE_INPUT_TOKENS],
    ),
    (attr::VIGIL_USAGE_OUTPUT_TOKENS, &[attr::VIGIL_USAGE_REASONING_OUTPUT_TOKENS]),
];

/// Lists in the order of `vigil.usage.models`.
const BY_MODEL: &[Key] = &[
    attr::VIGIL_USAGE_MODELS_INPUT_TOKENS,
    attr::VIGIL_USAGE_MODELS_OUTPUT_TOKENS,
    attr::VIGIL_USAGE_MODELS_CACHE_READ_INPUT_TOKENS,
    attr::VIGIL_USAGE_MODELS_CACHE_WRITE_INPUT_TOKENS,
];

#[cfg(test)]
mod tests;
