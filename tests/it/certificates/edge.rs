//! HTTPS at the edge: over the same handshakes, without certificates of callers.

use http::uri::PathAndQuery;
use keyward_testkit::gateway::Authority;
use keyward_testkit::{Launch, Topology};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

#[tokio::test]
async fn the_edge_speaks_https_with_a_certificate_and_http_without() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::foreign();
    authority.issue(&[]).write(folder.path(), "edge");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let launch = Launch::new(Topology::Embedded)
        .set("edge.tls.cert", &path("edge.pem"))
        .set("edge.tls.key", &path("edge.key"));
    let gateway = launch.start().await;
    let address = gateway.http_address();

    // The edge speaks no gRPC, so its 401 is a fault to this client, which tells of it.
    let heard = ask(dial(&format!("https://{address}"), &authority.pem)).await;
    assert!(has_heard(&heard), "{heard}");
    let other = ask(dial(
        &format!("https://{address}"),
        &Authority::foreign().pem,
    ))
    .await;
    assert!(!has_heard(&other), "{other}");
    let plain = Endpoint::from_shared(format!("http://{address}")).unwrap();
    let plain = ask(plain.connect_lazy()).await;
    assert!(!has_heard(&plain), "{plain}");
}

fn has_heard(status: &Status) -> bool {
    status.message().contains("401 Unauthorized")
}

fn dial(url: &str, ca: &str) -> Channel {
    let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca));
    endpoint.tls_config(tls).unwrap().connect_lazy()
}

async fn ask(channel: Channel) -> Status {
    let mut client = tonic::client::Grpc::new(channel);
    if let Err(error) = client.ready().await {
        return Status::from_error(error.into());
    }
    let path = PathAndQuery::from_static("/v1/chat/completions");
    let codec = ProstCodec::<(), ()>::default();
    client
        .unary(Request::new(()), path, codec)
        .await
        .unwrap_err()
}
