//! The metrics store: series by metric and attributes, bounded in number.
//!
//! A metric keeps at most 2000 series ([`SERIES_MAX`]); what is beyond goes to one series without attributes, so
//! that totals stay true. The labels of a span are hashed once, for all metrics it goes into; where spans with the
//! same labels came before, the series they went into are known, and a value costs no search and no allocation.
//! Series are told apart by 64 bits of a hash with a random key: that two of 2000 meet has a chance of one in 10^13.

use crate::encode::{HistogramValue, MetricSeries, PointValue, Temporality};
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use vigil_core::contract::{Instrument, Key, MAX_NAME_VALUE_BYTES, Metric, Number};
use vigil_core::fact::{AnyValue, AttributeSet, UnixNanos, Value};

/// Series a metric keeps.
const SERIES_MAX: usize = 2000;

/// A word for an attribute that the span does not carry itself.
pub(crate) type Extra = Option<(Key, &'static str)>;

/// Sets of labels whose series are remembered.
const REMEMBERED_MAX: usize = 1024;

#[derive(Debug)]
pub(crate) struct Series {
    started: UnixNanos,
    temporality: Temporality,
    /// By [`Metric::index`].
    by_metric: Vec<OfMetric>,
    /// Whether a key is a label of any metric, by [`Key::index`].
    is_label: Vec<bool>,
    random: foldhash::fast::RandomState,
    /// Which series values with these labels went into, by the sum of the labels' hashes: where in `places` they are.
    remembered: HashMap<u64, usize, BuildHasherDefault<Given>>,
    /// For each set of labels a place for each metric, by [`Metric::index`]; [`NOWHERE`] where it was not looked for yet.
    places: Vec<u32>,
    /// The labels that were asked for last, and where their places are: those of the next span are often the same.
    last: Option<(u64, usize)>,
}

const NOWHERE: u32 = u32::MAX;

/// The series of one metric, and their places by the hash of their labels.
#[derive(Debug)]
struct OfMetric {
    replaces: bool,
    /// The metric is recorded with several words for a span: its series are looked for every time.
    varies: bool,
    /// Upper bounds; empty where it is no distribution.
    bounds: &'static [f64],
    places: HashMap<u64, u32, BuildHasherDefault<Given>>,
    all: Vec<One>,
}

#[derive(Debug)]
struct One {
    labels: Vec<(Key, Value)>,
    point: PointValue,
    /// The bucket of the last value: those of the next ones are often the same.
    bucket: usize,
}

/// The key is a hash already.
#[derive(Default)]
struct Given(u64);

impl Hasher for Given {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

/// Series, for values of one span or event.
pub(crate) struct SeriesAt<'s, 'a> {
    series: &'s mut Series,
    at: &'s AttributeSet<'a>,
    /// Where the places of values with these labels are.
    places: usize,
}

impl OfMetric {
    fn new(metric: Metric) -> Self {
        let def = metric.def();
        Self {
            replaces: matches!(def.instrument, Instrument::Gauge),
            varies: def.is_compat(),
            bounds: match def.instrument {
                Instrument::Histogram { buckets } => buckets,
                _ => &[],
            },
            places: HashMap::default(),
            all: Vec::new(),
        }
    }
}

impl Series {
    pub(crate) fn new(started: UnixNanos, temporality: Temporality) -> Self {
        let mut is_label = vec![false; Key::all().count()];
        for key in Metric::all().flat_map(|metric| metric.def().attributes) {
            is_label[usize::from(key.index())] = true;
        }
        Self {
            started,
            temporality,
            by_metric: Metric::all().map(OfMetric::new).collect(),
            is_label,
            random: foldhash::fast::RandomState::default(),
            remembered: HashMap::default(),
            places: Vec::new(),
            last: None,
        }
    }

    /// Gets ready for values of a span or event with these attributes.
    pub(crate) fn at<'s, 'a>(&'s mut self, at: &'s AttributeSet<'a>) -> SeriesAt<'s, 'a> {
        let mut labels = 0_u64;
        for (key, value) in at.iter() {
            if self.is_label.get(usize::from(key.index())) == Some(&true) {
                labels = labels.wrapping_add(hash(&self.random, key, value));
            }
        }
        let places = match self.last {
            Some((last, places)) if last == labels => places,
            _ => self.places_of(labels),
        };
        SeriesAt { series: self, at, places }
    }

    fn places_of(&mut self, labels: u64) -> usize {
        let known = self.remembered.get(&labels).copied();
        let places = known.unwrap_or_else(|| {
            if self.remembered.len() >= REMEMBERED_MAX {
                self.forget();
            }
            let places = self.places.len();
            self.places.resize(places + self.by_metric.len(), NOWHERE);
            self.remembered.insert(labels, places);
            places
        });
        self.last = Some((labels, places));
        places
    }

    fn forget(&mut self) {
        self.remembered.clear();
        self.places.clear();
        self.last = None;
    }

    /// Every series at `now`, sorted by metric and labels. With delta temporality counting starts anew.
    pub(crate) fn collect(&mut self, now: UnixNanos) -> Vec<MetricSeries> {
        let start = self.started;
        let mut all = Vec::new();
        for (metric, series) in Metric::all().zip(&mut self.by_metric) {
            let gauge = series.replaces;
            let first = all.len();
            all.extend(series.all.iter().map(|one| MetricSeries {
                metric,
                attributes: one.labels.clone(),
                start: if gauge { now } else { start },
                time: now,
                value: one.point.clone(),
            }));
            all[first..].sort_by_cached_key(|one| format!("{:?}", one.attributes));
            if self.temporality == Temporality::Delta && !gauge {
                *series = OfMetric::new(metric);
            }
        }
        if self.temporality == Temporality::Delta {
            self.forget();
            self.started = now;
        }
        all
    }
}

impl<'s, 'a> SeriesAt<'s, 'a> {
    /// The attributes the values come with.
    pub(crate) fn attributes(&self) -> &'s AttributeSet<'a> {
        self.at
    }

    /// Adds to a counter, sets a gauge, or counts into a distribution. The labels are those of the attributes
    /// that the contract gives the metric, and `extra`.
    #[inline]
    pub(crate) fn record(&mut self, metric: Metric, extra: Extra, value: f64) {
        let index = usize::from(metric.index());
        let place = match self.series.places.get(self.places + index) {
            Some(place) if *place != NOWHERE => *place,
            _ => self.look_for(metric, extra),
        };
        if let Some(of) = self.series.by_metric.get_mut(index) {
            of.record(place, value);
        }
    }

    #[cold]
    fn look_for(&mut self, metric: Metric, extra: Extra) -> u32 {
        let place = self.place(metric, extra);
        let index = usize::from(metric.index());
        if !self.series.by_metric[index].varies {
            self.series.places[self.places + index] = place;
        }
        place
    }

    /// The place of the series these labels belong to; a new one where there is none yet.
    fn place(&mut self, metric: Metric, extra: Extra) -> u32 {
        let random = &self.series.random;
        let labelled = |key: &Key| match (extra, self.at.get(*key)) {
            (Some((extra, word)), _) if extra == *key => hash_word(random, *key, word),
            (_, Some(value)) => hash(random, *key, value),
            (_, None) => 0,
        };
        let id = metric.def().attributes.iter().fold(0_u64, |sum, key| sum.wrapping_add(labelled(key)));
        let series = &mut self.series.by_metric[usize::from(metric.index())];
        let full = series.all.len() >= SERIES_MAX && !series.places.contains_key(&id);
        *series.places.entry(if full { OVERFLOW } else { id }).or_insert_with(|| {
            let labels = if full { Vec::new() } else { labels(metric, self.at, extra) };
            series.all.push(One { labels, point: new_point(metric), bucket: 0 });
            series.all.len() as u32 - 1
        })
    }
}

impl OfMetric {
    #[inline]
    fn record(&mut self, place: u32, value: f64) {
        let Some(one) = self.all.get_mut(place as usize) else { return };
        match &mut one.point {
            PointValue::Int(number) => {
                *number = if self.replaces { value as i64 } else { number.saturating_add(value as i64) };
            }
            PointValue::Double(number) => *number = if self.replaces { value } else { *number + value },
            PointValue::Histogram(histogram) => {
                if !is_in_bucket(self.bounds, one.bucket, value) {
                    one.bucket = self.bounds.partition_point(|bound| *bound < value);
                }
                if let Some(count) = histogram.buckets.get_mut(one.bucket) {
                    *count += 1;
                }
                histogram.count += 1;
                histogram.sum += value;
                if histogram.min.is_none_or(|min| value < min || min.is_nan()) {
                    histogram.min = Some(value);
                }
                if histogram.max.is_none_or(|max| value > max || max.is_nan()) {
                    histogram.max = Some(value);
                }
            }
        }
    }
}

/// Whether `value` belongs to the bucket at `at`, which includes its upper bound.
#[inline]
fn is_in_bucket(bounds: &[f64], at: usize, value: f64) -> bool {
    let above_the_one_below =
        at.checked_sub(1).is_none_or(|below| bounds.get(below).is_some_and(|below| *below < value));
    above_the_one_below && bounds.get(at).is_none_or(|bound| value <= *bound)
}

/// The labels `metric` has for these attributes: what the contract allows it, of what is there.
fn labels(metric: Metric, at: &AttributeSet<'_>, extra: Extra) -> Vec<(Key, Value)> {
    let label = |key: &Key| match (extra, at.get(*key)) {
        (Some((extra, word)), _) if extra == *key => Some((*key, Value::from(word))),
        // Names are as long here as anywhere else.
        (_, Some(AnyValue::Str(text))) => Some((*key, Value::from(crate::truncate::text(text, MAX_NAME_VALUE_BYTES)))),
        (_, Some(AnyValue::Int(number))) => Some((*key, Value::Int(*number))),
        _ => None,
    };
    metric.def().attributes.iter().filter_map(label).collect()
}

/// The hash of a label; 0 for a value that is none.
fn hash(random: &foldhash::fast::RandomState, key: Key, value: &AnyValue<'_>) -> u64 {
    match value {
        AnyValue::Str(word) => hash_word(random, key, word),
        AnyValue::Int(number) => {
            let mut hasher = random.build_hasher();
            hasher.write_u16(key.index());
            hasher.write_i64(*number);
            hasher.finish()
        }
        _ => 0,
    }
}

fn hash_word(random: &foldhash::fast::RandomState, key: Key, word: &str) -> u64 {
    let mut hasher = random.build_hasher();
    hasher.write_u16(key.index());
    hasher.write(word.as_bytes());
    hasher.finish()
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
            series.at(&AttributeSet::new()).record(Metric::InferenceDuration, None, value);
        }
        let PointValue::Histogram(histogram) = &series.collect(UnixNanos(2))[0].value else { panic!("a histogram") };
        assert_eq!((histogram.buckets[0], histogram.buckets[1], *histogram.buckets.last().unwrap()), (1, 1, 1));
        assert_eq!((histogram.count, histogram.min, histogram.max), (3, Some(0.01), Some(1e9)));
    }

    #[test]
    fn a_value_falls_into_its_bucket_whichever_came_before() {
        let Instrument::Histogram { buckets } = Metric::InferenceDuration.def().instrument else { panic!("it is one") };
        let near = buckets.iter().flat_map(|bound| [bound.next_down(), *bound, bound.next_up()]);
        let values: Vec<f64> = near.chain([0.0, -1.0, f64::INFINITY, f64::NAN]).collect();
        for before in &values {
            for value in &values {
                let mut series = Series::new(UnixNanos(1), Temporality::Cumulative);
                let mut expected = vec![0; buckets.len() + 1];
                for value in [before, value, value, before] {
                    series.at(&AttributeSet::new()).record(Metric::InferenceDuration, None, *value);
                    expected[buckets.iter().filter(|bound| **bound < *value).count()] += 1;
                }
                let PointValue::Histogram(histogram) = &series.collect(UnixNanos(2))[0].value else { panic!("one") };
                assert_eq!(histogram.buckets, expected, "{before} {value}");
            }
        }
    }

    #[test]
    fn delta_starts_anew_after_each_collection_and_cumulative_goes_on() {
        for (temporality, expected) in
            [(Temporality::Delta, [Some(2), None, Some(3)]), (Temporality::Cumulative, [Some(2), Some(2), Some(5)])]
        {
            let mut series = Series::new(UnixNanos(1), temporality);
            let ok = Some((attr::LIFE_TOOL_STATUS, "ok"));
            let none = AttributeSet::new();
            let read =
                |series: &mut Series| match series.collect(UnixNanos(2)).first().map(|series| series.value.clone()) {
                    Some(PointValue::Int(number)) => Some(number),
                    _ => None,
                };
            series.at(&none).record(Metric::ToolExecutions, ok, 2.0);
            let first = read(&mut series);
            let second = read(&mut series);
            series.at(&none).record(Metric::ToolExecutions, ok, 3.0);
            assert_eq!([first, second, read(&mut series)], expected);
        }
    }

    #[test]
    fn beyond_the_limit_values_are_kept_without_labels() {
        let mut series = Series::new(UnixNanos(1), Temporality::Cumulative);
        for tool in 0..SERIES_MAX + 50 {
            let mut at = AttributeSet::new();
            at.set(attr::GEN_AI_TOOL_NAME, format!("t{tool}"));
            series.at(&at).record(Metric::ToolExecutions, None, 1.0);
        }
        let all = series.collect(UnixNanos(2));
        assert_eq!(all.len(), SERIES_MAX + 1);
        let rest = all.iter().find(|series| series.attributes.is_empty()).unwrap();
        assert_eq!(rest.value, PointValue::Int(50));
    }
}
