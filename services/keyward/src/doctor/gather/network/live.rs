//! The addresses of this process, and the gateway that answers there, if one does.

use std::net::SocketAddr;

use http::header;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use keyward_auth::Peer;
use keyward_runtime::tls::Certificates;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use url::Url;

use super::{Health, LIMIT, health};
use crate::doctor::gather::Subject;
use crate::doctor::http::{Answer, ask};
use crate::doctor::judge::listeners::{Facts, State};
use crate::roles::Role;

/// The services by which the gRPC port of a Keyward is known, one for each role.
const SERVICES: [&str; 3] = [
    "keyward.vault.v1.VaultService",
    "keyward.router.v1.RouterService",
    "keyward.metering.v1.MeteringService",
];

/// What is at the addresses of this process.
#[derive(Debug)]
pub(crate) struct Live {
    /// Each address that it listens on, or would.
    pub(crate) listeners: Vec<Facts>,
    /// The base URL of a gateway that answers.
    pub(crate) gateway: Option<Url>,
    /// What its clock says.
    pub(crate) time: Option<Timestamp>,
}

/// Looks at the addresses of the roles here, and at the gateway that the environment names.
pub(crate) async fn gather(subject: &Subject) -> Live {
    let (settings, roles) = (&subject.settings, &subject.roles);
    let (edge, grpc, ops) = tokio::join!(
        is_at(settings.edge.listen, |address| is_edge(subject, address)),
        is_at(settings.grpc.listen, |address| is_grpc(subject, address)),
        is_at(settings.ops_listen, is_ops),
    );
    let named = match subject.variable("KEYWARD_URL") {
        Some(url) => Url::parse(url).ok(),
        None => local(settings.edge.listen)
            .filter(|_| edge == State::Keyward && settings.edge.tls.is_none()),
    };
    let time = match &named {
        Some(url) => time_of(url).await,
        None if ops == State::Keyward => match local(settings.ops_listen) {
            Some(url) => time_of(&url).await,
            None => None,
        },
        None => None,
    };
    let all = [
        ("edge", settings.edge.listen, edge, roles.has(Role::Edge)),
        ("grpc", settings.grpc.listen, grpc, roles.serves_grpc()),
        ("ops", settings.ops_listen, ops, true),
    ];
    let here = all.into_iter().filter(|(.., here)| *here);
    Live {
        listeners: here
            .map(|(part, address, state, _)| Facts {
                part,
                address: address.to_string(),
                state,
            })
            .collect(),
        gateway: named.filter(|_| time.is_some()),
        time,
    }
}

/// Whether somebody listens at an address, and whether that is a Keyward; if nobody does, whether
/// one can.
async fn is_at<F: Future<Output = bool>>(
    address: SocketAddr,
    is_keyward: impl FnOnce(SocketAddr) -> F,
) -> State {
    let reached = reachable(address);
    if matches!(timeout(LIMIT, TcpStream::connect(reached)).await, Ok(Ok(_))) {
        return match is_keyward(reached).await {
            true => State::Keyward,
            false => State::Stranger,
        };
    }
    match TcpListener::bind(address).await {
        Ok(_) => State::Free,
        Err(error) => State::Unusable(error.to_string()),
    }
}

/// Where to call what listens on all addresses.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    reachable
}

fn local(address: SocketAddr) -> Option<Url> {
    Url::parse(&format!("http://{}", reachable(address))).ok()
}

/// Without a key the edge answers in its own words. Over HTTPS nothing is asked, since who signed its
/// certificate need not be known here: it is ours if our ops port answers.
async fn is_edge(subject: &Subject, address: SocketAddr) -> bool {
    if subject.settings.edge.tls.is_some() {
        return is_ops(reachable(subject.settings.ops_listen)).await;
    }
    let answer = get(address, "v1/models").await;
    answer.is_some_and(|answer| {
        answer.status == 401 && answer.json()["error"]["code"] == "invalid_access_key"
    })
}

async fn is_ops(address: SocketAddr) -> bool {
    let answer = get(address, "healthz").await;
    answer.is_some_and(|answer| answer.json()["status"] == "alive")
}

async fn is_grpc(subject: &Subject, address: SocketAddr) -> bool {
    let scheme = match subject.settings.tls {
        Some(_) => "https",
        None => "http",
    };
    let address = format!("{scheme}://{address}");
    // The process itself answers there, so it has its own certificate.
    let own = subject.certificates.as_ref().map(Certificates::current);
    let own = own.and_then(|own| Peer::from_certificate(own.identity().ok()?.role()));
    let own = own.unwrap_or(Peer::Outside);
    let (vault, router, metering) = tokio::join!(
        health(subject, own, &address, SERVICES[0]),
        health(subject, own, &address, SERVICES[1]),
        health(subject, own, &address, SERVICES[2]),
    );
    let known = |health| matches!(health, Health::Serves | Health::NotReady);
    known(vault) || known(router) || known(metering)
}

async fn get(address: SocketAddr, path: &str) -> Option<Answer> {
    let url = local(address)?.join(path).ok()?;
    ask(&url, None, None, LIMIT).await.ok()
}

/// What the clock of a gateway says, as far as it answers.
async fn time_of(gateway: &Url) -> Option<Timestamp> {
    let answer = ask(gateway, None, None, LIMIT).await.ok()?;
    let date = answer.headers.get(header::DATE)?.to_str().ok()?;
    let parsed = rfc2822::DateTimeParser::new().parse_timestamp(date);
    parsed.ok()
}
