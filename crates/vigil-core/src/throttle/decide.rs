//! From evidence to a verdict.
//!
//! Everything that counts becomes a candidate: codes, headers, a gRPC status, sentences, a bare status. The strongest
//! tier decides how the service throttles; windows of quotas and the size of a stated wait may then say that a limit
//! is a quota; what is left open (what is counted, when to come again, whose it is) is filled in from the rest.

use super::headers::{self, FromHeaders, Reset};
use super::observation::{Grpc, Observation};
use super::rules::codes::{CODES, EXCEPTIONS};
use super::rules::refine::Refine;
use super::rules::{Tells, Tier};
use super::text::{self, Reading, TimeSaid};
use super::time::{Clock, instant};
use super::verdict::Throttle;
use super::{MAX_WAIT, service};
use crate::fact::UnixNanos;
use crate::vocab::ThrottleClass::{self, Overloaded, Quota, RateLimit};
use crate::vocab::{LimitScope, ProviderCode, Service, ServiceCategory, ThrottleRule};
use std::time::Duration;

/// From this wait on a model provider's limit is a quota: nobody backs off for longer. As Gemini CLI has it.
const LONG_WAIT: Duration = Duration::from_secs(300);
/// How far around a verdict a text makes it more precise, in bytes before and after.
const BEFORE: usize = 1 << 10;
const AFTER: usize = 6 << 10;

/// Something that says a service throttles, and where in the text it does.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    tells: Tells,
    at: Option<usize>,
}

/// Whether a downstream service throttles, from what is known.
///
/// Any bytes may be given; the time it takes is linear in them.
pub fn classify(observation: &Observation<'_>) -> Option<Throttle> {
    classify_with_place(observation).map(|(throttle, _)| throttle)
}

/// The verdict, and where in the text it was said last; nowhere when only the status or headers say it.
pub(super) fn classify_with_place(observation: &Observation<'_>) -> Option<(Throttle, Option<usize>)> {
    // What is no status of HTTP says nothing.
    let http_status = observation.http_status.filter(|status| (100..600).contains(status));
    let observation = &Observation { http_status, ..*observation };
    let clock = Clock { now: observation.now, utc_offset_seconds: observation.utc_offset_seconds };
    let known = observation.service.and_then(service::named).or_else(|| observation.tool.and_then(service::of_tool));
    let told = headers::read(observation.headers, clock);
    let reading = text::read(observation, known, clock);
    Case { observation, known, clock, told, reading }.verdict()
}

/// All evidence of one observation.
struct Case<'a> {
    observation: &'a Observation<'a>,
    /// The service, as the caller knows it.
    known: Option<Service>,
    clock: Clock,
    told: FromHeaders,
    reading: Reading,
}

impl Case<'_> {
    fn verdict(&self) -> Option<(Throttle, Option<usize>)> {
        let known = self.known;
        let mut candidates: Vec<Candidate> =
            self.reading.verdicts.iter().map(|(tells, at)| Candidate { tells: *tells, at: Some(*at) }).collect();
        candidates.extend(self.of_headers());
        candidates.extend(self.observation.grpc.as_ref().and_then(of_grpc));
        candidates.extend(self.of_status());
        if self.reading.refines.iter().any(|(refine, _)| *refine == Refine::Veto) {
            candidates.retain(|candidate| candidate.tells.tier >= Tier::Exact);
        }
        let last_said = candidates.iter().filter_map(|candidate| candidate.at).max();
        let mut decisive = *candidates.iter().max_by_key(|candidate| weight(&candidate.tells))?;
        // A ramp-up that is too fast is a rate; a server that has no room says it with 503.
        if decisive.tells.code == Some(ProviderCode::SlowDown) && self.observation.http_status == Some(503) {
            decisive.tells.class = Overloaded;
        }
        let service = known.or_else(|| self.told_service(&decisive, &candidates)).unwrap_or(Service::Other);
        let wait = self.wait(&decisive, service);
        self.apply_windows(&mut decisive, service);
        let is_long = wait.is_some_and(|wait| wait > LONG_WAIT) && service.category() == ServiceCategory::Provider;
        // A quota that is back after a short wait is a rate.
        let is_of_quota = matches!(decisive.tells.rule, ThrottleRule::ProseQuota | ThrottleRule::ProseMoney);
        if is_of_quota && decisive.tells.class == Quota && wait.is_some_and(|wait| wait <= LONG_WAIT) {
            decisive.tells =
                Tells { class: RateLimit, rule: ThrottleRule::WaitShort, scope: LimitScope::Unknown, ..decisive.tells };
        }
        if is_long && decisive.tells.class == RateLimit && !self.is_too_large(&decisive) {
            decisive.tells.class = Quota;
            decisive.tells.rule = ThrottleRule::WaitLong;
        }
        let agreeing = || candidates.iter().filter(|candidate| candidate.tells.class == decisive.tells.class);
        // Of what says the same, the strongest evidence is told of.
        if decisive.tells.rule.evidence() > crate::vocab::EvidenceKind::Wait
            && let Some(coded) = agreeing().find(|candidate| candidate.tells.tier == Tier::SoftCode)
        {
            decisive.tells.rule = coded.tells.rule;
        }
        let code = decisive.tells.code.or_else(|| candidates.iter().find_map(|candidate| candidate.tells.code));
        let scope = self.scope(&decisive, agreeing().map(|candidate| candidate.tells.scope));
        let (reset_at, reset_stated) = self.reset(&decisive, service);
        let limit = self.told.exhausted().or_else(|| self.told.limits.iter().find(|limit| limit.scope == scope));
        let throttle = Throttle {
            service,
            class: decisive.tells.class,
            scope,
            retryable: self.is_retryable(&decisive, service),
            retry_after: wait,
            reset_at,
            reset_stated,
            limit: limit.and_then(|limit| limit.limit),
            remaining: limit.and_then(|limit| limit.remaining),
            code,
            http_status: self.observation.http_status.or(self.reading.status),
            rule: decisive.tells.rule,
        };
        Some((throttle, last_said))
    }

    /// The service, as the evidence tells it.
    fn told_service(&self, decisive: &Candidate, candidates: &[Candidate]) -> Option<Service> {
        let host = self.near(decisive).find_map(|refine| match refine {
            Refine::Host(service) => Some(service),
            _ => None,
        });
        // Whoever says the same comes before whoever says something else.
        let services = |agrees: bool| {
            let others = candidates.iter().filter(move |other| (other.tells.class == decisive.tells.class) == agrees);
            others.filter_map(|other| other.tells.service)
        };
        let said = || services(true).chain(services(false)).next();
        self.told.service.or(host).or(decisive.tells.service).or_else(said)
    }

    /// What headers say about a request that failed.
    fn of_headers(&self) -> Vec<Candidate> {
        let status = self.observation.http_status;
        if status.is_some_and(|status| status < 400) {
            return Vec::new();
        }
        let tells = |tier, class, scope, rule| Tells { tier, class, scope, service: None, code: None, rule };
        let mut found = Vec::new();
        if self.told.unified_rejected && status.is_none_or(|status| status == 429) {
            found.push(tells(Tier::Firm, Quota, LimitScope::SubscriptionWindow, ThrottleRule::HeaderUnifiedRejected));
        }
        if let Some(code) = self.told.codex_reached {
            let is_money = code.as_str().contains("credits");
            let scope = if is_money { LimitScope::Credits } else { LimitScope::SubscriptionWindow };
            let rule = ThrottleRule::HeaderCodexReached;
            found.push(Tells { code: Some(code), ..tells(Tier::Firm, Quota, scope, rule) });
        }
        if let Some(class) = &self.told.amazon_error
            && let Some(known) = EXCEPTIONS.iter().find(|exception| exception.text == class.as_str())
        {
            found.push(Tells { rule: ThrottleRule::HeaderAmazonErrorType, ..known.tells });
        }
        let is_refused = matches!(status, Some(403 | 429));
        if let Some(limit) = self.told.exhausted().filter(|_| is_refused) {
            found.push(tells(Tier::SoftCode, RateLimit, limit.scope, ThrottleRule::HeaderNothingRemaining));
        }
        if self.told.retry_after.is_some() || self.told.retry_at.is_some() {
            let is_github =
                self.known.or(self.told.service).is_some_and(|service| service.category() == ServiceCategory::Github);
            let scope = if is_github { LimitScope::Secondary } else { LimitScope::Unknown };
            match status {
                Some(403 | 429) => found.push(tells(Tier::Status, RateLimit, scope, ThrottleRule::HeaderRetryAfter)),
                Some(503 | 529) => found.push(tells(Tier::Status, Overloaded, scope, ThrottleRule::HeaderRetryAfter)),
                _ => {}
            }
        }
        found.into_iter().map(|tells| Candidate { tells, at: None }).collect()
    }

    /// What the status says alone.
    fn of_status(&self) -> Option<Candidate> {
        let category = self.known.or(self.told.service).map(Service::category);
        let is_provider = category == Some(ServiceCategory::Provider);
        let (class, scope, rule) = match self.observation.http_status? {
            429 => (RateLimit, LimitScope::Unknown, ThrottleRule::StatusTooManyRequests),
            529 => (Overloaded, LimitScope::Unknown, ThrottleRule::StatusOverloaded),
            503 if is_provider || category == Some(ServiceCategory::TelemetryExport) => {
                (Overloaded, LimitScope::Unknown, ThrottleRule::StatusOverloaded)
            }
            402 if is_provider => (Quota, LimitScope::Credits, ThrottleRule::StatusPaymentRequired),
            509 => (Quota, LimitScope::Bandwidth, ThrottleRule::StatusPaymentRequired),
            _ => return None,
        };
        let tells = Tells { tier: Tier::Status, class, scope, service: None, code: None, rule };
        Some(Candidate { tells, at: None })
    }

    /// What makes a verdict more precise: what stands near it, or anywhere if it stands nowhere.
    fn near(&self, candidate: &Candidate) -> impl Iterator<Item = Refine> {
        let at = candidate.at;
        let is_near = move |place: usize| at.is_none_or(|at| place + BEFORE >= at && place <= at + AFTER);
        self.reading.refines.iter().filter(move |(_, place)| is_near(*place)).map(|(refine, _)| *refine)
    }

    /// The windows of quotas, which say whether a limit is one to wait for.
    fn apply_windows(&self, decisive: &mut Candidate, service: Service) {
        let stands = *decisive;
        let tells = &mut decisive.tells;
        if tells.tier == Tier::Firm || tells.class == Overloaded {
            return;
        }
        let near = || self.near(&stands);
        let long = near().find_map(|refine| match refine {
            Refine::LongWindow(scope) => Some(scope),
            _ => None,
        });
        let is_of_quota = matches!(tells.rule, ThrottleRule::ProseQuota | ThrottleRule::ProseMoney);
        if near().any(|refine| refine == Refine::NoQuota) {
            (tells.class, tells.rule) = (Quota, ThrottleRule::WindowNone);
            tells.scope = long.unwrap_or(LimitScope::Unknown);
        } else if let Some(scope) = long.filter(|_| tells.class == RateLimit || is_of_quota) {
            (tells.class, tells.rule, tells.scope) = (Quota, ThrottleRule::WindowLong, scope);
        } else if near().any(|refine| refine == Refine::ShortWindow) && is_of_quota {
            (tells.class, tells.rule, tells.scope) = (RateLimit, ThrottleRule::WindowShort, LimitScope::Unknown);
        } else if tells.rule == ThrottleRule::ProseQuota
            && matches!(service, Service::GoogleGemini | Service::GoogleVertex | Service::GeminiCli)
        {
            // Google says the same of every quota: it is not about money.
            tells.scope = LimitScope::Unknown;
        }
    }

    fn scope(&self, decisive: &Candidate, others: impl Iterator<Item = LimitScope>) -> LimitScope {
        // What a plan does not have is not counted.
        if decisive.tells.scope != LimitScope::Unknown || decisive.tells.rule == ThrottleRule::WindowNone {
            return decisive.tells.scope;
        }
        // GraphQL says it by a code alone; what it counts are points of requests.
        let is_graphql = matches!(decisive.tells.code, Some(ProviderCode::RateLimited | ProviderCode::RateLimitError))
            && self.known.is_some_and(|service| service.category() == ServiceCategory::Github);
        let near = self.near(decisive).filter_map(|refine| match refine {
            Refine::Scope(scope) => Some(scope),
            _ => None,
        });
        let told = self.told.exhausted().map(|limit| limit.scope);
        let others =
            others.filter(|scope| *scope != LimitScope::Unknown && decisive.tells.rule != ThrottleRule::ProseQuota);
        near.max_by_key(|scope| precision(*scope))
            .or_else(|| others.max_by_key(|scope| precision(*scope)))
            .or(told)
            .or(is_graphql.then_some(LimitScope::Requests))
            .unwrap_or(LimitScope::Unknown)
    }

    fn is_retryable(&self, decisive: &Candidate, service: Service) -> bool {
        // Without a delay an exporter must not send again (OTLP, "throttling").
        let is_final = self.observation.grpc.is_some_and(|grpc| grpc.code == 8 && grpc.retry_delay.is_none())
            && service.category() == ServiceCategory::TelemetryExport;
        decisive.tells.class != Quota && !self.is_too_large(decisive) && !is_final
    }

    /// Whether the request is larger than its limit, so that the same one never passes.
    fn is_too_large(&self, decisive: &Candidate) -> bool {
        self.observation.http_status == Some(413) || self.near(decisive).any(|refine| refine == Refine::TooLarge)
    }

    /// How long to wait, as the service says: by a header, by a field, by a sentence.
    fn wait(&self, decisive: &Candidate, service: Service) -> Option<Duration> {
        let told = self
            .told
            .retry_after
            .or_else(|| self.observation.grpc.and_then(|grpc| grpc.retry_delay).map(|wait| wait.min(MAX_WAIT)));
        let said = self.times(decisive).filter_map(|time| match time {
            TimeSaid::Wait(lead, wait) => Some((lead, wait)),
            TimeSaid::Reset(..) => None,
        });
        // Fields come before sentences, and of several the first counts.
        let said = || said.min_by_key(|(lead, _)| std::cmp::Reverse(*lead)).map(|(_, wait)| wait);
        let until = || {
            self.told
                .retry_at
                .and_then(|instant| instant.at)
                .filter(|_| self.clock.now.0 > 0)
                .map(|at| self.clock.now.until(at).min(MAX_WAIT))
        };
        let limit = || match self.told.exhausted()?.reset? {
            Reset::After(wait) if service.category() != ServiceCategory::Github => Some(wait),
            _ => None,
        };
        told.or_else(said).or_else(until).or_else(limit)
    }

    /// When to come again, as the service says.
    fn reset(&self, decisive: &Candidate, service: Service) -> (Option<UnixNanos>, Option<super::StatedTime>) {
        let said = self.times(decisive).filter_map(|time| match time {
            TimeSaid::Reset(lead, instant) => Some((lead, instant)),
            TimeSaid::Wait(..) => None,
        });
        let said = said.min_by_key(|(lead, _)| std::cmp::Reverse(*lead)).map(|(_, instant)| instant);
        let limit = || {
            let is_github = service.category() == ServiceCategory::Github;
            let hit = self.told.exhausted().or_else(|| self.told.limits.first().filter(|_| is_github));
            let unified = || self.told.limits.iter().find(|limit| limit.scope == LimitScope::SubscriptionWindow);
            match hit.or_else(|| unified().filter(|_| self.told.unified_rejected))?.reset? {
                Reset::At(instant) => Some(instant),
                // GitHub's are always seconds since the epoch.
                Reset::After(wait) if is_github => {
                    let seconds = wait.as_secs();
                    Some(instant::from_epoch(
                        &seconds.to_string(),
                        i64::try_from(seconds).unwrap_or(i64::MAX),
                        self.clock,
                    ))
                }
                Reset::After(_) => None,
            }
        };
        let instant = said.or(self.told.retry_at).or_else(limit);
        (instant.and_then(|instant| instant.at), instant.and_then(|instant| instant.stated))
    }

    fn times(&self, decisive: &Candidate) -> impl Iterator<Item = TimeSaid> {
        let at = decisive.at;
        let is_near = move |place: usize| at.is_none_or(|at| place + BEFORE >= at && place <= at + AFTER);
        self.reading.times.iter().filter(move |(_, place)| is_near(*place)).map(|(time, _)| *time)
    }
}

/// What a gRPC status says.
fn of_grpc(grpc: &Grpc<'_>) -> Option<Candidate> {
    let tells = |tier, class| Tells {
        tier,
        class,
        scope: LimitScope::Unknown,
        service: None,
        code: (class == RateLimit).then_some(ProviderCode::ResourceExhausted),
        rule: ThrottleRule::CodeGrpc,
    };
    let mut found = match grpc.code {
        8 => Some(tells(Tier::SoftCode, RateLimit)),
        14 if grpc.retry_delay.is_some() => Some(tells(Tier::SoftCode, Overloaded)),
        _ => None,
    };
    for reason in grpc.reasons.iter().take(16) {
        if let Some(code) = CODES.iter().find(|code| code.text.eq_ignore_ascii_case(reason)) {
            found = Some(code.tells);
        } else if reason.contains("PerDay") {
            found =
                Some(Tells { scope: LimitScope::Daily, rule: ThrottleRule::WindowLong, ..tells(Tier::Firm, Quota) });
        }
    }
    found.map(|tells| Candidate { tells, at: None })
}

/// What decides: the stronger tier, then money before windows before room before rates.
fn weight(tells: &Tells) -> (Tier, u8, u8) {
    let class = match tells.class {
        Quota => 2,
        Overloaded => 1,
        RateLimit => 0,
    };
    let rule = match tells.rule {
        ThrottleRule::ProseMoney => 3,
        ThrottleRule::ProsePlanWindow => 2,
        ThrottleRule::ProseQuota => 1,
        _ => 0,
    };
    let class = if tells.tier >= Tier::Exact { class } else { ThrottleClass::ALL.len() as u8 };
    (tells.tier, class, rule + u8::from(tells.scope != LimitScope::Unknown))
}

/// How much a scope says.
fn precision(scope: LimitScope) -> u8 {
    match scope {
        LimitScope::Unknown => 0,
        LimitScope::Requests => 1,
        LimitScope::Tokens => 2,
        _ => 3,
    }
}

/// The instant after `now` by `wait`, at most [`MAX_WAIT`] away.
pub(super) fn after(now: UnixNanos, wait: Duration) -> Option<UnixNanos> {
    let nanos = u64::try_from(wait.min(MAX_WAIT).as_nanos()).ok()?;
    now.0.checked_add(nanos).map(UnixNanos)
}
