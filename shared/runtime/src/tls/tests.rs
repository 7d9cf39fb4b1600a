//! Handshakes between acceptors and connectors, with certificates good and bad.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower::{Service as _, ServiceExt as _};

use super::samples::{Authority, expired, names, role};
use super::*;

/// One end: its certificates, and the folder that they lie in.
struct End {
    folder: TempDir,
    certificates: Certificates,
}

impl End {
    #[allow(clippy::needless_pass_by_value, reason = "made for it alone")]
    fn new(authority: &Authority, params: rcgen::CertificateParams, others: &[&Authority]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = authority.write(folder.path(), &params, others);
        let certificates = Certificates::load("tls", files, TlsMeters::default()).unwrap();
        Self {
            folder,
            certificates,
        }
    }

    #[allow(clippy::needless_pass_by_value, reason = "made for it alone")]
    fn replace(
        &self,
        authority: &Authority,
        params: rcgen::CertificateParams,
        others: &[&Authority],
    ) {
        authority.write(self.folder.path(), &params, others);
        self.certificates.read_again();
    }
}

/// What both ends say of a connection: whom the server sees, or that there is none.
async fn meet(
    server: &End,
    clients: Clients,
    client: &End,
    called: &'static str,
) -> Option<(TlsSocket, TlsSocket)> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = Acceptor::grpc(server.certificates.clone(), clients);
    let url = format!("https://{address}").parse().unwrap();
    let mut connector = Connector::new(client.certificates.clone(), called, url);
    let accept = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = acceptor.accept(socket).await.ok()?;
        socket.write_all(b"x").await.ok()?;
        Some(socket)
    };
    let connect = async {
        let address = "http://elsewhere.invalid".parse().unwrap();
        let socket = connector.ready().await.unwrap().call(address).await.ok()?;
        let mut socket = TokioIo::into_inner(socket);
        // In TLS 1.3 a client learns with its first read that it was refused.
        socket.read_u8().await.ok()?;
        Some(socket)
    };
    let (accepted, connected) = tokio::join!(accept, connect);
    accepted.zip(connected)
}

fn seen(met: Option<(TlsSocket, TlsSocket)>) -> Option<Result<String, IdentityError>> {
    use tonic::transport::server::Connected as _;
    let (accepted, _) = met?;
    let peer = accepted.connect_info().0.unwrap();
    Some(
        peer.identity
            .clone()
            .map(|identity| identity.role().to_owned()),
    )
}

#[tokio::test]
async fn two_roles_of_one_authority_know_each_other() {
    let authority = Authority::new("ca");
    let vault = End::new(&authority, role("vault"), &[]);
    let router = End::new(&authority, role("router"), &[]);
    let met = meet(&vault, Clients::Required, &router, "vault").await;
    assert_eq!(seen(met), Some(Ok("router".to_owned())));
}

#[tokio::test]
async fn the_certificate_of_another_role_does_not_pass_for_the_one_that_is_called() {
    let authority = Authority::new("ca");
    let router = End::new(&authority, role("router"), &[]);
    let edge = End::new(&authority, role("edge"), &[]);
    for called in ["vault", "metering"] {
        assert!(
            meet(&router, Clients::Required, &edge, called)
                .await
                .is_none()
        );
    }
    for uris in [
        &[][..],
        &[
            "spiffe://test/keyward/vault",
            "spiffe://test/keyward/router",
        ],
        &["spiffe://elsewhere/keyward/vault"],
    ] {
        let server = End::new(&authority, names(uris), &[]);
        let met = meet(&server, Clients::Required, &edge, "vault").await;
        assert!(met.is_none(), "{uris:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_authority_fails_the_handshake_also_where_none_is_needed() {
    let (ours, theirs) = (Authority::new("ca"), Authority::new("ca"));
    let vault = End::new(&ours, role("vault"), &[]);
    // It believes both, so it is the server that refuses.
    let router = End::new(&theirs, role("router"), &[&ours]);
    for clients in [Clients::Required, Clients::Optional] {
        assert!(meet(&vault, clients, &router, "vault").await.is_none());
    }
}

#[tokio::test]
async fn certificates_that_say_nobody_are_accepted_and_are_nobodys() {
    let authority = Authority::new("ca");
    let vault = End::new(&authority, role("vault"), &[]);
    for (uris, expect) in [
        (&[][..], IdentityError::NoUri),
        (
            &["spiffe://test/keyward/router", "spiffe://test/keyward/edge"],
            IdentityError::SeveralUris,
        ),
        (
            &["spiffe://elsewhere/keyward/router"],
            IdentityError::OtherTrustDomain,
        ),
    ] {
        let client = End::new(&authority, names(uris), &[]);
        // A client that names nobody believes nobody, so the server's end is looked at alone.
        let peer = shown(&vault, &client);
        assert_eq!(peer, Some(Err(expect)), "{uris:?}");
    }
}

/// Whom the server sees, whatever the client makes of the server.
fn shown(server: &End, client: &End) -> Option<Result<Identity, IdentityError>> {
    let own = server.certificates.current();
    let other = client.certificates.current();
    let chain = &other.certified.cert;
    super::verify::client_chain(chain, &own.roots, rustls_pki_types::UnixTime::now()).ok()?;
    Some(PeerCertificate::of(&chain[0], &own).identity)
}

#[tokio::test]
async fn what_does_not_fit_together_is_refused_and_what_was_stays() {
    let authority = Authority::new("ca");
    let vault = End::new(&authority, role("vault"), &[]);
    let path = |name: &str| vault.folder.path().join(name);
    let before = vault.certificates.generation();
    let good = std::fs::read(path("key.pem")).unwrap();
    for (file, content) in [
        ("key.pem", authority.issue(&role("vault")).key_pem),
        ("key.pem", "nothing".to_owned()),
        ("cert.pem", String::new()),
        ("cert.pem", authority.issue(&expired("vault")).cert_pem),
    ] {
        let kept = std::fs::read(path(file)).unwrap();
        std::fs::write(path(file), content).unwrap();
        vault.certificates.read_again();
        assert_eq!(vault.certificates.generation(), before, "{file}");
        std::fs::write(path(file), kept).unwrap();
    }
    assert_eq!(std::fs::read(path("key.pem")).unwrap(), good);
    vault.certificates.read_again();
    assert_eq!(vault.certificates.generation(), before + 1);
}

#[tokio::test]
async fn a_process_does_not_become_another_role_by_changed_files() {
    let authority = Authority::new("ca");
    let vault = End::new(&authority, role("vault"), &[]);
    for other in [
        role("router"),
        names(&["spiffe://elsewhere/keyward/vault"]),
        names(&[]),
    ] {
        vault.replace(&authority, other, &[]);
        assert_eq!(vault.certificates.generation(), 0);
    }
    let current = vault.certificates.current();
    assert_eq!(current.identity().unwrap().role(), "vault");
    vault.replace(&authority, role("vault"), &[]);
    assert_eq!(vault.certificates.generation(), 1);
}

#[tokio::test]
async fn a_key_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let files = Authority::new("ca").write(folder.path(), &role("vault"), &[]);
    std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let loaded = Certificates::load("tls", files, TlsMeters::default());
    assert!(matches!(loaded, Err(TlsError::Readable(_))));
}

#[tokio::test]
async fn a_connection_ends_when_who_signed_its_certificate_is_not_trusted_any_more() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let vault = End::new(&new, role("vault"), &[&old]);
    let router = End::new(&old, role("router"), &[&new]);
    let met = meet(&vault, Clients::Required, &router, "vault").await;
    let (mut accepted, mut connected) = met.unwrap();

    // Renewed by the same authority: nothing is cut.
    vault.replace(&new, role("vault"), &[&old]);
    accepted.write_all(b"y").await.unwrap();
    assert_eq!(connected.read_u8().await.unwrap(), b'y');

    vault.replace(&new, role("vault"), &[]);
    accepted.write_all(b"z").await.unwrap();
    let grace = super::connections::GRACE;
    let later = rustls_pki_types::UnixTime::now().as_secs() + grace.as_secs();
    let later = rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(later));
    vault.certificates.cut_untrusted(later);
    let cut = tokio::time::timeout(Duration::from_secs(5), accepted.read_u8()).await;
    let error = cut.unwrap().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
    assert!(
        meet(&vault, Clients::Required, &router, "vault")
            .await
            .is_none()
    );
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_given_up() {
    let authority = Authority::new("ca");
    let vault = End::new(&authority, role("vault"), &[]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = Acceptor::grpc(vault.certificates.clone(), Clients::Required);
    let silent = tokio::net::TcpStream::connect(address).await.unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    let patience = Duration::from_secs(10);
    let accepted = tokio::time::timeout(patience, acceptor.accept(socket)).await;
    let error = accepted.expect("it is waited for without end").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    drop(silent);
}
