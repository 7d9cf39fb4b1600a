//! Where the gateway is, and with which access key it is asked.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use keyward_runtime::settings::{Environment, Settings};
use keyward_secret::Secret;
use url::{Host, Url};

use super::Options;
use super::client::Client;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::bootstrap;

/// Where a gateway listens unless it is told otherwise.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// What to do without an access key.
const NO_KEY: &str = "\
Put it into the variable KEYWARD_ACCESS_KEY, or into a file that `--access-key-file` or
KEYWARD_ACCESS_KEY_FILE names. The first start of a gateway prints one, or leaves it in
`admin-key` in its data folder; `keyward access create` makes more.";

/// An access key, and where it came from.
pub(super) struct Access {
    key: Secret,
    origin: String,
}

impl Access {
    fn new(key: &str, origin: impl Into<String>) -> Self {
        Self {
            key: Secret::new(key.trim()),
            origin: origin.into(),
        }
    }

    fn of_file(path: &Path, said_by: &str) -> Result<Self, Failure> {
        let origin = format!("{said_by} ({})", path.display());
        match std::fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => Ok(Self::new(&text, origin)),
            Ok(_) => Err(Failure::new(
                Exit::Access,
                format!("the access key's file of {origin} is empty"),
            )),
            Err(error) => Err(Failure::of(
                Exit::Access,
                anyhow::Error::new(error)
                    .context(format!("cannot read the access key's file of {origin}")),
            )),
        }
    }

    /// The header that it is sent in, marked so that it is not printed.
    pub(super) fn header(&self) -> Result<HeaderValue, Failure> {
        let text = Secret::new(format!("Bearer {}", self.key.expose()));
        let Ok(mut value) = HeaderValue::from_str(text.expose()) else {
            let message = format!("the access key of {} is no access key", self.origin);
            return Err(Failure::new(Exit::Access, message).hint("One begins with `kw_`."));
        };
        value.set_sensitive(true);
        Ok(value)
    }

    /// What to do where it is refused.
    pub(super) fn refused_hint(&self) -> String {
        format!(
            "The access key came from {}.\nIt may be mistyped, expired or revoked, or belong to \
             another gateway.",
            self.origin
        )
    }
}

/// Connects with what the options and the environment say.
pub(super) fn client(
    options: &Options,
    environment: &Environment,
    output: Output,
) -> Result<Client, Failure> {
    let base = base(options, environment)?;
    let access = access(options, environment, &base, output)?;
    if base.scheme() == "http" && !is_local(&base) {
        output.note(format_args!(
            "Warning: {base} is not encrypted: your access key can be read on the way. Use https."
        ));
    }
    let act_in = options.act_in.as_deref().map(organization).transpose()?;
    Client::new(base, access, act_in)
}

fn base(options: &Options, environment: &Environment) -> Result<Url, Failure> {
    let (text, origin) = match (&options.url, given(environment, "KEYWARD_URL")) {
        (Some(url), _) => (url.as_str(), "`--url`"),
        (None, Some(url)) => (url, "KEYWARD_URL"),
        (None, None) => (DEFAULT_URL, "the default"),
    };
    parse_base(text).ok_or_else(|| {
        Failure::usage(format!("{origin} is no address of a gateway")).hint(format!(
            "One looks like {DEFAULT_URL}, without a path such as `/v1`."
        ))
    })
}

/// An address, if it can be that of a gateway. What only looks like one would be asked with a key.
pub(super) fn parse_base(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    let plain = url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    let path = url.path().trim_end_matches('/');
    let is_base = ["http", "https"].contains(&url.scheme()) && !path.ends_with("/v1");
    (plain && anonymous && is_base && url.has_host()).then_some(url)
}

fn organization(name: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(name)
        .map_err(|_| Failure::usage("`--act-in` is no name of an organisation"))
}

fn access(
    options: &Options,
    environment: &Environment,
    base: &Url,
    output: Output,
) -> Result<Access, Failure> {
    if let Some(path) = &options.access_key_file {
        return Access::of_file(path, "`--access-key-file`");
    }
    if let Some(key) = given(environment, "KEYWARD_ACCESS_KEY") {
        return Ok(Access::new(key, "KEYWARD_ACCESS_KEY"));
    }
    if let Some(path) = given(environment, "KEYWARD_ACCESS_KEY_FILE") {
        return Access::of_file(Path::new(path), "KEYWARD_ACCESS_KEY_FILE");
    }
    if let Some(path) = admin_key_file(environment).filter(|_| is_local(base)) {
        output.note(format_args!(
            "Using the admin's access key in {}.",
            path.display()
        ));
        return Access::of_file(&path, "the gateway's data folder");
    }
    Err(Failure::new(Exit::Access, "there is no access key").hint(NO_KEY))
}

/// The file of the admin's key, if there is one here. Where settings cannot be read there is none.
fn admin_key_file(environment: &Environment) -> Option<PathBuf> {
    let settings = Settings::load(environment).ok()?;
    Some(bootstrap::admin_key_file(&settings)).filter(|path| path.is_file())
}

/// Whether what is asked is on this machine: nobody else is shown the admin's key unasked.
pub(super) fn is_local(base: &Url) -> bool {
    match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// A variable that is set to something.
fn given<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment
        .get(name)
        .filter(|value| !value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::{is_local, parse_base};

    #[test]
    fn only_a_gateways_address_is_one() {
        for good in [
            "http://127.0.0.1:8080",
            "https://llm.example/keyward/",
            " http://[::1]:1 ",
        ] {
            assert!(parse_base(good).is_some(), "{good}");
        }
        for bad in [
            "127.0.0.1:8080",
            "ftp://x",
            "http://x/v1",
            "http://x/v1/",
            "http://kw_key@x",
            "http://:kw_key@x",
            "http://x?key=1",
            "",
        ] {
            assert!(parse_base(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_admins_key_is_sent_unasked_to_this_machine_alone() {
        let check = |url: &str, expect: bool| {
            assert_eq!(is_local(&Url::parse(url).unwrap()), expect, "{url}");
        };
        check("http://127.0.0.1:8080", true);
        check("http://localhost:1", true);
        check("http://[::1]:1", true);
        check("http://10.0.0.1", false);
        check("http://127.0.0.1.example.com", false);
        check("https://llm.example", false);
    }
}
