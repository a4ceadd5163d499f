//! Tokens of a model call, in one inclusive form.
//!
//! Providers count differently: Anthropic's input excludes cached tokens, OpenAI's includes them, Google
//! reports thoughts beside the answer. A [`Usage`] is made by the constructor of the provider whose numbers
//! it holds and is inclusive from then on: cache reads and writes are part of the input, reasoning is part
//! of the output. What a provider did not say stays unknown (`None`), which is not zero.
//!
//! Always true: `cache_read + cache_write <= input`, `cache_write_1h <= cache_write`,
//! `reasoning <= output`, as far as they are known. Numbers that contradict this (foreign records do) are
//! cut to fit; arithmetic saturates.

use crate::contract::attr;
use crate::fact::AttributeSet;
use std::ops::{Add, AddAssign};

/// Tokens of a model call, or of several.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[must_use]
pub struct Usage {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_write: Option<u64>,
    cache_write_1h: Option<u64>,
    reasoning: Option<u64>,
    web_search_requests: Option<u64>,
}

impl Usage {
    /// Nothing is known yet.
    #[inline]
    pub const fn unknown() -> Self {
        Self {
            input: None,
            output: None,
            cache_read: None,
            cache_write: None,
            cache_write_1h: None,
            reasoning: None,
            web_search_requests: None,
        }
    }

    /// Anthropic's `input_tokens` (without cached ones) and `output_tokens`; follow with [`cache`](Self::cache).
    #[inline]
    pub const fn anthropic(input_without_cache: u64, output: u64) -> Self {
        Self::total(input_without_cache, output)
    }

    /// OpenAI's input or prompt tokens (with cached ones) and output or completion tokens; follow with
    /// [`cached`](Self::cached) and [`reasoning`](Self::reasoning).
    #[inline]
    pub const fn openai(input: u64, output: u64) -> Self {
        Self::total(input, output)
    }

    /// Google's `promptTokenCount` (with cached ones) and `candidatesTokenCount` (without thoughts); follow with
    /// [`cached`](Self::cached) and [`thoughts`](Self::thoughts).
    #[inline]
    pub const fn gemini(input: u64, candidates: u64) -> Self {
        Self::total(input, candidates)
    }

    /// Numbers that are inclusive already.
    #[inline]
    pub const fn total(input: u64, output: u64) -> Self {
        Self { input: Some(input), output: Some(output), ..Self::unknown() }
    }

    /// The input of a call that has no output, such as embeddings.
    #[inline]
    pub const fn input_only(input: u64) -> Self {
        Self { input: Some(input), ..Self::unknown() }
    }

    /// Adds cached tokens that the input does *not* hold yet (Anthropic's `cache_read_input_tokens` and
    /// `cache_creation_input_tokens`).
    #[inline]
    pub fn cache(mut self, read: u64, write: u64) -> Self {
        self.input = self.input.map(|input| input.saturating_add(read).saturating_add(write));
        self.cache_read = Some(self.cache_read.unwrap_or(0).saturating_add(read));
        self.cache_write = Some(self.cache_write.unwrap_or(0).saturating_add(write));
        self.consistent()
    }

    /// Says how many of the cache writes are kept for an hour (Anthropic's `ephemeral_1h_input_tokens`); they
    /// cost more.
    #[inline]
    pub fn cache_write_1h(mut self, tokens: u64) -> Self {
        self.cache_write_1h = Some(tokens);
        self.consistent()
    }

    /// Says how many of the input tokens were read from a cache.
    #[inline]
    pub fn cached(mut self, tokens: u64) -> Self {
        self.cache_read = Some(tokens);
        self.consistent()
    }

    /// Says how many of the input tokens were written to a cache, where the input holds them already.
    #[inline]
    pub fn cache_written(mut self, tokens: u64) -> Self {
        self.cache_write = Some(tokens);
        self.consistent()
    }

    /// Says how many of the output tokens were spent on reasoning.
    #[inline]
    pub fn reasoning(mut self, tokens: u64) -> Self {
        self.reasoning = Some(tokens);
        self.consistent()
    }

    /// Adds reasoning tokens that the output does *not* hold yet (Google's `thoughtsTokenCount`).
    #[inline]
    pub fn thoughts(mut self, tokens: u64) -> Self {
        self.output = self.output.map(|output| output.saturating_add(tokens));
        self.reasoning = Some(self.reasoning.unwrap_or(0).saturating_add(tokens));
        self.consistent()
    }

    /// Says how many web searches the provider made; they are billed by the request.
    #[inline]
    pub fn web_searches(mut self, requests: u64) -> Self {
        self.web_search_requests = Some(requests);
        self
    }

    /// Forgets the output, where the number at hand is a placeholder.
    #[inline]
    pub fn output_unknown(mut self) -> Self {
        self.output = None;
        self.reasoning = None;
        self
    }

    /// Cuts parts down to what they are parts of.
    #[inline]
    fn consistent(mut self) -> Self {
        if let (Some(input), Some(read)) = (self.input, self.cache_read) {
            self.cache_read = Some(read.min(input));
        }
        if let (Some(input), Some(write)) = (self.input, self.cache_write) {
            self.cache_write = Some(write.min(input - self.cache_read.unwrap_or(0)));
        }
        if let (Some(write), Some(long)) = (self.cache_write, self.cache_write_1h) {
            self.cache_write_1h = Some(long.min(write));
        }
        if let (Some(output), Some(reasoning)) = (self.output, self.reasoning) {
            self.reasoning = Some(reasoning.min(output));
        }
        self
    }
}

/// For keeping.
impl Usage {
    /// Input, output, cache reads, cache writes, those kept for an hour, reasoning, web searches.
    pub const fn to_parts(&self) -> [Option<u64>; 7] {
        [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.reasoning,
            self.web_search_requests,
        ]
    }

    /// What [`to_parts`](Self::to_parts) was made of; numbers that contradict each other are cut to fit.
    pub fn from_parts(parts: [Option<u64>; 7]) -> Self {
        let [input, output, cache_read, cache_write, cache_write_1h, reasoning, web_search_requests] = parts;
        Self { input, output, cache_read, cache_write, cache_write_1h, reasoning, web_search_requests }.consistent()
    }
}

/// What is known.
impl Usage {
    /// Input tokens, cached ones included.
    #[inline]
    pub const fn input(&self) -> Option<u64> {
        self.input
    }

    /// Output tokens, reasoning included.
    #[inline]
    pub const fn output(&self) -> Option<u64> {
        self.output
    }

    /// Input tokens read from a cache.
    #[inline]
    pub const fn cache_read_tokens(&self) -> Option<u64> {
        self.cache_read
    }

    /// Input tokens written to a cache, for however long.
    #[inline]
    pub const fn cache_write_tokens(&self) -> Option<u64> {
        self.cache_write
    }

    /// Input tokens written to a cache for an hour; part of the cache writes.
    #[inline]
    pub const fn cache_write_1h_tokens(&self) -> Option<u64> {
        self.cache_write_1h
    }

    /// Output tokens spent on reasoning.
    #[inline]
    pub const fn reasoning_tokens(&self) -> Option<u64> {
        self.reasoning
    }

    /// Web searches the provider made.
    #[inline]
    pub const fn web_search_requests(&self) -> Option<u64> {
        self.web_search_requests
    }

    /// Input tokens that were neither read from nor written to a cache.
    #[inline]
    pub fn uncached_input(&self) -> Option<u64> {
        let cached = self.cache_read.unwrap_or(0) + self.cache_write.unwrap_or(0);
        self.input.map(|input| input - cached)
    }

    /// Whether nothing is known, or nothing but zeros.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.fields().iter().all(|field| field.unwrap_or(0) == 0)
    }

    #[inline]
    const fn fields(&self) -> [Option<u64>; 7] {
        [
            self.input,
            self.output,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.reasoning,
            self.web_search_requests,
        ]
    }

    #[inline]
    const fn from_fields(fields: [Option<u64>; 7]) -> Self {
        let [input, output, cache_read, cache_write, cache_write_1h, reasoning, web_search_requests] = fields;
        Self { input, output, cache_read, cache_write, cache_write_1h, reasoning, web_search_requests }
    }

    /// What was used between `earlier` and `self`, two totals of the same run. `None` when a number shrank:
    /// then the totals do not belong together.
    #[inline]
    pub fn checked_sub(&self, earlier: &Usage) -> Option<Usage> {
        let mut difference = self.fields();
        for (later, before) in difference.iter_mut().zip(earlier.fields()) {
            *later = match (*later, before) {
                (later, None) => later,
                (None, Some(0)) => None,
                (None, Some(_)) => return None,
                (Some(later), Some(before)) => Some(later.checked_sub(before)?),
            };
        }
        // Each number grew, but the parts may have grown by more than the whole.
        Some(Self::from_fields(difference).consistent())
    }
}

impl Add for Usage {
    type Output = Usage;

    /// The sum. What only one of the two knows counts as known: a sum over calls is at least that.
    #[inline]
    fn add(self, other: Usage) -> Usage {
        let mut sum = self.fields();
        for (left, right) in sum.iter_mut().zip(other.fields()) {
            if let Some(right) = right {
                *left = Some(left.unwrap_or(0).saturating_add(right));
            }
        }
        Self::from_fields(sum).consistent()
    }
}

impl AddAssign for Usage {
    #[inline]
    fn add_assign(&mut self, other: Usage) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Usage {
    #[inline]
    fn sum<I: Iterator<Item = Usage>>(usages: I) -> Usage {
        usages.fold(Usage::unknown(), Add::add)
    }
}

/// On the wire.
impl Usage {
    /// Writes the usage of one call: `gen_ai.usage.*`. Never for a sum.
    pub fn set_on_call(&self, attributes: &mut AttributeSet<'_>) {
        attributes.set_some(attr::GEN_AI_USAGE_INPUT_TOKENS, self.input);
        attributes.set_some(attr::GEN_AI_USAGE_OUTPUT_TOKENS, self.output);
        attributes.set_some(attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS, self.cache_read);
        attributes.set_some(attr::GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS, self.cache_write);
        attributes.set_some(attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS, self.reasoning);
        self.set_billing(attributes);
    }

    /// Writes the sum over all calls below a span: `vigil.usage.*`.
    pub fn set_roll_up(&self, attributes: &mut AttributeSet<'_>) {
        attributes.set_some(attr::VIGIL_USAGE_INPUT_TOKENS, self.input);
        attributes.set_some(attr::VIGIL_USAGE_OUTPUT_TOKENS, self.output);
        attributes.set_some(attr::VIGIL_USAGE_CACHE_READ_INPUT_TOKENS, self.cache_read);
        attributes.set_some(attr::VIGIL_USAGE_CACHE_WRITE_INPUT_TOKENS, self.cache_write);
        attributes.set_some(attr::VIGIL_USAGE_REASONING_OUTPUT_TOKENS, self.reasoning);
        self.set_billing(attributes);
    }

    /// What only the price needs; left out when it is zero, as it nearly always is.
    fn set_billing(&self, attributes: &mut AttributeSet<'_>) {
        attributes.set_some(attr::VIGIL_USAGE_CACHE_WRITE_1H_INPUT_TOKENS, self.cache_write_1h.filter(|n| *n > 0));
        attributes.set_some(attr::VIGIL_USAGE_WEB_SEARCH_REQUESTS, self.web_search_requests.filter(|n| *n > 0));
    }

    /// Reads what [`set_on_call`](Self::set_on_call) wrote.
    pub fn of_call(attributes: &AttributeSet<'_>) -> Usage {
        let tokens = |key| attributes.int(key).map(|number| u64::try_from(number).unwrap_or(0));
        Self::from_fields([
            tokens(attr::GEN_AI_USAGE_INPUT_TOKENS),
            tokens(attr::GEN_AI_USAGE_OUTPUT_TOKENS),
            tokens(attr::GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS),
            tokens(attr::GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS),
            tokens(attr::VIGIL_USAGE_CACHE_WRITE_1H_INPUT_TOKENS),
            tokens(attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS),
            tokens(attr::VIGIL_USAGE_WEB_SEARCH_REQUESTS),
        ])
        .consistent()
    }
}

#[cfg(test)]
mod tests;
