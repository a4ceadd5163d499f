use super::*;
use crate::contract::{Class, Key};
use std::collections::HashSet;

#[test]
fn metrics_are_found_by_name_and_by_index() {
    let mut names = HashSet::new();
    for metric in Metric::all() {
        assert!(names.insert(metric.id()));
        assert_eq!(Metric::from_id(metric.def().name), Some(metric));
        assert_eq!(Metric::from_index(metric.index()), Some(metric));
    }
    assert_eq!(Metric::from_index(u8::MAX), None);
}

/// Field note 43: what identifies a run, a call or a person stays off metrics.
#[test]
fn attributes_of_metrics_are_few_and_identify_nobody() {
    const IDENTIFYING: &[Key] = &[
        SESSION_ID,
        GEN_AI_CONVERSATION_ID,
        GEN_AI_AGENT_ID,
        GEN_AI_RESPONSE_ID,
        GEN_AI_TOOL_CALL_ID,
        LIFE_SESSION_ID,
        LIFE_RUN_ID,
        LIFE_BRANCH_ID,
        MCP_SESSION_ID,
        JSONRPC_REQUEST_ID,
        PROCESS_PID,
        LAGO_BLOB_HASH,
    ];
    for metric in Metric::all() {
        let def = metric.def();
        let mut seen = HashSet::new();
        for key in def.attributes {
            assert!(seen.insert(*key), "{}: {key}", def.name);
            assert!(!IDENTIFYING.contains(key), "{}: {key}", def.name);
            let class = key.def().class;
            assert!(matches!(class, Class::Enum | Class::Name) || *key == SERVER_PORT, "{}: {key}", def.name);
        }
        assert!(def.attributes.len() <= 13, "{}", def.name);
    }
}

#[test]
fn buckets_ascend() {
    for metric in Metric::all() {
        if let Instrument::Histogram { buckets } = metric.def().instrument {
            assert!(!buckets.is_empty() && buckets.len() <= 20);
            assert!(buckets.windows(2).all(|pair| pair[0] < pair[1]), "{}", metric.id());
        }
    }
}

#[test]
fn only_older_names_are_compat() {
    let compat: Vec<_> = Metric::all().filter(|metric| metric.def().is_compat()).collect();
    assert_eq!(compat, [Metric::ClientTokenUsage]);
}
