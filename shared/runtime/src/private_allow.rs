//! What base URLs of key owners may lead to though it is private, as the operator says: read once,
//! asked where a URL is entered and wherever one is dialled.

use std::net::IpAddr;

use ipnet::IpNet;
use url::{Host, Url};

/// The operator's exceptions. By default there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateAllow {
    everything: bool,
    networks: Vec<IpNet>,
    /// In lower case; a leading `*` stands for any beginning.
    names: Vec<String>,
}

/// An entry that is neither an address, a network nor a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no address, network or host name, such as `10.0.0.0/8` or `*.svc.cluster.local`")]
pub struct InvalidEntry(pub String);

/// Why a URL that a customer gave is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RefusedUrl {
    /// No host in it.
    #[error("the URL must name a host")]
    Host,
    /// Not https.
    #[error("the URL must start with https://")]
    Scheme,
    /// A name or password within it.
    #[error("the URL must not have a user name or password in it")]
    UserInfo,
    /// An address instead of a name.
    #[error("the URL must name a host, not an IP address")]
    Literal,
    /// Another port than 443.
    #[error("the URL must not name a port")]
    Port,
}

impl PrivateAllow {
    /// Every address and every name; for tests.
    pub fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// From addresses, networks and names.
    ///
    /// # Errors
    /// [`InvalidEntry`] for the first that is none of these.
    pub fn read<T: AsRef<str>>(entries: &[T]) -> Result<Self, InvalidEntry> {
        let mut allow = Self::default();
        for entry in entries.iter().map(AsRef::as_ref) {
            if let Ok(network) = entry.parse::<IpNet>() {
                allow.networks.push(network);
            } else if let Ok(address) = entry.parse::<IpAddr>() {
                allow.networks.push(IpNet::from(address));
            } else if is_name_pattern(entry) {
                allow.names.push(entry.to_ascii_lowercase());
            } else {
                return Err(InvalidEntry(entry.to_owned()));
            }
        }
        Ok(allow)
    }

    /// Whether nothing is refused.
    pub fn is_everything(&self) -> bool {
        self.everything
    }

    /// Whether a URL's host is excepted: it may then be http, of any port, and at any address.
    pub fn names(&self, host: &str) -> bool {
        if self.everything {
            return true;
        }
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return self.holds(address);
        }
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.names.iter().any(|pattern| fits(pattern, &host))
    }

    /// Checks a URL that a customer gave, as far as can be said without resolving names: https, a
    /// name, no port, nobody's password. What the operator names may be http, of any port, and an
    /// address.
    ///
    /// # Errors
    /// [`RefusedUrl`], which says what is wrong with it.
    pub fn check(&self, url: &Url) -> Result<(), RefusedUrl> {
        let host = url.host().ok_or(RefusedUrl::Host)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RefusedUrl::UserInfo);
        }
        let excepted = url.host_str().is_some_and(|host| self.names(host));
        match url.scheme() {
            "https" => {}
            "http" if excepted => {}
            _ => return Err(RefusedUrl::Scheme),
        }
        if !excepted && !matches!(host, Host::Domain(_)) {
            return Err(RefusedUrl::Literal);
        }
        if !excepted && url.port().is_some() {
            return Err(RefusedUrl::Port);
        }
        Ok(())
    }

    /// Whether an address is excepted, whatever name led to it.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.everything
            || self
                .networks
                .iter()
                .any(|network| network.contains(&address))
    }
}

fn fits(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => host.len() > end.len() && host.ends_with(end),
        None => host == pattern,
    }
}

fn is_name_pattern(entry: &str) -> bool {
    let name = entry.strip_prefix('*').unwrap_or(entry);
    // `*` alone would be every host: that is what `allow_private_base_urls` is for.
    // One that ends in a number is an address with a slip in it: no name does.
    let ends_in_number = name.rsplit('.').next().is_some_and(is_number);
    name.len() > 1
        && !ends_in_number
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

fn is_number(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_operator_names_is_excepted() {
        let allow = PrivateAllow::read(&[
            "10.0.0.0/8",
            "192.168.1.7",
            "::1",
            "*.svc.cluster.local",
            "llm.internal",
        ])
        .unwrap();
        for (host, expect) in [
            ("10.1.2.3", true),
            ("11.1.2.3", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("[::1]", true),
            ("[::2]", false),
            ("vllm.svc.cluster.local", true),
            ("VLLM.svc.cluster.local.", true),
            (".svc.cluster.local", false),
            ("svc.cluster.local.evil.example", false),
            ("llm.internal", true),
            ("a.llm.internal", false),
        ] {
            assert_eq!(allow.names(host), expect, "{host}");
        }
        assert!(allow.holds("10.9.9.9".parse().unwrap()));
        assert!(!allow.holds("127.0.0.1".parse().unwrap()));
        let everything = PrivateAllow::everything();
        assert!(everything.names("any.host") && everything.holds("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_address_network_or_name_is_refused() {
        for wrong in [
            "*",
            "",
            "http://x",
            "a b",
            "10.0.0.0/33",
            "x/24",
            "10.0.0.256",
            "10.0.0",
            "10.0.0.*",
            "*.0.0.1",
        ] {
            assert_eq!(
                PrivateAllow::read(&["10.0.0.0/8", wrong]),
                Err(InvalidEntry(wrong.to_owned()))
            );
        }
    }
}
