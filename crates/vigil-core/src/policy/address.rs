//! Which addresses are of the public internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` belongs to the public internet: not this machine, not a private, link-local, shared,
/// reserved, documentation, benchmarking or multicast range (the IANA registries of special-purpose addresses as
/// of 2026), and not an IPv6 form of such an IPv4 address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let octets = address.octets();
    let special = match octets {
        // "This network", of which 0.0.0.0 reaches the own machine on many systems.
        [0, ..] => true,
        [10, ..] | [127, ..] => true,
        // Carrier-grade NAT; also where some clouds keep their metadata.
        [100, 64..=127, ..] => true,
        // Link-local, with the metadata services of most clouds at 169.254.169.254.
        [169, 254, ..] => true,
        [172, 16..=31, ..] | [192, 168, ..] => true,
        // Protocol assignments; 192.0.0.9 and .10 are public anycast, and nothing an agent asks for.
        [192, 0, 0, _] => true,
        // Documentation.
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        // 6to4 relays, and AS112.
        [192, 88, 99, _] | [192, 31, 196, _] | [192, 52, 193, _] | [192, 175, 48, _] => true,
        // Benchmarking.
        [198, 18..=19, ..] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let low = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // ::, ::1, and IPv4 as IPv6, mapped and (long obsolete) compatible.
        [0, 0, 0, 0, 0, 0xffff | 0, high, tail] => segments[5] == 0xffff && low(high, tail),
        // IPv4 behind a translator, public and local-use.
        [0x64, 0xff9b, 0, 0, 0, 0, high, tail] => low(high, tail),
        [0x64, 0xff9b, 1, ..] => false,
        // 6to4 holds an IPv4 address.
        [0x2002, high, tail, ..] => low(high, tail),
        // Teredo, ORCHID, benchmarking and other protocol assignments; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // What is left of 2000::/3 is global unicast; nothing else is.
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}
