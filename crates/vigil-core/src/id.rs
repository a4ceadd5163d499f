//! Trace and span ids.
//!
//! Ids are either random (a live run, made by the SDK) or derived from a foreign record's own session,
//! message and call ids, so that seeing the record twice gives the same spans. Derivation is FNV-1a
//! (64 and 128 bit) over length-prefixed parts, finished by splitmix64: stable across versions and platforms by definition, not
//! a security boundary.

use std::fmt;

/// A W3C trace id: 16 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct TraceId(pub [u8; 16]);

/// A W3C span id: 8 bytes, not all zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct SpanId(pub [u8; 8]);

/// What a child needs to know of its parent, and what travels in `traceparent`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SpanContext {
    /// The trace the span belongs to.
    pub trace_id: TraceId,
    /// The span itself.
    pub span_id: SpanId,
}

const FNV64_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV64_PRIME: u64 = 0x0000_0100_0000_01b3;
const FNV128_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV128_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

fn bytes_of<'a>(parts: &'a [&'a str]) -> impl Iterator<Item = u8> + 'a {
    parts.iter().flat_map(|part| (part.len() as u32).to_le_bytes().into_iter().chain(part.bytes()))
}

impl TraceId {
    /// The id derived from `parts`, the same for the same parts always and everywhere.
    pub fn derived(parts: &[&str]) -> Self {
        let mut hash = FNV128_OFFSET;
        for byte in bytes_of(parts) {
            hash = (hash ^ u128::from(byte)).wrapping_mul(FNV128_PRIME);
        }
        // Each half mixed, so that a sampler that looks at some of the bits sees an even spread.
        let (high, low) = (mix((hash >> 64) as u64), mix(hash as u64));
        Self((u128::from(high) << 64 | u128::from(low)).max(1).to_be_bytes())
    }

    /// Reads 32 lower- or upper-case hexadecimal digits; `None` for anything else and for all zeros.
    pub fn from_hex(text: &str) -> Option<Self> {
        let id = Self(parse_hex(text)?);
        (id.0 != [0; 16]).then_some(id)
    }
}

impl SpanId {
    /// The id derived from `parts`, the same for the same parts always and everywhere.
    pub fn derived(parts: &[&str]) -> Self {
        let mut hash = FNV64_OFFSET;
        for byte in bytes_of(parts) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(FNV64_PRIME);
        }
        // FNV's low bits carry the last byte; mixing spreads them.
        Self(mix(hash).max(1).to_be_bytes())
    }

    /// Reads 16 lower- or upper-case hexadecimal digits; `None` for anything else and for all zeros.
    pub fn from_hex(text: &str) -> Option<Self> {
        let id = Self(parse_hex(text)?);
        (id.0 != [0; 8]).then_some(id)
    }
}

/// The finaliser of splitmix64: every bit of the input reaches every bit of the output.
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let nibble = |digit: u8| (digit as char).to_digit(16).map(|value| value as u8);
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

macro_rules! hex_format {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}
hex_format!(TraceId);
hex_format!(SpanId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_pinned() {
        // Changing these breaks the promise that a recording imported again gives the same spans.
        assert_eq!(TraceId::derived(&["claude", "s1"]).to_string(), "72c15dc34931e4bdc88e4dbe0e35b113");
        assert_eq!(SpanId::derived(&["s1", "chat", "msg_01"]).to_string(), "8871d6efa0f364c9");
        assert_ne!(SpanId::derived(&["ab", "c"]), SpanId::derived(&["a", "bc"]));
        assert_ne!(SpanId::derived(&["a"]), SpanId::derived(&["a", ""]));
    }

    #[test]
    fn hex_round_trips_and_rejects_the_rest() {
        let id = TraceId::derived(&["x"]);
        assert_eq!(TraceId::from_hex(&id.to_string()), Some(id));
        for bad in ["", "00000000000000000000000000000000", "0", "zz", &"g".repeat(32), &"é".repeat(16)] {
            assert_eq!(TraceId::from_hex(bad), None, "{bad}");
        }
    }
}
