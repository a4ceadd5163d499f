//! Series of metrics to `opentelemetry.proto.metrics.v1.Metric`.

use super::proto;
use super::resource::RECORD;
use super::value::attribute;
use vigil_core::contract::{Instrument, Key, Metric};
use vigil_core::fact::{UnixNanos, Value};

/// The most data points one message holds, so that a large collection can still be split.
pub(super) const POINTS_PER_MESSAGE: usize = 256;

/// What a counter's or histogram's value counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Temporality {
    /// From the start of the process. The default of OTLP.
    #[default]
    Cumulative,
    /// From the collection before.
    Delta,
}

/// One series of a metric at one collection: a data point.
#[derive(Clone, PartialEq, Debug)]
pub struct MetricSeries {
    /// Which metric.
    pub metric: Metric,
    /// What tells this series from the metric's others.
    pub attributes: Vec<(Key, Value)>,
    /// What the value counts from; equal to `time` for a gauge.
    pub start: UnixNanos,
    /// When it was collected.
    pub time: UnixNanos,
    /// The value.
    pub value: PointValue,
}

/// The value of a data point. Whether it is a sum or a gauge, the metric's definition says.
#[derive(Clone, PartialEq, Debug)]
pub enum PointValue {
    /// A whole number, for counters and gauges.
    Int(i64),
    /// A floating point number, for counters and gauges.
    Double(f64),
    /// A distribution, for histograms.
    Histogram(HistogramValue),
}

/// A distribution over the bucket bounds in the metric's definition.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HistogramValue {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// The least, when there is one.
    pub min: Option<f64>,
    /// The greatest, when there is one.
    pub max: Option<f64>,
    /// How many fell into each bucket: one more than there are bounds. A bucket includes its upper bound.
    pub buckets: Vec<u64>,
}

/// Field numbers of `Metric`.
mod field {
    pub(super) const NAME: u32 = 1;
    pub(super) const DESCRIPTION: u32 = 2;
    pub(super) const UNIT: u32 = 3;
    pub(super) const GAUGE: u32 = 5;
    pub(super) const SUM: u32 = 7;
    pub(super) const HISTOGRAM: u32 = 9;
}

/// Field numbers of `Gauge`, `Sum` and `Histogram`.
mod data {
    pub(super) const POINTS: u32 = 1;
    pub(super) const TEMPORALITY: u32 = 2;
    pub(super) const MONOTONIC: u32 = 3;
}

/// Field numbers of `NumberDataPoint` and `HistogramDataPoint`.
mod point {
    pub(super) const START: u32 = 2;
    pub(super) const TIME: u32 = 3;
    pub(super) const AS_DOUBLE: u32 = 4;
    pub(super) const AS_INT: u32 = 6;
    pub(super) const NUMBER_ATTRIBUTES: u32 = 7;
    pub(super) const COUNT: u32 = 4;
    pub(super) const SUM: u32 = 5;
    pub(super) const BUCKET_COUNTS: u32 = 6;
    pub(super) const BOUNDS: u32 = 7;
    pub(super) const HISTOGRAM_ATTRIBUTES: u32 = 9;
    pub(super) const MIN: u32 = 11;
    pub(super) const MAX: u32 = 12;
}

/// Writes one metric with the points of `series`, which are all of the same metric.
pub(super) fn write_metric(out: &mut Vec<u8>, series: &[MetricSeries], temporality: Temporality) {
    let Some(first) = series.first() else { return };
    let def = first.metric.def();
    proto::message(out, RECORD, |out| {
        proto::bytes(out, field::NAME, def.name.as_bytes());
        proto::bytes(out, field::DESCRIPTION, def.doc.trim().as_bytes());
        proto::bytes(out, field::UNIT, def.unit.as_bytes());
        match def.instrument {
            Instrument::Gauge => proto::message(out, field::GAUGE, |out| number_points(out, series)),
            Instrument::Counter => proto::message(out, field::SUM, |out| {
                number_points(out, series);
                proto::uint(out, data::TEMPORALITY, temporality_number(temporality));
                proto::uint(out, data::MONOTONIC, 1);
            }),
            // Sums that go down stay cumulative under either preference, as the specification has it.
            Instrument::UpDownCounter => proto::message(out, field::SUM, |out| {
                number_points(out, series);
                proto::uint(out, data::TEMPORALITY, temporality_number(Temporality::Cumulative));
            }),
            Instrument::Histogram { buckets } => proto::message(out, field::HISTOGRAM, |out| {
                histogram_points(out, series, buckets);
                proto::uint(out, data::TEMPORALITY, temporality_number(temporality));
            }),
        }
    });
}

fn temporality_number(temporality: Temporality) -> u64 {
    match temporality {
        Temporality::Delta => 1,
        Temporality::Cumulative => 2,
    }
}

fn number_points(out: &mut Vec<u8>, series: &[MetricSeries]) {
    for one in series {
        proto::message(out, data::POINTS, |out| {
            times(out, one);
            match &one.value {
                PointValue::Int(number) => proto::fixed64(out, point::AS_INT, *number as u64),
                PointValue::Double(number) => proto::double(out, point::AS_DOUBLE, *number),
                // A distribution for a metric that is a number: its sum is the best number it has.
                PointValue::Histogram(histogram) => proto::double(out, point::AS_DOUBLE, histogram.sum),
            }
            attributes(out, point::NUMBER_ATTRIBUTES, one);
        });
    }
}

fn histogram_points(out: &mut Vec<u8>, series: &[MetricSeries], bounds: &[f64]) {
    for one in series {
        // A number for a metric that is a distribution has nothing a histogram point could hold.
        let PointValue::Histogram(histogram) = &one.value else { continue };
        proto::message(out, data::POINTS, |out| {
            times(out, one);
            proto::fixed64(out, point::COUNT, histogram.count);
            proto::double(out, point::SUM, histogram.sum);
            // Bounds without as many buckets plus one would be refused; count and sum still stand alone.
            if histogram.buckets.len() == bounds.len() + 1 {
                packed(out, point::BUCKET_COUNTS, histogram.buckets.iter().copied());
                packed(out, point::BOUNDS, bounds.iter().map(|bound| bound.to_bits()));
            }
            attributes(out, point::HISTOGRAM_ATTRIBUTES, one);
            if let Some(min) = histogram.min {
                proto::double(out, point::MIN, min);
            }
            if let Some(max) = histogram.max {
                proto::double(out, point::MAX, max);
            }
        });
    }
}

fn times(out: &mut Vec<u8>, one: &MetricSeries) {
    proto::fixed64(out, point::START, one.start.0);
    proto::fixed64(out, point::TIME, one.time.0);
}

fn attributes(out: &mut Vec<u8>, field: u32, one: &MetricSeries) {
    for (key, value) in &one.attributes {
        attribute(out, field, key.name(), value, None);
    }
}

fn packed(out: &mut Vec<u8>, field: u32, values: impl ExactSizeIterator<Item = u64>) {
    proto::delimited(out, field, values.len() * 8);
    for value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}
