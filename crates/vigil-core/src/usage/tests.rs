use super::*;
use crate::fact::Attributes;

#[test]
fn anthropic_input_grows_by_what_was_cached() {
    let usage = Usage::anthropic(890, 2103).cache(10_000, 512);
    assert_eq!(usage.input(), Some(11_402));
    assert_eq!(usage.output(), Some(2103));
    assert_eq!(usage.cache_read_tokens(), Some(10_000));
    assert_eq!(usage.cache_write_tokens(), Some(512));
    assert_eq!(usage.uncached_input(), Some(890));
}

#[test]
fn openai_input_holds_what_was_cached() {
    let usage = Usage::openai(1000, 300).cached(800).reasoning(250);
    assert_eq!(usage.input(), Some(1000));
    assert_eq!(usage.uncached_input(), Some(200));
    assert_eq!(usage.output(), Some(300));
    assert_eq!(usage.reasoning_tokens(), Some(250));
    assert_eq!(usage.cache_write_tokens(), None);
}

#[test]
fn gemini_output_grows_by_the_thoughts() {
    let usage = Usage::gemini(1000, 300).cached(100).thoughts(50);
    assert_eq!((usage.input(), usage.output()), (Some(1000), Some(350)));
    assert_eq!(usage.reasoning_tokens(), Some(50));
}

#[test]
fn what_nobody_said_is_unknown_and_not_zero() {
    assert_eq!(Usage::unknown().input(), None);
    assert_eq!(Usage::openai(1, 2).cache_read_tokens(), None);
    assert_eq!(Usage::input_only(8).output(), None);
    let open = Usage::anthropic(4, 1).cache(0, 13_214).output_unknown();
    assert_eq!((open.input(), open.output()), (Some(13_218), None));
    let cache_only = Usage::unknown().cache(5, 6).thoughts(7);
    assert_eq!((cache_only.input(), cache_only.output()), (None, None));
    assert_eq!((cache_only.cache_read_tokens(), cache_only.reasoning_tokens()), (Some(5), Some(7)));
    assert!(Usage::unknown().is_empty());
    assert!(Usage::total(0, 0).is_empty());
    assert!(!open.is_empty());
}

/// Every combination of awkward numbers through every constructor.
#[test]
fn parts_never_exceed_the_whole() {
    const NUMBERS: [u64; 6] = [0, 1, 2, 1000, u64::MAX - 1, u64::MAX];
    let holds = |usage: Usage| {
        let read = usage.cache_read_tokens().unwrap_or(0);
        let write = usage.cache_write_tokens().unwrap_or(0);
        if let Some(input) = usage.input() {
            assert!(read.checked_add(write).is_some_and(|cached| cached <= input), "{usage:?}");
            assert_eq!(usage.uncached_input(), Some(input - read - write));
        }
        assert!(usage.cache_write_1h_tokens().unwrap_or(0) <= write, "{usage:?}");
        if let Some(output) = usage.output() {
            assert!(usage.reasoning_tokens().unwrap_or(0) <= output, "{usage:?}");
        }
    };
    for a in NUMBERS {
        for b in NUMBERS {
            for c in NUMBERS {
                for d in NUMBERS {
                    let anthropic = Usage::anthropic(a, b).cache(c, d).cache_write_1h(a);
                    let openai = Usage::openai(a, b).cached(c).cache_written(d).reasoning(d);
                    let gemini = Usage::gemini(a, b).cached(c).thoughts(d);
                    // The parts may also come before the whole is known.
                    let unordered = Usage::unknown().cached(c).cache_written(d).cache_write_1h(a).reasoning(b);
                    for usage in [anthropic, openai, gemini, anthropic + openai, openai + gemini, unordered + openai] {
                        holds(usage);
                    }
                    for difference in [anthropic.checked_sub(&openai), openai.checked_sub(&gemini)] {
                        difference.into_iter().for_each(holds);
                    }
                    let mut attributes = Attributes::new();
                    anthropic.set_on_call(&mut attributes);
                    holds(Usage::of_call(&attributes));
                }
            }
        }
    }
}

#[test]
fn a_difference_of_totals_gives_back_what_was_added() {
    let before = Usage::anthropic(10, 20).cache(30, 40);
    let call = Usage::anthropic(1, 2).cache(3, 4).cache_write_1h(1);
    assert_eq!((before + call).checked_sub(&before), Some(call));
    assert_eq!(before.checked_sub(&(before + call)), None);
    assert_eq!(call.checked_sub(&Usage::unknown()), Some(call));
}

#[test]
fn a_sum_knows_what_any_part_knows() {
    let sum: Usage = [Usage::openai(1, 2), Usage::openai(3, 4).cached(2), Usage::input_only(5)].into_iter().sum();
    assert_eq!(sum, Usage::total(9, 6).cached(2));
    assert_eq!(Vec::<Usage>::new().into_iter().sum::<Usage>(), Usage::unknown());
}

#[test]
fn attributes_of_a_call_round_trip() {
    let usage = Usage::anthropic(7, 10).cache(13_214, 248).cache_write_1h(48).web_searches(2);
    let mut attributes = Attributes::new();
    usage.set_on_call(&mut attributes);
    assert_eq!(attributes.int(attr::GEN_AI_USAGE_INPUT_TOKENS), Some(13_469));
    assert_eq!(attributes.get(attr::GEN_AI_USAGE_REASONING_OUTPUT_TOKENS), None);
    assert_eq!(Usage::of_call(&attributes), usage);
}

#[test]
fn a_roll_up_never_uses_the_attributes_of_a_call() {
    let mut attributes = Attributes::new();
    Usage::anthropic(1, 2).cache(3, 4).set_roll_up(&mut attributes);
    assert_eq!(attributes.int(attr::VIGIL_USAGE_INPUT_TOKENS), Some(8));
    assert!(attributes.iter().all(|(key, _)| !key.name().starts_with("gen_ai.")));
}
