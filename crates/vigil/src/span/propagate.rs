//! W3C trace context over process boundaries.

use vigil_core::id::{SpanContext, SpanId, TraceId};

/// A parent in another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteParent {
    /// Its ids.
    pub context: SpanContext,
    /// Whether its trace is exported.
    pub sampled: bool,
}

/// Reads a `traceparent` value; `None` for anything that is not one.
///
/// Accepts every version but `ff`, as the specification asks: of versions above 00 the first four fields.
pub fn parse_traceparent(text: &str) -> Option<RemoteParent> {
    let text = text.trim();
    let mut fields = text.split('-');
    let (version, trace, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let hex = |field: &str, len| {
        field.len() == len && field.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if !hex(version, 2) || version == "ff" || !hex(flags, 2) || !hex(trace, 32) || !hex(span, 16) {
        return None;
    }
    if version == "00" && fields.next().is_some() {
        return None;
    }
    let context = SpanContext { trace_id: TraceId::from_hex(trace)?, span_id: SpanId::from_hex(span)? };
    Some(RemoteParent { context, sampled: u8::from_str_radix(flags, 16).ok()? & 1 == 1 })
}

pub(crate) fn traceparent(context: SpanContext, sampled: bool) -> String {
    format!("00-{}-{}-{:02x}", context.trace_id, context.span_id, u8::from(sampled))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_round_trips() {
        let parent = parse_traceparent(GOOD).unwrap();
        assert!(parent.sampled);
        assert_eq!(traceparent(parent.context, parent.sampled), GOOD);
        assert!(!parse_traceparent(&GOOD.replace("-01", "-00")).unwrap().sampled);
    }

    #[test]
    fn what_is_not_a_traceparent_is_refused() {
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-extra",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        ] {
            assert_eq!(parse_traceparent(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_future_version_is_read_by_its_first_fields() {
        assert!(parse_traceparent(&format!("cc{}-what-the-future", &GOOD[2..])).is_some());
    }
}
