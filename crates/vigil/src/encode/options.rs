//! What the settings ask of the encoding.

/// Limits on attributes, as the specification's `OTEL_*_LIMIT` variables set them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AttributeLimits {
    /// The most attributes a record keeps; further ones are counted in `dropped_attributes_count`.
    /// Defaults to no limit.
    pub count: Option<usize>,
    /// The most characters a text keeps. Defaults to no limit. Cuts anywhere: a text that must stay valid
    /// JSON is trimmed before it gets here.
    pub value_chars: Option<usize>,
}

/// How records are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct EncodeOptions {
    /// Also write what today's backends still read: `gen_ai.system` beside `gen_ai.provider.name`. Defaults
    /// to off.
    pub compat: bool,
    /// Also write what LangSmith filters runs and groups threads by: `langsmith.metadata.*` and `session.id`. Defaults
    /// to off.
    pub langsmith: bool,
    /// Limits for spans.
    pub span_limits: AttributeLimits,
    /// Limits for events.
    pub event_limits: AttributeLimits,
}
