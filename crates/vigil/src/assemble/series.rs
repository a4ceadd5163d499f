//! The metrics store: series by metric and attributes, bounded in number.
//!
//! A metric keeps at most 2000 series ([`SERIES_MAX`]); values beyond go to one series that carries
//! `otel.metric.overflow` in spirit: it has no attributes, so that totals stay true.

use crate::encode::{HistogramValue, MetricSeries, PointValue, Temporality};
use std::collections::HashMap;
use vigil_core::contract::{Instrument, Key, Metric, Number};
use vigil_core::fact::{Text, UnixNanos, Value};

/// Series a metric keeps.
const SERIES_MAX: usize = 2000;

/// What tells a series from the others of its metric: keys and words, in the contract's order.
type Labels = Vec<(Key, Text)>;

#[derive(Debug)]
pub(crate) struct Series {
    started: UnixNanos,
    temporality: Temporality,
    by_metric: HashMap<Metric, HashMap<Labels, PointValue>>,
}

impl Series {
    pub(crate) fn new(started: UnixNanos, temporality: Temporality) -> Self {
        Self { started, temporality, by_metric: HashMap::new() }
    }

    /// Adds to a counter, sets a gauge, or counts into a distribution.
    pub(crate) fn record(&mut self, metric: Metric, labels: Labels, value: f64) {
        debug_assert!(labels.iter().all(|(key, _)| metric.def().attributes.contains(key)), "{metric:?} {labels:?}");
        let series = self.by_metric.entry(metric).or_default();
        let labels = if series.len() >= SERIES_MAX && !series.contains_key(&labels) { Labels::new() } else { labels };
        let def = metric.def();
        let point = series.entry(labels).or_insert_with(|| match (def.instrument, def.number) {
            (Instrument::Histogram { buckets }, _) => {
                PointValue::Histogram(HistogramValue { buckets: vec![0; buckets.len() + 1], ..Default::default() })
            }
            (_, Number::Int) => PointValue::Int(0),
            (_, Number::Double) => PointValue::Double(0.0),
        });
        let replaces = matches!(def.instrument, Instrument::Gauge);
        match point {
            PointValue::Int(number) => {
                *number = if replaces { value as i64 } else { number.saturating_add(value as i64) }
            }
            PointValue::Double(number) => *number = if replaces { value } else { *number + value },
            PointValue::Histogram(histogram) => {
                let Instrument::Histogram { buckets } = def.instrument else { return };
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
        for (metric, series) in &self.by_metric {
            let gauge = matches!(metric.def().instrument, Instrument::Gauge);
            all.extend(series.iter().map(|(labels, value)| MetricSeries {
                metric: *metric,
                attributes: labels.iter().map(|(key, word)| (*key, label_value(*key, word))).collect(),
                start: if gauge { now } else { start },
                time: now,
                value: value.clone(),
            }));
        }
        all.sort_by(|a, b| {
            let words = |series: &MetricSeries| {
                series.attributes.iter().map(|(key, value)| (*key, format!("{value:?}"))).collect::<Vec<_>>()
            };
            a.metric.cmp(&b.metric).then_with(|| words(a).cmp(&words(b)))
        });
        if self.temporality == Temporality::Delta {
            self.started = now;
            self.by_metric.retain(|metric, _| matches!(metric.def().instrument, Instrument::Gauge));
        }
        all
    }
}

/// Labels are kept as words; a key that the contract calls a number goes out as one.
fn label_value(key: Key, word: &Text) -> Value {
    match key.def().ty {
        vigil_core::contract::ValueType::Int => {
            word.parse::<i64>().map_or_else(|_| Value::Str(word.clone()), Value::Int)
        }
        _ => Value::Str(word.clone()),
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
            series.record(Metric::InferenceDuration, vec![], value);
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
            let labels = || vec![(attr::LIFE_TOOL_STATUS, Text::from("ok"))];
            let read =
                |series: &mut Series| match series.collect(UnixNanos(2)).first().map(|series| series.value.clone()) {
                    Some(PointValue::Int(number)) => Some(number),
                    _ => None,
                };
            series.record(Metric::ToolExecutions, labels(), 2.0);
            let first = read(&mut series);
            let second = read(&mut series);
            series.record(Metric::ToolExecutions, labels(), 3.0);
            assert_eq!([first, second, read(&mut series)], expected);
        }
    }

    #[test]
    fn beyond_the_limit_values_are_kept_without_labels() {
        let mut series = Series::new(UnixNanos(1), Temporality::Cumulative);
        for tool in 0..SERIES_MAX + 50 {
            series.record(Metric::ToolExecutions, vec![(attr::GEN_AI_TOOL_NAME, format!("t{tool}").into())], 1.0);
        }
        let all = series.collect(UnixNanos(2));
        assert_eq!(all.len(), SERIES_MAX + 1);
        let rest = all.iter().find(|series| series.attributes.is_empty()).unwrap();
        assert_eq!(rest.value, PointValue::Int(50));
    }
}
