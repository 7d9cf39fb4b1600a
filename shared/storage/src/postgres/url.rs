//! Where a Postgres is, as an URL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`. The
//! password is in no message and no `Debug`.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// The address of a database, with whom to sign in as.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(super) config: Config,
    /// Whom to trust, a PEM file; whom browsers trust where there is none.
    pub(super) ca: Option<PathBuf>,
}

/// Why an address is refused. What was given is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no address of a Postgres.
    #[error("expected `postgres://USER:PASSWORD@HOST:PORT/DATABASE`")]
    Malformed,
    /// It says neither where nor whose.
    #[error("a host, a user and a database are needed: `postgres://USER:PASSWORD@HOST/DATABASE`")]
    Incomplete,
    /// A mode that would leave open whether the connection is safe.
    #[error(
        "`sslmode` is `disable`, `require` or `verify-full`; the last two both check the server's \
         certificate, and are what a host elsewhere gets without it"
    )]
    SslMode,
}

impl PostgresUrl {
    /// Whether a text is meant as one.
    pub fn is_meant_by(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`UrlError`]
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if !Self::is_meant_by(text) {
            return Err(UrlError::Malformed);
        }
        let (place, query) = text.split_once('?').unwrap_or((text, ""));
        let mut mode = None;
        let mut ca = None;
        let mut others = ::url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in ::url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => ca = Some(PathBuf::from(value.into_owned())),
                _ => drop(others.append_pair(&name, &value)),
            }
        }
        let rest = [place, &others.finish().replace('+', "%20")].join("?");
        let mut config: Config = rest.parse().map_err(|_| UrlError::Malformed)?;
        if config.get_hosts().is_empty()
            || config.get_user().is_none()
            || config.get_dbname().is_none()
        {
            return Err(UrlError::Incomplete);
        }
        config.ssl_mode(ssl_mode(mode.as_deref(), &config)?);
        Ok(Self { config, ca })
    }
}

/// Never one that an attacker on the way could talk the two sides out of.
fn ssl_mode(wanted: Option<&str>, config: &Config) -> Result<SslMode, UrlError> {
    match wanted {
        Some("disable") => Ok(SslMode::Disable),
        Some("require" | "verify-full") => Ok(SslMode::Require),
        Some(_) => Err(UrlError::SslMode),
        None if config.get_hosts().iter().all(is_here)
            && config.get_hostaddrs().iter().all(IpAddr::is_loopback) =>
        {
            Ok(SslMode::Disable)
        }
        None => Ok(SslMode::Require),
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = name.parse::<IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}

/// Who signs in where, without the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            Some(Host::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let user = self.config.get_user().unwrap_or_default();
        let database = self.config.get_dbname().unwrap_or_default();
        let port = self.config.get_ports().first().copied().unwrap_or(5432);
        write!(f, "postgres://{user}@{host}:{port}/{database}")
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::{PostgresUrl, SslMode, UrlError};

    #[test]
    fn another_machine_is_reached_over_tls_unless_it_is_said_otherwise() {
        for (text, expect) in [
            ("postgres://u:p@db.example/d", Ok(SslMode::Require)),
            ("postgres://u:p@127.0.0.1:5433/d", Ok(SslMode::Disable)),
            ("postgres://u@%2Frun%2Fpostgresql/d", Ok(SslMode::Disable)),
            ("postgresql://u@localhost/d", Ok(SslMode::Disable)),
            ("postgres://u@localhost,db.example/d", Ok(SslMode::Require)),
            (
                "postgres://u@localhost/d?hostaddr=192.0.2.1",
                Ok(SslMode::Require),
            ),
            ("postgres://u:p@db/d?sslmode=disable", Ok(SslMode::Disable)),
            ("postgres://u:p@db/d?sslmode=require", Ok(SslMode::Require)),
            ("postgres://u:p@db/d?sslmode=prefer", Err(UrlError::SslMode)),
            (
                "postgres://u:p@db/d?sslmode=verify-full&sslrootcert=/ca",
                Ok(SslMode::Require),
            ),
            ("postgres://u:p@db/d?colour=blue", Err(UrlError::Malformed)),
            ("postgres://db", Err(UrlError::Incomplete)),
            ("mysql://u:p@db/d", Err(UrlError::Malformed)),
            ("host=db user=u", Err(UrlError::Malformed)),
        ] {
            let mode = PostgresUrl::parse(text).map(|url| url.config.get_ssl_mode());
            assert_eq!(mode, expect, "{text}");
        }
    }

    #[test]
    fn the_password_is_never_shown() {
        let url = PostgresUrl::parse("postgres://u:canary@db:6000/d").unwrap();
        assert_eq!(url.to_string(), "postgres://u@db:6000/d");
        assert!(!format!("{url:?}").contains("canary"));
        for wrong in ["postgres://u:canary@db:x/d", "postgres://u:canary@db/d?a=b"] {
            let error = PostgresUrl::parse(wrong).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("canary"));
        }
    }
}
