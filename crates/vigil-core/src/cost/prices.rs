//! The price table. Nano-dollars a token: `4_000` is 4 dollars a million tokens.

use crate::vocab::Provider;

/// The day the price table was made.
pub const TABLE_DATE: &str = "2026-11-21";

/// Prices of one model.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its ids, without dates unless a dated id has its own price.
    pub(super) models: &'static [&'static str],
    /// Where these prices apply.
    pub(super) providers: &'static [Provider],
    /// What a token costs.
    pub(super) rates: Rates,
    /// What a token of a long call costs.
    pub(super) long: Option<Long>,
    /// What a web search by the provider costs, in nano-dollars.
    pub(super) web_search: Option<u64>,
}

/// Prices of calls whose whole input, cached tokens included, is longer than `above` tokens.
#[derive(Debug)]
pub(super) struct Long {
    pub(super) above: u64,
    pub(super) rates: Rates,
}

/// Nano-dollars a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub(super) input: u64,
    pub(super) output: u64,
    pub(super) cache_read: u64,
    /// Kept for the provider's usual time: 5 minutes at Anthropic, 30 at OpenAI.
    pub(super) cache_write: u64,
    /// Kept for an hour, where that can be asked for.
    pub(super) cache_write_1h: u64,
}

const ANTHROPIC: &[Provider] = &[Provider::ANTHROPIC, Provider::GCP_VERTEX_AI];
const OPENAI: &[Provider] = &[Provider::OPENAI];
const GOOGLE: &[Provider] = &[Provider::GCP_GEMINI, Provider::GCP_GEN_AI, Provider::GCP_VERTEX_AI];

/// Ten dollars a thousand web searches.
const ANTHROPIC_WEB_SEARCH: Option<u64> = Some(10_000_000);

/// Anthropic's multipliers: writes for 5 minutes 1.25 times the input, for an hour twice.
const fn anthropic_rates(input: u64, output: u64, cache_read: u64) -> Rates {
    Rates { input, output, cache_read, cache_write: input * 5 / 4, cache_write_1h: input * 2 }
}

const fn anthropic(models: &'static [&'static str], rates: Rates) -> Entry {
    Entry { models, providers: ANTHROPIC, rates, long: None, web_search: ANTHROPIC_WEB_SEARCH }
}

/// Models whose cache writes cost what input costs.
const fn openai(models: &'static [&'static str], input: u64, cache_read: u64, output: u64) -> Entry {
    let rates = Rates { input, output, cache_read, cache_write: input, cache_write_1h: input };
    Entry { models, providers: OPENAI, rates, long: None, web_search: None }
}

/// The same, with OpenAI's rule for more than 272,000 input tokens: input and cache twice, output one and a
/// half times, for the whole call.
const fn openai_long(models: &'static [&'static str], input: u64, cache_read: u64, output: u64) -> Entry {
    let entry = openai(models, input, cache_read, output);
    Entry { long: Some(Long { above: 272_000, rates: doubled(entry.rates) }), ..entry }
}

/// The same, with cache writes at 1.25 times the input (GPT-5.6 and later).
const fn openai_cached(models: &'static [&'static str], input: u64, cache_read: u64, output: u64) -> Entry {
    let cache_write = input * 5 / 4;
    let rates = Rates { input, output, cache_read, cache_write, cache_write_1h: cache_write };
    let long = Some(Long { above: 272_000, rates: doubled(rates) });
    Entry { models, providers: OPENAI, rates, long, web_search: None }
}

const fn doubled(rates: Rates) -> Rates {
    Rates {
        input: rates.input * 2,
        output: rates.output * 3 / 2,
        cache_read: rates.cache_read * 2,
        cache_write: rates.cache_write * 2,
        cache_write_1h: rates.cache_write_1h * 2,
    }
}

const fn google_rates(input: u64, cache_read: u64, output: u64) -> Rates {
    // Cache storage is billed by the hour, not by the token, and is not in a call's usage.
    Rates { input, output, cache_read, cache_write: input, cache_write_1h: input }
}

const fn google(models: &'static [&'static str], rates: Rates) -> Entry {
    Entry { models, providers: GOOGLE, rates, long: None, web_search: None }
}

const fn google_long(models: &'static [&'static str], rates: Rates, long: Rates) -> Entry {
    Entry { models, providers: GOOGLE, rates, long: Some(Long { above: 200_000, rates: long }), web_search: None }
}

pub(super) static TABLE: &[Entry] = &[
    // Anthropic: platform.claude.com/docs/en/about-claude/pricing ("Model pricing", "Long context pricing"; web
    // search 10 dollars a thousand, which no recording confirms: none had a billed search). The prices of Opus 5.5, Opus 4.8, Sonnet 5.5, Sonnet 4.5 and Haiku 4.5 also
    // follow exactly from `costUSD` in recordings of Claude Code.
    anthropic(&["claude-fable-5-1"], anthropic_rates(10_000, 50_000, 250)),
    anthropic(&["claude-mythos-5-1"], anthropic_rates(10_000, 50_000, 250)),
    anthropic(&["claude-fable-5"], anthropic_rates(10_000, 50_000, 1_000)),
    anthropic(&["claude-mythos-5"], anthropic_rates(10_000, 50_000, 1_000)),
    anthropic(&["claude-opus-5-5"], anthropic_rates(4_000, 20_000, 200)),
    anthropic(&["claude-opus-5"], anthropic_rates(5_000, 25_000, 500)),
    anthropic(&["claude-opus-4-8"], anthropic_rates(5_000, 25_000, 500)),
    anthropic(&["claude-opus-4-7"], anthropic_rates(5_000, 25_000, 500)),
    anthropic(&["claude-opus-4-6"], anthropic_rates(5_000, 25_000, 500)),
    anthropic(&["claude-opus-4-5"], anthropic_rates(5_000, 25_000, 500)),
    anthropic(&["claude-opus-4-1"], anthropic_rates(15_000, 75_000, 1_500)),
    anthropic(&["claude-opus-4", "claude-opus-4-0"], anthropic_rates(15_000, 75_000, 1_500)),
    anthropic(&["claude-3-opus", "claude-3-opus-latest"], anthropic_rates(15_000, 75_000, 1_500)),
    anthropic(&["claude-sonnet-5-5"], anthropic_rates(2_000, 10_000, 100)),
    anthropic(&["claude-sonnet-5"], anthropic_rates(2_000, 10_000, 200)),
    anthropic(&["claude-sonnet-4-6"], anthropic_rates(3_000, 15_000, 300)),
    anthropic(&["claude-sonnet-4-5"], anthropic_rates(3_000, 15_000, 300)),
    anthropic(&["claude-sonnet-4", "claude-sonnet-4-0"], anthropic_rates(3_000, 15_000, 300)),
    anthropic(&["claude-3-7-sonnet", "claude-3-7-sonnet-latest"], anthropic_rates(3_000, 15_000, 300)),
    Entry {
        models: &["claude-haiku-5-5"],
        providers: ANTHROPIC,
        rates: anthropic_rates(100, 500, 10),
        long: Some(Long { above: 100_000, rates: anthropic_rates(500, 2_500, 50) }),
        web_search: ANTHROPIC_WEB_SEARCH,
    },
    anthropic(&["claude-haiku-4-5"], anthropic_rates(1_000, 5_000, 100)),
    anthropic(&["claude-3-5-haiku", "claude-3-5-haiku-latest"], anthropic_rates(800, 4_000, 80)),
    anthropic(
        &["claude-3-haiku"],
        Rates { input: 250, output: 1_250, cache_read: 30, cache_write: 300, cache_write_1h: 500 },
    ),
    // OpenAI: developers.openai.com/api/docs/pricing and the models' own pages (standard processing; the long
    // rule and cache writes from there), as transcribed with their dates by several public price tables of
    // October and November 2026. A model without a cached price pays the input price for cached tokens.
    // Less sure than the rest: the long rate of gpt-6.1-terra (its family's rule) and text-embedding-3-small
    // (long unchanged, on none of the pages read).
    openai_cached(&["gpt-6-astra"], 10_000, 1_000, 50_000),
    openai_cached(&["gpt-6.1-sol"], 2_000, 100, 10_000),
    openai_cached(&["gpt-6.1-terra"], 1_000, 50, 5_000),
    openai_cached(&["gpt-6-sol"], 2_000, 200, 10_000),
    openai_cached(&["gpt-6-luna"], 100, 10, 500),
    openai_cached(&["gpt-5.6-sol", "gpt-5.6"], 4_000, 400, 20_000),
    openai_cached(&["gpt-5.6-terra"], 2_000, 200, 12_000),
    openai_cached(&["gpt-5.6-luna"], 200, 20, 1_200),
    openai_long(&["gpt-5.5"], 5_000, 500, 30_000),
    openai_long(&["gpt-5.5-pro"], 30_000, 30_000, 180_000),
    openai_long(&["gpt-5.4"], 2_500, 250, 15_000),
    openai_long(&["gpt-5.4-pro"], 30_000, 30_000, 180_000),
    openai(&["gpt-5.4-mini"], 750, 75, 4_500),
    openai(&["gpt-5.4-nano"], 200, 20, 1_250),
    openai(&["gpt-5.3-codex"], 1_750, 175, 14_000),
    openai(&["gpt-5.2", "gpt-5.2-codex"], 1_750, 175, 14_000),
    openai(&["gpt-5.2-pro"], 21_000, 21_000, 168_000),
    openai(&["gpt-5.1", "gpt-5.1-codex", "gpt-5.1-codex-max"], 1_250, 125, 10_000),
    openai(&["gpt-5.1-codex-mini"], 250, 25, 2_000),
    openai(&["gpt-5", "gpt-5-codex"], 1_250, 125, 10_000),
    openai(&["gpt-5-mini"], 250, 25, 2_000),
    openai(&["gpt-5-nano"], 50, 5, 400),
    openai(&["gpt-5-pro"], 15_000, 15_000, 120_000),
    openai(&["codex-mini-latest"], 1_500, 375, 6_000),
    openai(&["gpt-4.1"], 2_000, 500, 8_000),
    openai(&["gpt-4.1-mini"], 400, 100, 1_600),
    openai(&["gpt-4.1-nano"], 100, 25, 400),
    openai(&["gpt-4o"], 2_500, 1_250, 10_000),
    openai(&["gpt-4o-2024-05-13"], 5_000, 5_000, 15_000),
    openai(&["gpt-4o-mini"], 150, 75, 600),
    openai(&["o4-mini"], 1_100, 275, 4_400),
    openai(&["o3"], 2_000, 500, 8_000),
    openai(&["o3-pro"], 20_000, 20_000, 80_000),
    openai(&["o3-mini"], 1_100, 550, 4_400),
    openai(&["o1"], 15_000, 7_500, 60_000),
    openai(&["text-embedding-3-small"], 20, 20, 0),
    openai(&["text-embedding-3-large"], 130, 130, 0),
    // Google: ai.google.dev/gemini-api/docs/pricing (paid tier, standard; text, images and video), as transcribed
    // on 2026-09-23 and 2026-10-07. 3.6, 3.7 and 3.8 Flash have these prices until 2026-12-31 and twice these
    // after. Less sure than the rest: the cached rates of 2.5 and of 3-flash and 3.1-pro previews (a tenth of the
    // input, as Google has it elsewhere). Thoughts cost what output costs. Audio input costs more and is not told apart here.
    google(&["gemini-3.8-flash"], google_rates(750, 75, 3_750)),
    google(&["gemini-3.7-flash"], google_rates(750, 75, 3_750)),
    google(&["gemini-3.6-flash"], google_rates(750, 75, 3_750)),
    google(&["gemini-3.5-flash"], google_rates(1_500, 150, 9_000)),
    google(&["gemini-3.5-flash-lite"], google_rates(300, 30, 2_500)),
    google_long(&["gemini-3.1-pro-preview"], google_rates(2_000, 200, 12_000), google_rates(4_000, 400, 18_000)),
    google(&["gemini-3.1-flash-lite", "gemini-3.1-flash-lite-preview"], google_rates(250, 25, 1_500)),
    google(&["gemini-3-flash-preview"], google_rates(500, 50, 3_000)),
    google_long(&["gemini-2.5-pro"], google_rates(1_250, 125, 10_000), google_rates(2_500, 250, 15_000)),
    google(&["gemini-2.5-flash"], google_rates(300, 30, 2_500)),
    google(&["gemini-2.5-flash-lite"], google_rates(100, 10, 400)),
    google(&["gemini-embedding-2"], google_rates(200, 200, 0)),
    google(&["gemini-embedding-001"], google_rates(150, 150, 0)),
];
