use super::*;
use crate::fact::Value;

#[test]
fn closed_words_round_trip() {
    for phase in Phase::ALL {
        assert_eq!(phase.as_str().parse(), Ok(*phase));
    }
    for mode in OperatingMode::ALL {
        assert_eq!(mode.to_string().parse(), Ok(*mode));
    }
    assert_eq!(Phase::WORDS.len(), 7);
    let error = "dream".parse::<Phase>().unwrap_err();
    assert_eq!(error.to_string(), "not one of perceive, deliberate, gate, execute, commit, reflect, sleep");
}

#[test]
fn open_words_know_their_constants_and_keep_foreign_ones_harmless() {
    assert_eq!(ErrorType::from_code("rate_limit"), ErrorType::RATE_LIMIT);
    assert_eq!(ErrorType::from_code("").as_str(), "_OTHER");
    assert_eq!(ErrorType::from_code("  ").as_str(), "_OTHER");
    assert_eq!(ErrorType::from_code(" overloaded_error\n").as_str(), "overloaded_error");
    assert_eq!(ErrorType::from_code("overloaded_error: see <log>").as_str(), "_OTHER");
    assert_eq!(ErrorType::from_code(&"x".repeat(MAX_WORD_BYTES + 1)).as_str(), "_OTHER");
    assert_eq!(ErrorType::from_code("größe").as_str(), "_OTHER");
    assert_eq!(Provider::from_code("x_ai"), Provider::X_AI);
    assert_eq!(Provider::from_code("my-proxy").as_str(), "my-proxy");
    assert_eq!(McpMethod::from_code("notifications/tools/list_changed").as_str(), "notifications/tools/list_changed");
}

#[test]
fn every_known_word_passes_the_gate_for_foreign_ones() {
    let words = [ErrorType::WORDS, Provider::WORDS, Operation::WORDS, McpMethod::WORDS, FinishReason::WORDS];
    for word in words.into_iter().flatten() {
        assert_eq!(sanitise(word), *word);
    }
}

#[test]
fn finish_reasons_come_from_every_provider() {
    let anthropic = [
        ("end_turn", FinishReason::Stop),
        ("stop_sequence", FinishReason::Stop),
        ("tool_use", FinishReason::ToolCall),
        ("max_tokens", FinishReason::Length),
        ("refusal", FinishReason::ContentFilter),
        ("compaction", FinishReason::Compaction),
        ("pause_turn", FinishReason::Other("pause_turn".into())),
    ];
    for (word, expected) in anthropic {
        assert_eq!(FinishReason::from_anthropic(word), expected);
    }
    for (word, expected) in [
        ("stop", FinishReason::Stop),
        ("length", FinishReason::Length),
        ("max_output_tokens", FinishReason::Length),
        ("tool_calls", FinishReason::ToolCall),
        ("function_call", FinishReason::ToolCall),
        ("content_filter", FinishReason::ContentFilter),
    ] {
        assert_eq!(FinishReason::from_openai(word), expected);
    }
    for (word, expected) in [
        ("STOP", FinishReason::Stop),
        ("MAX_TOKENS", FinishReason::Length),
        ("SAFETY", FinishReason::ContentFilter),
        ("MALFORMED_FUNCTION_CALL", FinishReason::Other("malformed_function_call".into())),
    ] {
        assert_eq!(FinishReason::from_gemini(word), expected);
    }
    assert_eq!(FinishReason::from_word("\u{7f}\n"), FinishReason::Error);
    assert_eq!(Value::from(FinishReason::Stop), Value::StrList(vec!["stop".into()]));
}

#[test]
fn finish_reason_words_round_trip() {
    for word in FinishReason::WORDS {
        let reason = FinishReason::from_word(word);
        assert!(!matches!(reason, FinishReason::Other(_)), "{word}");
        assert_eq!(reason.as_str(), *word);
        assert_eq!(reason.into_text(), *word);
    }
}

#[test]
fn severities_have_the_numbers_of_otlp() {
    let numbers: Vec<u8> = Severity::ALL.iter().map(|severity| severity.number()).collect();
    assert_eq!(numbers, [1, 5, 9, 13, 17, 21]);
    assert_eq!(Severity::from_number(0), None);
    assert_eq!(Severity::from_number(25), None);
    for severity in Severity::ALL {
        for step in 0..4 {
            assert_eq!(Severity::from_number(severity.number() + step), Some(*severity));
        }
    }
    assert!(Severity::Warn < Severity::Error);
}

#[test]
fn old_names_of_providers_are_those_of_the_deprecated_attribute() {
    assert_eq!(Provider::X_AI.legacy_system(), "xai");
    assert_eq!(Provider::AZURE_AI_OPENAI.legacy_system(), "az.ai.openai");
    assert_eq!(Provider::GCP_GEMINI.legacy_system(), "gemini");
    assert_eq!(Provider::ANTHROPIC.legacy_system(), "anthropic");
    assert_eq!(Provider::UNKNOWN.legacy_system(), "_OTHER");
}
