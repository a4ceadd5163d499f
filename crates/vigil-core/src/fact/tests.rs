use super::*;
use crate::contract::attr;

#[test]
fn a_key_that_is_set_again_replaces_its_value_and_keeps_its_place() {
    let mut attributes = Attributes::new();
    attributes.set(attr::GEN_AI_TOOL_NAME, "Read");
    attributes.set(attr::BYTES_IN, 1);
    attributes.set(attr::GEN_AI_TOOL_NAME, String::from("Write"));
    attributes.set_some(attr::BYTES_OUT, None::<i64>);
    assert_eq!(attributes.len(), 2);
    assert_eq!(attributes.str(attr::GEN_AI_TOOL_NAME), Some("Write"));
    assert_eq!(attributes.int(attr::GEN_AI_TOOL_NAME), None);
    let keys: Vec<Key> = attributes.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [attr::GEN_AI_TOOL_NAME, attr::BYTES_IN]);
    attributes.retain_mut(|key, _| key == attr::BYTES_IN);
    assert_eq!(attributes.len(), 1);
    assert!(Attributes::default().is_empty());
}

#[test]
fn every_key_is_found_whichever_others_are_there() {
    let mut all: Vec<Key> = Key::all().collect();
    let value = |key: Key| i64::from(key.index());
    for round in [1, 2, 1] {
        all.reverse();
        let mut attributes = Attributes::new();
        for at in 0..all.len() * round {
            let key = all[at % all.len()];
            assert_eq!(attributes.get(key).is_some(), at >= all.len(), "{}", key.name());
            attributes.set(key, if at >= all.len() { -value(key) } else { value(key) });
        }
        let sign = if round == 2 { -1 } else { 1 };
        assert!(all.iter().all(|key| attributes.int(*key) == Some(sign * value(*key))));
        assert_eq!(attributes.len(), all.len());

        attributes.retain_mut(|key, _| key.index() % 3 == 0);
        for key in &all {
            assert_eq!(attributes.int(*key).is_some(), key.index() % 3 == 0, "{}", key.name());
            attributes.set_absent(*key, Some(1));
        }
        assert_eq!(attributes.len(), all.len());
        assert_eq!(attributes.to_attributes(), attributes);
        assert_eq!(attributes.to_attributes().int(all[4]), Some(1));
    }
}

#[test]
fn unsigned_numbers_saturate_where_otlp_has_no_room() {
    assert_eq!(Value::from(u64::MAX), Value::Int(i64::MAX));
    assert_eq!(Value::from(7_u64), Value::Int(7));
}

#[test]
fn time_never_runs_backwards() {
    assert_eq!(UnixNanos(5).until(UnixNanos(8)).as_nanos(), 3);
    assert_eq!(UnixNanos(8).until(UnixNanos(5)).as_nanos(), 0);
}
