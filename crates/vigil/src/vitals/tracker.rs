//! What the assembler keeps for the vitals, and hands out once a round where something changed.

use super::window::Window;
use super::{Seen, ServicePressure, Shown, SlowCall};
use arc_swap::ArcSwap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::fact::{AnyValue, AttributeSet, EventData, Outcome, SpanData, Text, UnixNanos};
use vigil_core::usage::Usage;
use vigil_core::vocab::{EconomicMode, ErrorType, OperatingMode, Phase};

/// From when on work under way is slow.
pub(crate) const SLOW_AFTER: Duration = Duration::from_secs(5);
/// The most slow calls that are told of.
pub(crate) const SLOW_MAX: usize = 16;
/// The most services whose treatment is kept; the one that was quiet longest gives way.
const SERVICES_MAX: usize = 16;
/// Tool calls the failure rate is made of.
const TOOLS: u32 = 32;
/// What fades is handed out this often when nothing else changes.
const REFRESH: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// What is under way.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Glance {
    pub(crate) phase: Option<(Phase, UnixNanos)>,
    pub(crate) slow: Vec<SlowCall>,
}

#[derive(Debug, Default)]
struct Service {
    name: Text,
    /// Throttled, served.
    tries: Window<2>,
    last_throttled: UnixNanos,
    last: UnixNanos,
    wait_until: Option<UnixNanos>,
}

#[derive(Debug)]
pub(crate) struct Tracker {
    seen: Seen,
    /// Tokens, nano-dollars.
    spent: Window<2>,
    first_call: Option<UnixNanos>,
    /// The last tool calls, the youngest in the lowest bit; failed ones are 1.
    tools: u32,
    services: Vec<Service>,
    /// When the economic mode was said to change.
    mode_changed: Option<UnixNanos>,
    glance: Glance,
    changed: bool,
    shown: Arc<ArcSwap<Shown>>,
}

impl Tracker {
    pub(crate) fn new(shown: Arc<ArcSwap<Shown>>) -> Self {
        Self {
            seen: Seen::default(),
            spent: Window::default(),
            first_call: None,
            tools: 0,
            services: Vec::new(),
            mode_changed: None,
            glance: Glance::default(),
            changed: false,
            shown,
        }
    }

    /// Takes in a finished span. `usage` is what a model call used, where that was read already.
    pub(crate) fn span(&mut self, span: &SpanData<'_>, usage: Option<Usage>) {
        self.state(&span.attributes, span.start);
        match span.kind {
            SpanKind::Chat | SpanKind::Embeddings => self.call(span, usage),
            SpanKind::Tool => {
                let failed = matches!(span.outcome, Outcome::Error(_));
                self.tools = self.tools << 1 | u32::from(failed);
                self.seen.tools_recent = (self.seen.tools_recent + 1).min(TOOLS);
                self.seen.tools_recent_failed = self.tools.count_ones();
            }
            _ => return,
        }
        self.changed = true;
        match span.outcome {
            Outcome::Ok => self.seen.error_streak = 0,
            Outcome::Error(_) => self.seen.error_streak = self.seen.error_streak.saturating_add(1),
            // Given up: neither one nor the other.
            Outcome::Cancelled => {}
        }
    }

    fn call(&mut self, span: &SpanData<'_>, usage: Option<Usage>) {
        let at = &span.attributes;
        let usage = usage.unwrap_or_else(|| Usage::of_call(at));
        let tokens = usage.input().unwrap_or(0).saturating_add(usage.output().unwrap_or(0));
        let nano_usd = at.int(attr::VIGIL_COST_NANO_USD).and_then(|nano| u64::try_from(nano).ok()).unwrap_or(0);
        self.seen.tokens = self.seen.tokens.saturating_add(tokens);
        self.seen.nano_usd = self.seen.nano_usd.saturating_add(nano_usd);
        self.seen.unpriced_calls += u64::from(at.get(attr::VIGIL_COST_UNPRICED_MODELS).is_some());
        self.spent.add(span.end, [tokens, nano_usd]);
        self.first_call.get_or_insert(span.start);
        if span.kind == SpanKind::Chat && !usage.is_empty() {
            self.seen.context_tokens = Some(tokens);
        }
        if let Some(provider) = at.str(attr::GEN_AI_PROVIDER_NAME) {
            match &span.outcome {
                Outcome::Ok => self.service(provider, span.end).tries.add(span.end, [0, 1]),
                Outcome::Error(error) if is_throttle(error.as_str()) => {
                    // Where it was retried, or told of as an event, that counts already.
                    if at.int(attr::VIGIL_RETRY_COUNT).unwrap_or(0) == 0 {
                        self.throttled(provider, span.end, None);
                    }
                }
                Outcome::Error(_) | Outcome::Cancelled => {}
            }
        }
    }

    /// Takes in an event. `provider` is whom the call it happened in asks, where it happened in one.
    pub(crate) fn event(&mut self, event: &EventData<'_>, provider: Option<&str>) {
        let at = &event.attributes;
        let wait = |key| at.int(key).and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
        match event.kind {
            EventKind::Retry if at.str(attr::VIGIL_RETRY_REASON).is_some_and(is_throttle) => {
                self.throttled(provider.unwrap_or("unknown"), event.time, wait(attr::VIGIL_RETRY_DELAY_MS));
            }
            EventKind::DownstreamRateLimit => {
                let service = at.str(attr::DOWNSTREAM_PROVIDER).or_else(|| at.str(attr::DOWNSTREAM_SERVICE));
                self.throttled(service.unwrap_or("unknown"), event.time, wait(attr::DOWNSTREAM_RETRY_AFTER_MS));
            }
            EventKind::ModeTransition => {
                self.seen.operating_mode =
                    at.str(attr::LIFE_MODE_TO).and_then(|word| OperatingMode::from_str(word).ok());
            }
            EventKind::EconomicModeTransition => {
                let mode = at.str(attr::AUTONOMIC_ECONOMIC_MODE_TO);
                self.seen.economic_mode = mode.and_then(|word| EconomicMode::from_str(word).ok());
                self.mode_changed = Some(event.time);
            }
            _ => return,
        }
        self.changed = true;
    }

    /// What the agent said about itself, on whatever span.
    fn state(&mut self, at: &AttributeSet<'_>, start: UnixNanos) {
        if let Some(AnyValue::Double(pressure)) = at.get(attr::LIFE_STATE_CONTEXT_PRESSURE) {
            self.seen.context_pressure = Some(*pressure);
            self.changed = true;
        }
        let economic = at.str(attr::AUTONOMIC_ECONOMIC_MODE).and_then(|word| EconomicMode::from_str(word).ok());
        // A span that was under way when the mode changed tells of the mode before.
        if economic.is_some() && self.mode_changed.is_none_or(|changed| changed < start) {
            self.seen.economic_mode = economic;
            self.changed = true;
        }
    }

    fn throttled(&mut self, service: &str, time: UnixNanos, wait: Option<Duration>) {
        let service = self.service(service, time);
        service.tries.add(time, [1, 0]);
        service.last_throttled = time;
        let until =
            |wait: Duration| UnixNanos(time.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)));
        service.wait_until = wait.map(until).or(service.wait_until);
    }

    fn service(&mut self, name: &str, now: UnixNanos) -> &mut Service {
        let place = match self.services.iter().position(|service| service.name == name) {
            Some(place) => place,
            None => {
                if self.services.len() >= SERVICES_MAX {
                    let quiet = (0..self.services.len()).min_by_key(|place| self.services[*place].last);
                    self.services.swap_remove(quiet.unwrap_or(0));
                }
                self.services.push(Service { name: name.to_owned().into(), ..Service::default() });
                self.services.len() - 1
            }
        };
        let service = &mut self.services[place];
        service.last = now;
        service
    }

    /// Records that were lost after they were recorded, in all.
    pub(crate) fn lost(&mut self, records: u64) {
        self.changed |= self.seen.lost != records;
        self.seen.lost = records;
    }

    /// Whether it is time to look after what changes slowly.
    pub(crate) fn is_due(&self, now: UnixNanos) -> bool {
        self.seen.as_of.until(now) >= REFRESH
    }

    /// Hands out what is known at `now`, if there is anything new.
    pub(crate) fn show(&mut self, now: UnixNanos, glance: Glance) {
        if !self.changed && self.glance == glance && !self.is_due(now) {
            return;
        }
        self.changed = false;
        self.seen.as_of = now;
        self.seen.phase = glance.phase;
        self.seen.slow.clone_from(&glance.slow);
        self.glance = glance;
        [self.seen.recent_tokens, self.seen.recent_nano_usd] = self.spent.sums(now);
        self.seen.recent = self.first_call.map_or(Duration::ZERO, |first| first.until(now).min(MINUTE));
        let services = self.services.iter_mut().filter_map(|service| {
            let [throttled, served] = service.tries.sums(now);
            (throttled > 0).then(|| ServicePressure {
                service: service.name.clone(),
                throttled,
                served,
                last_throttled: service.last_throttled,
                wait_until: service.wait_until,
            })
        });
        self.seen.throttles = services.collect();
        self.shown.rcu(|shown| shown.seeing(&self.seen));
    }
}

fn is_throttle(word: &str) -> bool {
    [ErrorType::RATE_LIMIT, ErrorType::OVERLOADED, ErrorType::QUOTA].iter().any(|error| error.as_str() == word)
}
