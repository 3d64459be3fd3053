//! Which addresses are of the public internet. All others are refused unless an operator says otherwise: the node's own machine, its
//! network, and what only looks like another address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of IPv4 that are not of the public internet: first address, bits of the prefix, what they are.
const NOT_PUBLIC: [(Ipv4Addr, u32, &str); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 31, 196, 0), 24, "protocol"),
    (Ipv4Addr::new(192, 52, 193, 0), 24, "protocol"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast"),
];

/// Ranges of IPv6 inside `2000::/3`, which is all that is public, that are not: first two segments, bits of the prefix, what they are.
/// Those that carry an address of IPv4 are refused whatever it is, as a gateway would take it out and go there.
const NOT_PUBLIC_V6: [(u32, u32, &str); 5] = [
    (0x2001_0000, 23, "Teredo or protocol"),
    (0x2001_0db8, 32, "documentation"),
    (0x2002_0000, 16, "6to4"),
    (0x2620_004f, 32, "protocol"),
    (0x3fff_0000, 20, "documentation"),
];

/// What an address is, where it is not of the public internet.
pub(super) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => not_public_v4(address),
        IpAddr::V6(address) => not_public_v6(address),
    }
}

fn not_public_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(address);
    NOT_PUBLIC.iter().find(|(first, prefix, _)| (bits ^ u32::from(*first)) >> (32 - prefix) == 0).map(|(_, _, class)| *class)
}

fn not_public_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [first, second, ..] = address.segments();
    match first {
        _ if address.is_loopback() => return Some("loopback"),
        _ if address.is_unspecified() => return Some("unspecified"),
        _ if address.to_ipv4().is_some() => return Some("IPv4-mapped"),
        0x64 if second == 0xff9b => return Some("NAT64"),
        0xfe80..=0xfebf => return Some("link-local"),
        0xfec0..=0xfeff => return Some("site-local"),
        0xfc00..=0xfdff => return Some("private"),
        0xff00..=0xffff => return Some("multicast"),
        0x2000..=0x3fff => {}
        _ => return Some("reserved"),
    }
    let bits = u32::from(first) << 16 | u32::from(second);
    NOT_PUBLIC_V6.iter().find(|(start, prefix, _)| (bits ^ start) >> (32 - prefix) == 0).map(|(_, _, class)| *class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_that_is_not_public_is_refused_to_its_last_address() {
        let refused = [
            ("loopback", vec!["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"]),
            ("unspecified", vec!["0.0.0.0", "0.255.255.255", "::"]),
            ("link-local", vec!["169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::1", "febf::1"]),
            ("private", vec!["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"]),
            ("private", vec!["fc00::", "fd00::1", "fd00:ec2::254", "fdff:ffff::"]),
            ("carrier-grade NAT", vec!["100.64.0.0", "100.100.100.200", "100.127.255.255"]),
            ("benchmarking", vec!["198.18.0.0", "198.19.255.255"]),
            ("documentation", vec!["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"]),
            ("multicast", vec!["224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"]),
            ("reserved or broadcast", vec!["240.0.0.1", "255.255.255.255"]),
            ("protocol", vec!["192.0.0.1", "192.0.0.170", "192.31.196.1", "192.52.193.1", "2620:4f:8000::1"]),
            ("6to4 relay", vec!["192.88.99.1"]),
            ("IPv4-mapped", vec!["::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8", "::2"]),
            ("NAT64", vec!["64:ff9b::127.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1"]),
            ("6to4", vec!["2002:7f00:1::", "2002:808:808::1"]),
            ("Teredo or protocol", vec!["2001::1", "2001:0:4136:e378::", "2001:10::1", "2001:20::1", "2001:1ff::1"]),
            ("site-local", vec!["fec0::1"]),
            ("reserved", vec!["100::1", "1000::", "4000::1", "::ffff:0:127.0.0.1", "5f00::1"]),
        ];
        for (class, addresses) in refused {
            for address in addresses {
                assert_eq!(not_public(address.parse().unwrap()), Some(class), "{address}");
            }
        }
    }

    #[test]
    fn what_lies_beside_them_is_public() {
        for address in [
            "1.0.0.0",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2a00::1",
        ] {
            assert_eq!(not_public(address.parse().unwrap()), None, "{address}");
        }
    }
}
