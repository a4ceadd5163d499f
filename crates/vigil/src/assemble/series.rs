//! The metrics store: series by metric and attributes, bounded in number.
//!
//! A metric keeps at most 2000 series ([`SERIES_MAX`]); what is beyond goes to one series without attributes, so
//! that totals stay true. A value for a series that exists costs a hash over its attributes and no allocation.

use crate::encode::{HistogramValue, MetricSeries, PointValue, Temporality};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use vigil_core::contract::{Instrument, Key, Metric, Number};
use vigil_core::fact::{Attributes, UnixNanos, Value};

/// Series a metric keeps.
const SERIES_MAX: usize = 2000;

/// A word for an attribute that the span does not carry itself.
pub(crate) type Extra = Option<(Key, &'static str)>;

#[derive(Debug)]
pub(crate) struct Series {
    started: UnixNanos,
    temporality: Temporality,
    /// By [`Metric::index`].
    by_metric: Vec<ByLabels>,
}

/// Series by the hash of their labels. Two series with the same hash lie in the same list.
type ByLabels = HashMap<u64, Vec<One>, BuildHasherDefault<Given>>;

#[derive(Debug)]
struct One {
    labels: Vec<(Key, Value)>,
    point: PointValue,
}

/// The key is a hash already.
#[derive(Default)]
struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(self.0, bytes);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Multiply and rotate, eight bytes at a time. Labels come from the contract's low-cardinality attributes.
fn hash(mut state: u64, bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x517c_c1b7_2722_0a95;
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = (state.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(ODD);
    }
    state ^ (state >> 32)
}

/// The labels `metric` has for these attributes: what the contract allows it, of what is there.
fn labels<'a>(metric: Metric, at: &'a Attributes, extra: Extra) -> impl Iterator<Item = (Key, Label<'a>)> {
    metric.def().attributes.iter().filter_map(move |key| {
        let label = match (extra, at.get(*key)) {
            (Some((extra, word)), _) if extra == *key => Label::Word(word),
            (_, Some(Value::Str(text))) => Label::Word(text),
            (_, Some(Value::Int(number))) => Label::Number(*number),
            _ => return None,
        };
        Some((*key, label))
    })
}

#[derive(Clone, Copy)]
enum Label<'a> {
    Word(&'a str),
    Number(i64),
}

impl Label<'_> {
    fn is(self, value: &Value) -> bool {
        match (self, value) {
            (Label::Word(word), Value::Str(text)) => word == text,
            (Label::Number(number), Value::Int(other)) => number == *other,
            _ => false,
        }
    }

    fn to_value(self) -> Value {
        match self {
            Label::Word(word) => Value::Str(word.to_owned().into()),
            Label::Number(number) => Value::Int(number),
        }
    }
}

impl Series {
    pub(crate) fn new(started: UnixNanos, temporality: Temporality) -> Self {
        Self { started, temporality, by_metric: Metric::all().map(|_| ByLabels::default()).collect() }
    }

    /// Adds to a counter, sets a gauge, or counts into a distribution. The labels are those of the attributes
    /// `at` that the contract gives the metric, and `extra`.
    pub(crate) fn record(&mut self, metric: Metric, at: &Attributes, extra: Extra, value: f64) {
        let Some(series) = self.by_metric.get_mut(usize::from(metric.index())) else { return };
        let point = find(series, metric, at, extra);
        let instrument = metric.def().instrument;
        let replaces = matches!(instrument, Instrument::Gauge);
        match point {
            PointValue::Int(number) => {
                *number = if replaces { value as i64 } else { number.saturating_add(value as i64) };
            }
            PointValue::Double(number) => *number = if replaces { value } else { *number + value },
            PointValue::Histogram(histogram) => {
                let Instrument::Histogram { buckets } = instrument else { return };
                let bucket = buckets.partition_point(|bound| *bound < value);
                histogram.buckets[bucket] += 1;
                histogram.count += 1;
                histogram.sum += value;
                histogram.min = Some(histogram.min.map_or(value, |min| min.min(value)));
                histogram.max = Some(histogram.max.map_or(value, |max| max.max(value)));
            }
        }
    }

    /// Every series at `now`, sorted by metric and labels. With delta temporality counting starts anew.
    pub(crate) fn collect(&mut self, now: UnixNanos) -> Vec<MetricSeries> {
        let start = self.started;
        let mut all = Vec::new();
        for (metric, series) in Metric::all().zip(&mut self.by_metric) {
            let gauge = matches!(metric.def().instrument, Instrument::Gauge);
            let first = all.len();
            all.extend(series.values().flatten().map(|one| MetricSeries {
                metric,
                attributes: one.labels.clone(),
                start: if gauge { now } else { start },
                time: now,
                value: one.point.clone(),
            }));
            all[first..].sort_by_cached_key(|one| format!("{:?}", one.attributes));
            if self.temporality == Temporality::Delta && !gauge {
                series.clear();
            }
        }
        if self.temporality == Temporality::Delta {
            self.started = now;
        }
        all
    }
}

/// The point of the series these attributes belong to; a new one where there is none yet.
fn find<'s>(series: &'s mut ByLabels, metric: Metric, at: &Attributes, extra: Extra) -> &'s mut PointValue {
    let mut key = 0;
    for (name, label) in labels(metric, at, extra) {
        key ^= u64::from(name.index());
        key = match label {
            Label::Word(word) => hash(key, word.as_bytes()),
            Label::Number(number) => hash(key, &number.to_le_bytes()),
        };
    }
    let same = |one: &One| {
        let mut known = one.labels.iter();
        labels(metric, at, extra)
            .all(|(name, label)| known.next().is_some_and(|(key, value)| *key == name && label.is(value)))
            && known.next().is_none()
    };
    let full = series.len() >= SERIES_MAX && !series.get(&key).is_some_and(|list| list.iter().any(same));
    if full {
        let rest = series.entry(OVERFLOW).or_default();
        if rest.is_empty() {
            rest.push(One { labels: Vec::new(), point: new_point(metric) });
        }
        return &mut rest[0].point;
    }
    let list = series.entry(key).or_default();
    let place = match list.iter().position(same) {
        Some(place) => place,
        None => {
            let labels = labels(metric, at, extra).map(|(key, label)| (key, label.to_value())).collect();
            list.push(One { labels, point: new_point(metric) });
            list.len() - 1
        }
    };
    &mut list[place].point
}

/// Where the series without labels lies that takes what is beyond the limit.
const OVERFLOW: u64 = u64::MAX;

fn new_point(metric: Metric) -> PointValue {
    match (metric.def().instrument, metric.def().number) {
        (Instrument::Histogram { buckets }, _) => {
            PointValue::Histogram(HistogramValue { buckets: vec![0; buckets.len() + 1], ..Default::default() })
        }
        (_, Number::Int) => PointValue::Int(0),
        (_, Number::Double) => PointValue::Double(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vigil_core::contract::attr;

    #[test]
    fn a_value_on_a_bound_falls_into_the_bucket_below() {
        let mut series = Series::new(UnixNanos(1), Temporality::Cumulative);
        for value in [0.01, 0.011, 1e9] {
            series.record(Metric::InferenceDuration, &Attributes::new(), None, value);
        }
        let PointValue::Histogram(histogram) = &series.collect(UnixNanos(2))[0].value else { panic!("a histogram") };
        assert_eq!((histogram.buckets[0], histogram.buckets[1], *histogram.buckets.last().unwrap()), (1, 1, 1));
        assert_eq!((histogram.count, histogram.min, histogram.max), (3, Some(0.01), Some(1e9)));
    }

    #[test]
    fn delta_starts_anew_after_each_collection_and_cumulative_goes_on() {
        for (temporality, expected) in
            [(Temporality::Delta, [Some(2), None, Some(3)]), (Temporality::Cumulative, [Some(2), Some(2), Some(5)])]
        {
            let mut series = Series::new(UnixNanos(1), temporality);
            let ok = Some((attr::LIFE_TOOL_STATUS, "ok"));
            let none = Attributes::new();
            let read =
                |series: &mut Series| match series.collect(UnixNanos(2)).first().map(|series| series.value.clone()) {
                    Some(PointValue::Int(number)) => Some(number),
                    _ => None,
                };
            series.record(Metric::ToolExecutions, &none, ok, 2.0);
            let first = read(&mut series);
            let second = read(&mut series);
            series.record(Metric::ToolExecutions, &none, ok, 3.0);
            assert_eq!([first, second, read(&mut series)], expected);
        }
    }

    #[test]
    fn beyond_the_limit_values_are_kept_without_labels() {
        let mut series = Series::new(UnixNanos(1), Temporality::Cumulative);
        for tool in 0..SERIES_MAX + 50 {
            let mut at = Attributes::new();
            at.set(attr::GEN_AI_TOOL_NAME, format!("t{tool}"));
            series.record(Metric::ToolExecutions, &at, None, 1.0);
        }
        let all = series.collect(UnixNanos(2));
        assert_eq!(all.len(), SERIES_MAX + 1);
        let rest = all.iter().find(|series| series.attributes.is_empty()).unwrap();
        assert_eq!(rest.value, PointValue::Int(50));
    }
}
