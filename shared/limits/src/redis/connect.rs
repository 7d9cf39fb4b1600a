//! The way to Redis: one connection for all, made anew by itself when it breaks; TLS by rustls.

use std::path::PathBuf;
use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{Client, TlsCertificates};
use keyward_secret::Secret;

use super::RedisError;

/// How long a connection may take to stand. Requests do not wait so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Steps that wait for their answer at one time: what is beyond waits, and is late.
const STEPS_MAX: usize = 4_096;

/// Where Redis is.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `redis://` or `rediss://`, with a password if there is one.
    pub url: Secret,
    /// The authorities that may have signed its certificate, a PEM file; the system's where none.
    pub ca_file: Option<PathBuf>,
    /// How long one step is waited for.
    pub timeout: Duration,
}

pub(crate) fn client(config: &RedisConfig) -> Result<Client, RedisError> {
    let url = config.url.expose();
    let client = match &config.ca_file {
        Some(path) => {
            let root_cert = std::fs::read(path).map_err(RedisError::Certificates)?;
            let certificates = TlsCertificates {
                client_tls: None,
                root_cert: Some(root_cert),
            };
            Client::build_with_tls(url, certificates)
        }
        None => Client::open(url),
    };
    client.map_err(RedisError::Unusable)
}

/// A connection that is made when it is first used.
pub(super) fn lazily(client: &Client) -> Result<ConnectionManager, RedisError> {
    let lazy = ConnectionManager::new_lazy_with_config(client.clone(), config());
    lazy.map_err(RedisError::Unusable)
}

/// A connection that stands.
pub(crate) async fn patiently(client: &Client) -> Result<ConnectionManager, RedisError> {
    let connecting = ConnectionManager::new_with_config(client.clone(), config());
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => Ok(connected?),
        Err(_) => Err(RedisError::Late(CONNECT_TIMEOUT)),
    }
}

/// It tries once each time it is asked; how often that is, is for those who ask.
fn config() -> ConnectionManagerConfig {
    ConnectionManagerConfig::new()
        .set_number_of_retries(0)
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(None)
        .set_concurrency_limit(STEPS_MAX)
}
