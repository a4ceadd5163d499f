use super::*;
use std::collections::HashSet;

#[test]
fn events_are_found_by_name_and_by_index() {
    let mut names = HashSet::new();
    for kind in EventKind::all() {
        assert!(names.insert(kind.id()));
        assert_eq!(EventKind::from_id(kind.def().name), Some(kind));
        assert_eq!(EventKind::from_index(kind.index()), Some(kind));
    }
    assert_eq!(EventKind::from_index(u8::MAX), None);
}

#[test]
fn no_attribute_is_listed_twice() {
    for kind in EventKind::all() {
        let def = kind.def();
        let mut seen = HashSet::new();
        for key in def.required.iter().chain(def.attributes).chain(COMMON_EVENT) {
            assert!(seen.insert(*key), "{}: {key}", def.name);
            assert!(def.allows(*key));
        }
    }
}

#[test]
fn severities_are_those_of_the_design() {
    assert_eq!(EventKind::DownstreamRateLimit.def().severity, Severity::Error);
    assert_eq!(EventKind::ClientException.def().severity, Severity::Warn);
    assert_eq!(EventKind::InferenceDetails.def().severity, Severity::Debug);
}

/// Seeds T4 and T6: the throttle event can carry no free text, and its schema is pinned.
#[test]
fn the_throttle_event_has_exactly_these_fields_and_no_free_text() {
    let def = EventKind::DownstreamRateLimit.def();
    let mut names: Vec<&str> = def.required.iter().chain(def.attributes).map(|key| key.name()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "downstream.classification",
            "downstream.limit",
            "downstream.operation",
            "downstream.provider",
            "downstream.remaining",
            "downstream.reset_at",
            "downstream.retry_after_ms",
            "downstream.retryable",
            "downstream.scope",
            "downstream.service",
            "http.response.status_code",
            "vigil.throttle.count",
            "vigil.throttle.outcome",
            "vigil.throttle.rule",
            "vigil.throttle.wait_ms",
        ]
    );
    for key in def.required.iter().chain(def.attributes).chain(COMMON_EVENT) {
        assert!(!key.is_text(), "{key}");
    }
}
