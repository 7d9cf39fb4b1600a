//! Which addresses a base URL of a key's owner may lead to: public ones, and those that the
//! operator names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// What the operator lets be reached though private.
#[derive(Debug, Clone, Default)]
pub struct Exceptions {
    all: bool,
    networks: Vec<IpNet>,
    /// Host names; a leading `*` stands for any beginning.
    hosts: Vec<String>,
}

/// An entry of `providers.private_allow` that is neither an address, a network nor a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("providers.private_allow: {0:?} is no address, network or host name")]
pub struct InvalidException(pub String);

impl Exceptions {
    /// Reads `providers.private_allow`; `all` is `providers.allow_private_base_urls`.
    pub fn new(entries: &[String], all: bool) -> Result<Self, InvalidException> {
        let mut exceptions = Self {
            all,
            ..Self::default()
        };
        for entry in entries {
            if let Ok(network) = entry.parse::<IpNet>() {
                exceptions.networks.push(network);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                exceptions.networks.push(IpNet::from(address));
            } else if is_host_pattern(entry) {
                exceptions.hosts.push(entry.to_ascii_lowercase());
            } else {
                return Err(InvalidException(entry.clone()));
            }
        }
        Ok(exceptions)
    }

    /// Whether a host may be reached by plain http and at any address.
    pub(super) fn names(&self, host: &str) -> bool {
        if self.all {
            return true;
        }
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return self.holds(address);
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.hosts
            .iter()
            .any(|pattern| match pattern.strip_prefix('*') {
                Some(end) => host.len() > end.len() && host.ends_with(end),
                None => host == *pattern,
            })
    }

    /// Whether an address may be dialled.
    pub(super) fn allows(&self, address: IpAddr) -> bool {
        self.all || is_public(address) || self.holds(address)
    }

    fn holds(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

fn is_host_pattern(entry: &str) -> bool {
    let name = entry.strip_prefix('*').unwrap_or(entry);
    // `*` alone would be every host: that is what `allow_private_base_urls` is for.
    name.len() > 1
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = address.is_unspecified()
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast();
    let this_network = a == 0;
    let carrier_grade_nat = a == 100 && (64..128).contains(&b);
    let protocol_assignments = (a, b, c) == (192, 0, 0);
    let six_to_four_relay = (a, b, c) == (192, 88, 99);
    let benchmarking = a == 198 && (b == 18 || b == 19);
    let future = a >= 240;
    !(reserved
        || this_network
        || carrier_grade_nat
        || protocol_assignments
        || six_to_four_relay
        || benchmarking
        || future)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(v4) = embedded_v4(address) {
        return is_public_v4(v4);
    }
    let segments = address.segments();
    // Only 2000::/3 is given out for the internet; all else is local or reserved.
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let documentation = segments[0] == 0x2001 && segments[1] == 0x0db8
        || segments[0] == 0x3fff && segments[1] < 0x1000;
    // 2001::/23: Teredo, benchmarking, ORCHID.
    let special = segments[0] == 0x2001 && segments[1] < 0x0200;
    global_unicast && !documentation && !special
}

/// The address of version 4 that one of version 6 leads to: mapped, compatible, NAT64, 6to4.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let from = |high: u16, low: u16| Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match segments {
        [0, 0, 0, 0, 0, 0xffff | 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => from(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_refused_in_every_disguise() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "100::1",
            "64:ff9b:1::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ];
        for address in public {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn only_what_the_operator_names_is_excepted() {
        let entries = [
            "10.0.0.0/8",
            "192.168.1.7",
            "*.svc.cluster.local",
            "llm.internal",
        ];
        let entries = entries.map(str::to_owned);
        let exceptions = Exceptions::new(&entries, false).unwrap();
        for (host, named) in [
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("vllm.svc.cluster.local", true),
            ("VLLM.svc.cluster.local.", true),
            (".svc.cluster.local", false),
            ("svc.cluster.local.evil.com", false),
            ("llm.internal", true),
            ("a.llm.internal", false),
        ] {
            assert_eq!(exceptions.names(host), named, "{host}");
        }
        assert!(exceptions.allows("10.9.9.9".parse().unwrap()));
        assert!(!exceptions.allows("127.0.0.1".parse().unwrap()));
        assert!(
            Exceptions::new(&[], true)
                .unwrap()
                .allows("127.0.0.1".parse().unwrap())
        );
        for wrong in ["*", "", "http://x", "a b"] {
            assert!(
                Exceptions::new(&[wrong.to_owned()], false).is_err(),
                "{wrong:?}"
            );
        }
    }
}
