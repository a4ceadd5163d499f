use super::*;
use crate::fact::{Attributes, Value};

fn nano(model: &str, usage: Usage) -> Option<u64> {
    price(None, model, &usage).nano_usd()
}

/// Numbers a provider's own program computed (Claude Code's `modelUsage`), in nano-dollars.
#[test]
fn prices_agree_with_what_claude_code_computes() {
    let cases: [(&str, Usage, u64); 9] = [
        ("claude-opus-5-5", Usage::anthropic(19, 110).cache(26_676, 13_747), 76_346_200),
        ("claude-opus-5-5", Usage::anthropic(30, 148).cache(39_890, 27_209), 147_103_000),
        ("claude-opus-5-5", Usage::anthropic(7, 10).cache(13_214, 248), 4_110_800),
        ("claude-sonnet-5-5", Usage::anthropic(4, 11).cache(0, 13_214), 33_153_000),
        ("claude-haiku-4-5-20251001", Usage::anthropic(824, 22).cache(0, 0), 934_000),
        ("claude-haiku-4-5-20251001", Usage::anthropic(1236, 33).cache(0, 0), 1_401_000),
        ("claude-sonnet-4-5", Usage::anthropic(4, 13).cache(0, 13_214), 49_759_500),
        ("claude-opus-4-8[1m]", Usage::anthropic(19, 126).cache(26_676, 13_747), 102_501_750),
        ("claude-opus-4-8", Usage::anthropic(7, 9).cache(13_214, 248), 8_417_000),
    ];
    for (model, usage, expected) in cases {
        assert_eq!(nano(model, usage), Some(expected), "{model}");
        assert_eq!(price(Some(&Provider::ANTHROPIC), model, &usage).nano_usd(), Some(expected));
    }
}

/// Seed L11: a mini model costed 17 times too high because its name contains the big one's.
#[test]
fn a_small_model_never_gets_the_price_of_a_big_one() {
    let usage = Usage::openai(1_000_000, 0);
    assert_eq!(nano("gpt-4o", usage), Some(2_500_000_000));
    assert_eq!(nano("gpt-4o-mini", usage), Some(150_000_000));
    assert_eq!(nano("gpt-4o-mini-2024-07-18", usage), Some(150_000_000));
    for unknown in [
        "gpt-4o-mini-tts",
        "gpt-4o-audio-preview",
        "claude-opus-5-5-mini",
        "claude-opus-5-5-20",
        "claude-opus",
        "my-claude-opus-5-5",
        "o1-mini",
        "o1-pro",
        "gpt-5.5-mini",
        "",
        "-20250929",
        "[1m]",
    ] {
        assert_eq!(price(None, unknown, &usage), Cost::Unpriced { model: unknown.to_owned() });
    }
}

#[test]
fn a_date_at_the_end_of_an_id_does_not_change_the_price() {
    let usage = Usage::anthropic(1000, 1000);
    let undated = nano("claude-sonnet-4-5", usage);
    assert!(undated.is_some());
    for id in ["claude-sonnet-4-5-20250929", "claude-sonnet-4-5@20250929", "claude-sonnet-4-5-20250929[1m]"] {
        assert_eq!(nano(id, usage), undated, "{id}");
    }
    for id in ["claude-sonnet-4-5-2025092", "claude-sonnet-4-5_20250929", "claude-sonnet-4-5-2025-9-29", "é20250929"] {
        assert_eq!(nano(id, usage), None, "{id}");
    }
    // A dated id with its own price keeps it.
    let usage = Usage::openai(1000, 0);
    assert_eq!(nano("gpt-4o-2024-05-13", usage), Some(5_000_000));
    assert_eq!(nano("gpt-4o-2024-08-06", usage), Some(2_500_000));
}

#[test]
fn cached_tokens_have_prices_of_their_own() {
    let read = Usage::anthropic(0, 0).cache(1000, 0);
    let write = Usage::anthropic(0, 0).cache(0, 1000);
    assert_eq!(nano("claude-opus-5-5", read), Some(200_000));
    assert_eq!(nano("claude-opus-5-5", write), Some(5_000_000));
    assert_eq!(nano("claude-opus-5-5", write.cache_write_1h(1000)), Some(8_000_000));
    assert_eq!(nano("claude-opus-5-5", write.cache_write_1h(400)), Some(600 * 5_000 + 400 * 8_000));
    assert_eq!(nano("gpt-5.5", Usage::openai(1000, 0).cached(400)), Some(600 * 5_000 + 400 * 500));
    assert_eq!(nano("gpt-6-sol", Usage::openai(1000, 0).cache_written(400)), Some(600 * 2_000 + 400 * 2_500));
    assert_eq!(
        nano("gemini-2.5-flash", Usage::gemini(1000, 10).cached(400).thoughts(90)),
        Some(600 * 300 + 400 * 30 + 100 * 2_500)
    );
}

#[test]
fn web_searches_are_billed_by_the_request() {
    let usage = Usage::anthropic(0, 0).web_searches(3);
    assert_eq!(nano("claude-sonnet-5-5", usage), Some(30_000_000));
    // No price for searches is known here, so none for the call.
    assert_eq!(price(None, "gpt-5.5", &usage), Cost::Incomplete);
}

#[test]
fn unknown_is_never_zero() {
    let usage = Usage::total(1, 1);
    assert_eq!(price(None, "mock-large", &usage), Cost::Unpriced { model: "mock-large".to_owned() });
    assert_eq!(price(None, "claude-opus-5-5", &Usage::unknown()), Cost::Incomplete);
    assert_eq!(price(None, "claude-opus-5-5", &usage.output_unknown()), Cost::Incomplete);
    assert_eq!(nano("text-embedding-3-small", Usage::input_only(1000)), Some(20_000));
    let mut attributes = Attributes::new();
    price(None, "mock-large", &usage).set_on(&mut attributes);
    assert_eq!(attributes.get(attr::VIGIL_COST_NANO_USD), None);
    assert_eq!(attributes.get(attr::VIGIL_COST_UNPRICED_MODELS), Some(&Value::StrList(vec!["mock-large".into()])));
}

#[test]
fn prices_hold_only_where_they_are_charged() {
    let usage = Usage::total(1, 1);
    assert!(is_priced(Some(&Provider::ANTHROPIC), "claude-opus-5-5"));
    assert!(is_priced(Some(&Provider::UNKNOWN), "claude-opus-5-5"));
    assert!(is_priced(Some(&Provider::GCP_VERTEX_AI), "claude-opus-4-5@20251101"));
    assert!(!is_priced(Some(&Provider::AWS_BEDROCK), "claude-opus-5-5"));
    assert!(!is_priced(Some(&Provider::from_code("my-proxy")), "gpt-5.5"));
    assert!(matches!(price(Some(&Provider::AZURE_AI_OPENAI), "gpt-5.5", &usage), Cost::Unpriced { .. }));
}

#[test]
fn long_calls_cost_the_long_rate_as_a_whole() {
    assert_eq!(nano("gpt-5.5", Usage::openai(272_000, 1000)), Some(272_000 * 5_000 + 1000 * 30_000));
    assert_eq!(nano("gpt-5.5", Usage::openai(272_001, 1000)), Some(272_001 * 10_000 + 1000 * 45_000));
    assert_eq!(nano("gemini-2.5-pro", Usage::gemini(200_001, 1)), Some(200_001 * 2_500 + 15_000));
    // Cached tokens count towards the length.
    let haiku = Usage::anthropic(1, 0).cache(100_000, 0);
    assert_eq!(nano("claude-haiku-5-5", haiku), Some(500 + 100_000 * 50));
}

#[test]
fn a_sum_over_calls_has_no_price_where_the_length_of_each_call_decides() {
    let short = Usage::openai(272_000, 10);
    let long = Usage::openai(272_001, 10);
    assert_eq!(price_of_sum(None, "gpt-5.5", &short), price(None, "gpt-5.5", &short));
    assert_eq!(price_of_sum(None, "gpt-5.5", &long), Cost::Incomplete);
    assert!(price_of_sum(None, "claude-opus-5-5", &long).nano_usd().is_some());
}

#[test]
fn enormous_numbers_saturate() {
    let usage = Usage::total(u64::MAX, u64::MAX).cached(5).web_searches(u64::MAX);
    assert_eq!(nano("claude-opus-5-5", usage), Some(u64::MAX));
}

#[test]
fn a_sum_of_costs_is_known_only_when_every_part_is() {
    let mut sum = CostSum::new();
    assert_eq!(sum.nano_usd(), Some(0));
    sum.add(&price(None, "claude-opus-5-5", &Usage::anthropic(1, 1)));
    assert_eq!(sum.nano_usd(), Some(24_000));
    let mut with_unpriced = sum.clone();
    with_unpriced.add(&Cost::Unpriced { model: "mock-large".to_owned() });
    with_unpriced.add(&Cost::Unpriced { model: "mock-large".to_owned() });
    assert_eq!(with_unpriced.nano_usd(), None);
    assert_eq!(with_unpriced.at_least_nano_usd(), 24_000);
    assert_eq!(with_unpriced.unpriced_models(), ["mock-large"]);
    sum.add_sum(&with_unpriced);
    assert_eq!((sum.nano_usd(), sum.at_least_nano_usd()), (None, 48_000));
    let mut attributes = Attributes::new();
    sum.set_on(&mut attributes);
    assert_eq!(attributes.get(attr::VIGIL_COST_NANO_USD), None);
    assert!(attributes.get(attr::VIGIL_COST_UNPRICED_MODELS).is_some());
}

#[test]
fn unpriced_models_are_kept_by_name_up_to_a_bound() {
    let mut sum = CostSum::new();
    for number in 0..10 * CostSum::MAX_UNPRICED {
        sum.add(&Cost::Unpriced { model: format!("model-{number}") });
    }
    assert_eq!(sum.unpriced_models().len(), CostSum::MAX_UNPRICED);
    assert_eq!(sum.nano_usd(), None);
}

#[test]
fn the_table_names_no_model_twice_and_no_free_one() {
    let mut seen = std::collections::HashSet::new();
    for entry in TABLE {
        for model in entry.models {
            assert!(seen.insert(*model), "{model} is there twice");
            assert!(!model.contains(char::is_whitespace) && !model.is_empty());
        }
        assert!(entry.rates.input > 0 && !entry.providers.is_empty(), "{entry:?}");
        assert!(entry.rates.cache_read <= entry.rates.input, "{entry:?}");
        if let Some(long) = &entry.long {
            assert!(long.rates.input > entry.rates.input && long.rates.output > entry.rates.output, "{entry:?}");
        }
    }
    assert!(seen.len() > 70);
}
