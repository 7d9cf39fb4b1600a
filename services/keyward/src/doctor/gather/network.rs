//! What answers in the network. Every question has a time of its own, and nothing secret is sent but
//! the access key to the gateway that it is for.

pub(crate) mod live;
pub(crate) mod peers;
pub(crate) mod providers;
pub(crate) mod redis;
pub(crate) mod route;
pub(crate) mod telemetry;
pub(crate) mod transit;

use std::error::Error as _;
use std::time::Duration;

use keyward_auth::{Connection, Introduction, Peer};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use url::Url;

use super::Subject;

/// How long any one of them may take: longer than a slow handshake, shorter than patience.
const LIMIT: Duration = Duration::from_secs(4);

/// What a health service says.
enum Health {
    Serves,
    NotReady,
    /// There is a health service, and it does not know the service that was asked for.
    Unknown,
    /// There is none, and why.
    None(String),
}

/// Asks the health service of a role over gRPC; the empty name is the whole process. Where the subject
/// has certificates, over TLS.
async fn health(subject: &Subject, role: Peer, address: &str, service: &str) -> Health {
    let asked = async {
        let mut client = HealthClient::new(dial(subject, role, address)?);
        let service = service.to_owned();
        anyhow::Ok(client.check(HealthCheckRequest { service }).await)
    };
    match timeout(LIMIT, asked).await {
        Err(_) => Health::None(format!("no answer within {} s", LIMIT.as_secs())),
        Ok(Err(error)) => Health::None(root(error.as_ref())),
        Ok(Ok(Err(status))) if status.code() == tonic::Code::NotFound => Health::Unknown,
        Ok(Ok(Err(status))) => Health::None(match status.source() {
            Some(error) => root(error),
            None => format!("it speaks no gRPC: {}", status.code()),
        }),
        Ok(Ok(Ok(answer))) => match answer.into_inner().status() {
            ServingStatus::Serving => Health::Serves,
            _ => Health::NotReady,
        },
    }
}

/// A line to a role, without a peer token: the health service asks for none.
fn dial(subject: &Subject, called: Peer, address: &str) -> anyhow::Result<Connection> {
    let introduction = match &subject.certificates {
        Some(certificates) => Introduction::Certificate {
            certificates: certificates.clone(),
            called,
        },
        None => Introduction::Nothing,
    };
    Ok(Connection::remote(address.parse()?, introduction)?)
}

/// Connects to where a URL leads, and nothing more.
async fn connect(url: &Url) -> Result<(), String> {
    let host = url
        .host_str()
        .ok_or("it has no host")?
        .trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or("it has no port")?;
    match timeout(LIMIT, TcpStream::connect((host, port))).await {
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        Ok(connected) => connected.map(drop).map_err(|error| error.to_string()),
    }
}

/// The cause at the bottom of an error: those above it only say that there is one.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
