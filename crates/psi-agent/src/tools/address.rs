//! Which addresses the web tool may connect to: the public internet, and nothing of this machine or its network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of IPv4 that are not the public internet: network, length of its prefix (the IANA special-purpose registry).
const SPECIAL: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 3),
];

/// Ranges inside IPv6's global unicast space (2000::/3) that carry IPv4 addresses or are for documents: first two groups
/// and how many of their 32 bits count.
const SPECIAL_V6: &[(u32, u32)] =
    &[(0x2001_0000, 23), (0x2001_0db8, 32), (0x2002_0000, 16), (0x3fff_0000, 20)];

/// Whether an address is of the public internet. An IPv6 address that stands for an IPv4 one never is: nothing on the
/// web needs to be reached that way.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// Whether an address is of this machine or of a network of its owner's: what a service that the owner named so may have.
pub(super) fn is_own_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_shared = u32::from(v4) >> 22 == u32::from_be_bytes([100, 64, 0, 0]) >> 22;
            v4.is_loopback() || v4.is_private() || is_shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let bits = u32::from(address);
    let within = |(network, length): &([u8; 4], u32)| {
        bits >> (32 - length) == u32::from_be_bytes(*network) >> (32 - length)
    };
    !SPECIAL.iter().any(within)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let high = (u128::from(address) >> 96) as u32;
    let within = |&(network, length): &(u32, u32)| {
        length == 32 && high == network
            || length < 32 && high >> (32 - length) == network >> (32 - length)
    };
    high >> 29 == 1 && !SPECIAL_V6.iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_the_machine_and_its_network_are_not_public() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:a9fe:a9fe",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn networks_of_the_owners_are_told_from_special_ones() {
        for text in
            ["127.0.0.1", "10.1.2.3", "192.168.0.9", "172.20.0.2", "100.100.1.1", "::1", "fd00::1"]
        {
            assert!(is_own_network(text.parse().unwrap()), "{text}");
        }
        for text in [
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "8.8.8.8",
            "::",
            "fe80::1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!is_own_network(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_public() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }
}
