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
fn unsigned_numbers_saturate_where_otlp_has_no_room() {
    assert_eq!(Value::from(u64::MAX), Value::Int(i64::MAX));
    assert_eq!(Value::from(7_u64), Value::Int(7));
}

#[test]
fn time_never_runs_backwards() {
    assert_eq!(UnixNanos(5).until(UnixNanos(8)).as_nanos(), 3);
    assert_eq!(UnixNanos(8).until(UnixNanos(5)).as_nanos(), 0);
}
