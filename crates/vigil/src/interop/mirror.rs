//! Vigil's spans as `tracing` spans.
//!
//! Each kind of span is one callsite whose fields are the contract's attributes for that kind, free text left
//! out: `tracing` drops fields that were not declared without a word, and the table declares them all.

use crate::record::format::{AttrRef, EndedAs, ValueRef};
use crate::span::Ambient;
use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use tracing::field::Value;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Level, dispatcher};
use tracing_core::callsite::{self, Callsite};
use tracing_core::field::{Field, FieldSet};
use tracing_core::metadata::Kind;
use tracing_core::span::Id;
use tracing_core::subscriber::Interest;
use tracing_core::{Metadata, identify_callsite};
use vigil_core::contract::{COMMON, SpanKind, attr};
use vigil_core::fact::Attributes;
use vigil_core::id::SpanContext;

/// The target of every mirror.
pub(super) const TARGET: &str = "vigil";
/// The level of every mirror.
pub(super) const LEVEL: Level = Level::INFO;

const OTEL_NAME: &str = "otel.name";
const OTEL_KIND: &str = "otel.kind";
const OTEL_STATUS: &str = "otel.status_code";
const TRACE_ID: &str = "vigil.trace_id";
const SPAN_ID: &str = "vigil.span_id";

/// Fields a span may have at its start; there is none with more than half as many.
const START_FIELDS_MAX: usize = 16;

/// Whether a subscriber may want spans of this level: one relaxed load.
#[inline]
pub(crate) fn is_anyone_interested() -> bool {
    LEVEL <= STATIC_MAX_LEVEL && LEVEL <= LevelFilter::current()
}

/// The `tracing` span of a span of Vigil's; `None` when no subscriber wants it.
///
/// It is made with the subscriber that has the parent's mirror: ids of one subscriber mean nothing to another,
/// and some panic when they meet one. Without such a parent it is below the `tracing` span that is current.
#[cold]
pub(crate) fn mirror(
    parent: Option<&tracing::Span>,
    ambient: Option<Ambient>,
    context: Option<SpanContext>,
    kind: SpanKind,
    target: &str,
    attributes: &[AttrRef<'_>],
) -> Option<tracing::Span> {
    let site = Site::of(kind)?;
    let make = |parent: Option<Id>| {
        if !site.is_enabled() {
            return None;
        }
        let _made_for = MadeFor::set(ambient);
        Some(new_span(site, parent, context, kind, target, attributes))
    };
    match parent.filter(|parent| !parent.is_disabled()) {
        None => make(None),
        Some(parent) => {
            let made =
                parent.with_subscriber(|(id, dispatch)| dispatcher::with_default(dispatch, || make(Some(id.clone()))));
            made.flatten()
        }
    }
}

fn new_span(
    site: &'static Site,
    parent: Option<Id>,
    context: Option<SpanContext>,
    kind: SpanKind,
    target: &str,
    attributes: &[AttrRef<'_>],
) -> tracing::Span {
    let operation =
        crate::assemble::default_operation(kind).map(|operation| (attr::GEN_AI_OPERATION_NAME, operation.into()));
    let said = attributes.iter().any(|(key, _)| *key == attr::GEN_AI_OPERATION_NAME);
    let attributes: Vec<AttrRef<'_>> = operation
        .filter(|_| !said)
        .into_iter()
        .chain(attributes.iter().map(|(key, value)| match value {
            ValueRef::Target => (*key, target.into()),
            value => (*key, *value),
        }))
        .collect();
    let mut known = Attributes::new();
    for (key, value) in &attributes {
        if let (false, ValueRef::Str(text)) = (key.is_text(), value) {
            known.set(*key, (*text).to_owned());
        }
    }
    let name = kind.span_name(&known, target);
    let (trace, span) = context.map(|ids| (ids.trace_id.to_string(), ids.span_id.to_string())).unwrap_or_default();
    let mut shown: Vec<(&str, ValueRef<'_>)> =
        vec![(OTEL_NAME, (&*name).into()), (OTEL_KIND, kind.def().otlp_kind.as_str().into())];
    if context.is_some() {
        shown.extend([(TRACE_ID, (&*trace).into()), (SPAN_ID, (&*span).into())]);
    }
    shown.extend(attributes.iter().filter(|(key, _)| !key.is_text()).map(|(key, value)| (key.name(), signed(*value))));

    let metadata = Site::metadata(site);
    let set = metadata.fields();
    let fields: Vec<(Field, &dyn Value)> =
        shown.iter().filter_map(|(name, value)| Some((set.field(name)?, plain(value)?))).collect();
    let Some(first) = set.iter().next() else { return tracing::Span::none() };
    let mut values: [(&Field, Option<&dyn Value>); START_FIELDS_MAX] = [(&first, None); START_FIELDS_MAX];
    for (slot, (field, value)) in values.iter_mut().zip(&fields) {
        *slot = (field, Some(*value));
    }
    // Undocumented but what the macros of `tracing` expand to, and what `tracing-log` leans on: there is no other
    // way to have fields that come from a table.
    let values = set.value_set(&values);
    match parent {
        Some(parent) => tracing::Span::child_of(parent, metadata, &values),
        None => tracing::Span::new(metadata, &values),
    }
}

/// Numbers as OTLP has them: a layer that knows no others shows the rest as text.
fn signed(value: ValueRef<'_>) -> ValueRef<'_> {
    match value {
        ValueRef::Unsigned(number) => ValueRef::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        other => other,
    }
}

fn plain<'a>(value: &'a ValueRef<'_>) -> Option<&'a dyn Value> {
    Some(match value {
        ValueRef::Str(text) => text,
        ValueRef::Int(number) => number,
        ValueRef::Double(number) => number,
        ValueRef::Bool(truth) => truth,
        _ => return None,
    })
}

/// Shows what became known of a span, free text left out.
#[cold]
pub(crate) fn record(mirror: &tracing::Span, attributes: &[AttrRef<'_>]) {
    for (key, value) in attributes.iter().filter(|(key, _)| !key.is_text()) {
        match &signed(*value) {
            ValueRef::Only(item) => mirror.record(key.name(), tracing::field::debug([item])),
            #[cfg(test)]
            ValueRef::StrList(list) => mirror.record(key.name(), tracing::field::debug(list)),
            ValueRef::Str(text) => mirror.record(key.name(), *text),
            ValueRef::Int(number) => mirror.record(key.name(), *number),
            ValueRef::Double(number) => mirror.record(key.name(), *number),
            ValueRef::Bool(truth) => mirror.record(key.name(), *truth),
            // Only a start has a target, and times since it are shown as seconds.
            ValueRef::Target | ValueRef::Until(_) | ValueRef::Unsigned(_) => mirror,
        };
    }
}

/// Shows how a span ended, when that was not well, and closes its mirror.
///
/// The mirror is let go with its subscriber as the default: the registry closes parents through the default
/// one, and a span that ends where another subscriber rules would leave them open for ever.
#[cold]
pub(crate) fn close(mirror: tracing::Span, ended: EndedAs<'_>) {
    match ended {
        EndedAs::Ok => {}
        EndedAs::Error(error) => {
            record(&mirror, &[(attr::VIGIL_OUTCOME, "error".into()), (attr::ERROR_TYPE, error.into())]);
            mirror.record(OTEL_STATUS, "ERROR");
        }
        EndedAs::Cancelled => record(&mirror, &[(attr::VIGIL_OUTCOME, "cancelled".into())]),
    }
    let dispatch = mirror.with_subscriber(|(_, dispatch)| dispatch.clone());
    if let Some(dispatch) = dispatch {
        dispatcher::with_default(&dispatch, || drop(mirror));
    }
}

thread_local! {
    static MADE_FOR: RefCell<Option<Ambient>> = const { RefCell::new(None) };
}

/// Tells [`layer`](super::layer) whose mirror is being made on this thread.
struct MadeFor;

impl MadeFor {
    fn set(ambient: Option<Ambient>) -> Self {
        MADE_FOR.try_with(|made_for| made_for.replace(ambient)).ok();
        Self
    }
}

impl Drop for MadeFor {
    fn drop(&mut self) {
        MADE_FOR.try_with(RefCell::take).ok();
    }
}

/// The span of Vigil's whose mirror is being made on this thread.
pub(super) fn made_for() -> Option<Ambient> {
    MADE_FOR.try_with(|made_for| made_for.borrow().clone()).ok().flatten()
}

// === callsites ===

/// At least as many as there are kinds of spans.
const SITES: usize = 32;

static ALL: [Site; SITES] = sites();

const fn sites() -> [Site; SITES] {
    let mut sites = [const { Site::new() }; SITES];
    let mut index = 0;
    while index < SITES {
        sites[index].index = index as u8;
        index += 1;
    }
    sites
}

/// The callsite of one kind of span.
struct Site {
    index: u8,
    metadata: OnceLock<Metadata<'static>>,
    registered: AtomicBool,
    interest: AtomicU8,
}

const NEVER: u8 = 0;
const SOMETIMES: u8 = 1;
const ALWAYS: u8 = 2;

impl Site {
    const fn new() -> Self {
        Self {
            index: 0,
            metadata: OnceLock::new(),
            registered: AtomicBool::new(false),
            interest: AtomicU8::new(SOMETIMES),
        }
    }

    fn of(kind: SpanKind) -> Option<&'static Self> {
        let site = ALL.get(usize::from(kind.index()))?;
        // Not a `Once`: registering calls the host's subscribers, and those may start spans themselves.
        if !site.registered.swap(true, Ordering::AcqRel) {
            callsite::register(site);
        }
        Some(site)
    }

    fn metadata(site: &'static Self) -> &'static Metadata<'static> {
        site.metadata.get_or_init(|| {
            let kind = SpanKind::from_index(site.index);
            let name = kind.map_or(TARGET, |kind| kind.def().operation.unwrap_or(kind.id()));
            // Once a kind for the life of the process: metadata must be static.
            let fields = FieldSet::new(Vec::leak(field_names(kind)), identify_callsite!(site));
            Metadata::new(name, TARGET, LEVEL, None, None, Some(TARGET), fields, Kind::SPAN)
        })
    }

    fn is_enabled(&'static self) -> bool {
        match self.interest.load(Ordering::Relaxed) {
            NEVER => false,
            ALWAYS => true,
            _ => dispatcher::get_default(|dispatch| dispatch.enabled(Self::metadata(self))),
        }
    }
}

fn field_names(kind: Option<SpanKind>) -> Vec<&'static str> {
    let mut names = vec![OTEL_NAME, OTEL_KIND, OTEL_STATUS, TRACE_ID, SPAN_ID];
    if let Some(def) = kind.map(SpanKind::def) {
        for key in def.required.iter().chain(def.attributes).chain(COMMON).filter(|key| !key.is_text()) {
            if !names.contains(&key.name()) {
                names.push(key.name());
            }
        }
    }
    names
}

impl Callsite for Site {
    fn set_interest(&self, interest: Interest) {
        let interest = if interest.is_never() {
            NEVER
        } else if interest.is_always() {
            ALWAYS
        } else {
            SOMETIMES
        };
        self.interest.store(interest, Ordering::Relaxed);
    }

    fn metadata(&self) -> &Metadata<'_> {
        Site::metadata(&ALL[usize::from(self.index) % SITES])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_span_has_a_callsite_with_its_attributes_but_no_free_text() {
        assert!(SpanKind::all().len() <= SITES);
        for kind in SpanKind::all() {
            let site = Site::of(kind).unwrap();
            let metadata = Callsite::metadata(site);
            assert_eq!(metadata.target(), TARGET);
            assert_eq!(metadata.callsite(), identify_callsite!(site));
            for key in kind.def().required.iter().chain(kind.def().attributes) {
                assert_eq!(metadata.fields().field(key.name()).is_some(), !key.is_text(), "{kind:?} {key}");
            }
        }
        assert_eq!(Site::metadata(Site::of(SpanKind::Chat).unwrap()).name(), "chat");
        assert_eq!(Site::metadata(Site::of(SpanKind::Tool).unwrap()).name(), "execute_tool");
    }
}
