//! The host's own `tracing` spans and events in Vigil's traces.
//!
//! What happens on Vigil's own threads is not recorded, nor are Vigil's spans as they show up in `tracing`:
//! nothing feeds back. After shutdown nothing is recorded any more.

use super::mirror::{self, TARGET};
use crate::host::Fields;
use crate::record::Recorder;
use crate::record::format::AttrRef;
use crate::span::{Ambient, Parent, Span};
use crate::telemetry::Telemetry;
use std::marker::PhantomData;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_core::subscriber::Interest;
use tracing_subscriber::layer::{Context, Filter, Layer};
use tracing_subscriber::registry::{LookupSpan, SpanRef};
use vigil_core::contract::{EventKind, SpanKind, attr};
use vigil_core::vocab::Severity;

/// A layer that lets the host's `tracing` spans and events of level INFO and above join the traces of
/// `telemetry`; see [`layer_with_level`] for others, and add a filter of your own with
/// [`with_filter`](Layer::with_filter) to choose by target.
///
/// It does not keep telemetry alive, and does nothing when telemetry is off.
pub fn layer<S>(telemetry: &Telemetry) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    layer_with_level(telemetry, LevelFilter::INFO)
}

/// [`layer`] for spans and events of `level` and above. Other layers of the subscriber see what they saw before.
pub fn layer_with_level<S>(telemetry: &Telemetry, level: LevelFilter) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let recorder = telemetry.recorder();
    let level = if recorder.is_some() { level } else { LevelFilter::OFF };
    HostLayer { recorder, root: telemetry.root_parent(), subscriber: PhantomData }.with_filter(HostFilter { level })
}

/// What the layer wants to see: the host's spans and events up to a level, and Vigil's own spans as they show
/// up in `tracing`, so that a host's span with one of those as its parent finds it.
struct HostFilter {
    level: LevelFilter,
}

impl HostFilter {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        if self.level == LevelFilter::OFF {
            return false;
        }
        if metadata.target() == TARGET { metadata.is_span() } else { *metadata.level() <= self.level }
    }
}

impl<S> Filter<S> for HostFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.wants(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let off = self.level == LevelFilter::OFF;
        Some(if off { self.level } else { self.level.max(LevelFilter::from_level(mirror::LEVEL)) })
    }
}

/// The layer behind [`layer`].
struct HostLayer<S> {
    /// Not the telemetry value: a subscriber may live as long as the process, and the last telemetry value that
    /// is dropped delivers.
    recorder: Option<&'static Recorder>,
    root: Parent,
    subscriber: PhantomData<fn(S)>,
}

/// What is kept with a span of the subscriber: one for each telemetry value that has a layer there.
#[derive(Default)]
struct Kept(Vec<Joined>);

enum Joined {
    /// A span of Vigil's, as it shows up in `tracing`.
    Mirror(Ambient),
    /// A span of the host's, and its fields where content may be recorded.
    Host { span: Span, fields: Fields },
}

impl Joined {
    fn ambient(&self) -> Option<Ambient> {
        match self {
            Joined::Mirror(ambient) => Some(ambient.clone()),
            Joined::Host { span, .. } => span.ambient(),
        }
    }
}

fn belongs(joined: &Joined, recorder: &'static Recorder) -> bool {
    joined.ambient().is_some_and(|ambient| std::ptr::eq(ambient.recorder, recorder))
}

impl<S> HostLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    /// The recorder, where something may be recorded.
    fn open(&self) -> Option<&'static Recorder> {
        self.recorder.filter(|recorder| !recorder.is_closed() && !crate::shell::is_own_thread())
    }

    /// What `span` stands for in Vigil's trace.
    fn joined(&self, span: &SpanRef<'_, S>) -> Option<Ambient> {
        let recorder = self.recorder?;
        let extensions = span.extensions();
        extensions.get::<Kept>()?.0.iter().find(|joined| belongs(joined, recorder))?.ambient()
    }

    /// The span of Vigil's trace that `id` or the nearest span above it stands for.
    fn nearest(&self, id: &Id, context: &Context<'_, S>) -> Option<Ambient> {
        context.span(id)?.scope().find_map(|span| self.joined(&span))
    }

    fn keep(&self, span: &SpanRef<'_, S>, joined: Joined) {
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Kept>() {
            Some(kept) => kept.0.push(joined),
            None => extensions.insert(Kept(vec![joined])),
        }
    }
}

impl<S> Layer<S> for HostLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (Some(recorder), Some(span)) = (self.open(), context.span(id)) else { return };
        let metadata = attributes.metadata();
        if metadata.target() == TARGET {
            if let Some(ambient) = mirror::made_for().filter(|ambient| std::ptr::eq(ambient.recorder, recorder)) {
                self.keep(&span, Joined::Mirror(ambient));
            }
            return;
        }
        let above = match attributes.parent() {
            Some(parent) => self.nearest(parent, &context),
            None if attributes.is_root() => None,
            None => Ambient::of(recorder),
        };
        let parent = above.map_or(self.root, |above| above.as_parent());
        let mut fields = Fields::default();
        if recorder.content {
            attributes.record(&mut fields);
        }
        let started = Span::start(recorder, parent, SpanKind::Host, metadata.name(), &origin(metadata));
        self.keep(&span, Joined::Host { span: started, fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(recorder) = self.open().filter(|recorder| recorder.content) else { return };
        let Some(span) = context.span(id) else { return };
        // Read before the lock is taken: a foreign `Debug` may do anything.
        let mut more = Fields::default();
        values.record(&mut more);
        let mut extensions = span.extensions_mut();
        let kept = extensions.get_mut::<Kept>().and_then(|kept| kept.0.iter_mut().find(|one| belongs(one, recorder)));
        if let Some(Joined::Host { fields, .. }) = kept {
            fields.extend(more);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let Some(recorder) = self.open() else { return };
        let metadata = event.metadata();
        if metadata.target() == TARGET {
            return;
        }
        let above = match event.parent() {
            Some(parent) => self.nearest(parent, &context),
            None if event.is_root() => None,
            None => Ambient::of(recorder),
        };
        let above = above.map(|above| (above.context.trace_id, above.context.span_id));
        let [target, level] = origin(metadata);
        if !recorder.content {
            recorder.event(EventKind::HostLog, above, None, severity(metadata.level()), &[target, level]);
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.take_message();
        let fields = fields.to_json();
        let mut attributes = vec![target, level];
        attributes.extend(message.as_deref().map(|message| (attr::VIGIL_HOST_MESSAGE, message.into())));
        attributes.extend(fields.as_deref().map(|fields| (attr::VIGIL_HOST_FIELDS, fields.into())));
        recorder.event(EventKind::HostLog, above, None, severity(metadata.level()), &attributes);
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        if let Some(ambient) = context.span(id).and_then(|span| self.joined(&span)) {
            ambient.enter();
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        if let Some(ambient) = context.span(id).and_then(|span| self.joined(&span)) {
            Ambient::leave(ambient.entered());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let (Some(recorder), Some(span)) = (self.recorder, context.span(&id)) else { return };
        let joined = {
            let mut extensions = span.extensions_mut();
            let Some(kept) = extensions.get_mut::<Kept>() else { return };
            let Some(place) = kept.0.iter().position(|joined| belongs(joined, recorder)) else { return };
            kept.0.swap_remove(place)
        };
        if let Joined::Host { span, fields } = joined {
            if let Some(fields) = fields.to_json() {
                span.set(&*fields, |fields| [(attr::VIGIL_HOST_FIELDS, (*fields).into())]);
            }
            span.finish();
        }
    }
}

fn origin<'a>(metadata: &Metadata<'a>) -> [AttrRef<'a>; 2] {
    let level = match *metadata.level() {
        Level::TRACE => "trace",
        Level::DEBUG => "debug",
        Level::INFO => "info",
        Level::WARN => "warn",
        Level::ERROR => "error",
    };
    [(attr::VIGIL_HOST_TARGET, metadata.target().into()), (attr::VIGIL_HOST_LEVEL, level.into())]
}

fn severity(level: &Level) -> Severity {
    match *level {
        Level::TRACE => Severity::Trace,
        Level::DEBUG => Severity::Debug,
        Level::INFO => Severity::Info,
        Level::WARN => Severity::Warn,
        Level::ERROR => Severity::Error,
    }
}
