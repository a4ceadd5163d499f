//! Who speaks: the resource and the instrumentation scope, encoded once for the life of the process.

use super::proto;
use super::value::attribute;
use std::sync::Arc;
use vigil_core::contract::SCHEMA_URL;
use vigil_core::fact::Value;

/// What every batch of this process says about itself: resource attributes, scope and schema. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Resource {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    /// `ResourceSpans.resource`, with its tag.
    resource: Vec<u8>,
    /// `ScopeSpans.scope`, with its tag.
    scope: Vec<u8>,
    /// `schema_url`, with its tag; the same field in both messages.
    schema_url: Vec<u8>,
}

/// Field numbers that `TracesData`, `LogsData` and `MetricsData` and what is in them have in common.
mod field {
    /// `TracesData.resource_spans` and its siblings.
    pub(super) const RESOURCE_RECORDS: u32 = 1;
    pub(super) const RESOURCE: u32 = 1;
    /// `ResourceSpans.scope_spans` and its siblings.
    pub(super) const SCOPE_RECORDS: u32 = 2;
    pub(super) const SCOPE: u32 = 1;
    pub(super) const SCHEMA_URL: u32 = 3;
}

/// `ScopeSpans.spans`, `ScopeLogs.log_records`, `ScopeMetrics.metrics`.
pub(super) const RECORD: u32 = 2;

impl Resource {
    /// A resource with `attributes`; the scope is `vigil` in this crate's version.
    pub fn new<'a>(attributes: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Self {
        Self::with_scope(attributes, "vigil", env!("CARGO_PKG_VERSION"))
    }

    /// A resource with `attributes` and a scope of another name.
    pub fn with_scope<'a>(
        attributes: impl IntoIterator<Item = (&'a str, &'a Value)>,
        scope_name: &str,
        scope_version: &str,
    ) -> Self {
        let mut resource = Vec::new();
        proto::message(&mut resource, field::RESOURCE, |out| {
            for (key, value) in attributes {
                attribute(out, 1, key, value, None);
            }
        });
        let mut scope = Vec::new();
        proto::message(&mut scope, field::SCOPE, |out| {
            proto::bytes(out, 1, scope_name.as_bytes());
            proto::bytes(out, 2, scope_version.as_bytes());
        });
        let mut schema_url = Vec::new();
        proto::bytes(&mut schema_url, field::SCHEMA_URL, SCHEMA_URL.as_bytes());
        Self { parts: Arc::new(Parts { resource, scope, schema_url }) }
    }

    /// The resource of a request that was written before, from the values of its fields.
    pub(super) fn reread(resource_value: &[u8], scope_value: &[u8], schema_url_value: &[u8]) -> Self {
        let field = |number, value| {
            let mut out = Vec::new();
            proto::bytes(&mut out, number, value);
            out
        };
        let resource = field(field::RESOURCE, resource_value);
        let scope = field(field::SCOPE, scope_value);
        let schema_url = field(field::SCHEMA_URL, schema_url_value);
        Self { parts: Arc::new(Parts { resource, scope, schema_url }) }
    }

    /// As bytes, for [`from_bytes`](Self::from_bytes) in another process.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Parts { resource, scope, schema_url } = &*self.parts;
        let mut out = Vec::new();
        for part in [resource, scope, schema_url] {
            out.extend_from_slice(&(part.len() as u32).to_le_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// What [`to_bytes`](Self::to_bytes) wrote; `None` where it is something else.
    pub(crate) fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut part = || {
            let (len, rest) = bytes.split_first_chunk::<4>()?;
            let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
            bytes = rest;
            Some(part.to_vec())
        };
        let (resource, scope, schema_url) = (part()?, part()?, part()?);
        Some(Self { parts: Arc::new(Parts { resource, scope, schema_url }) })
    }

    /// A complete request around `records` (each with its tag and length), and where in it they begin.
    pub(super) fn wrap(&self, records: &[u8]) -> (Vec<u8>, usize) {
        let Parts { resource, scope, schema_url } = &*self.parts;
        let scope_len = scope.len() + records.len() + schema_url.len();
        let scope_records_len = 1 + proto::varint_len(scope_len as u64) + scope_len;
        let resource_len = resource.len() + scope_records_len + schema_url.len();

        let mut body = Vec::with_capacity(resource_len + 11);
        proto::delimited(&mut body, field::RESOURCE_RECORDS, resource_len);
        body.extend_from_slice(resource);
        proto::delimited(&mut body, field::SCOPE_RECORDS, scope_len);
        body.extend_from_slice(scope);
        let records_at = body.len();
        body.extend_from_slice(records);
        body.extend_from_slice(schema_url);
        body.extend_from_slice(schema_url);
        (body, records_at)
    }

    /// The bytes a request has beside its records, at most.
    pub(super) fn overhead(&self) -> usize {
        let Parts { resource, scope, schema_url } = &*self.parts;
        resource.len() + scope.len() + 2 * schema_url.len() + 22
    }
}
