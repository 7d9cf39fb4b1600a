//! Mail through a server that speaks STARTTLS: sent over TLS to who is known, and not at all to others.

use std::path::Path;
use std::sync::Arc;

use keyward_testkit::{Tenant, Topology};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::system::System;

/// A mail server, and its certificate as PEM.
struct MailServer {
    listener: TcpListener,
    tls: TlsAcceptor,
    certificate: String,
}

impl MailServer {
    async fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key);
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            tls: TlsAcceptor::from(Arc::new(config.unwrap())),
            certificate: cert.pem(),
        }
    }

    /// Takes one connection to its end: what was said before TLS, and what within it.
    async fn serve(&self) -> (Vec<String>, Vec<String>) {
        let (stream, _) = self.listener.accept().await.unwrap();
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 ready\r\n").await.unwrap();
        let before = talk(&mut stream, "250-here\r\n250 STARTTLS").await;
        let within = match self.tls.accept(stream.into_inner()).await {
            Ok(stream) => talk(&mut BufReader::new(stream), "250 here").await,
            Err(_) => Vec::new(),
        };
        (before, within)
    }
}

/// Answers line by line until the other goes or asks for TLS.
async fn talk<S>(stream: &mut BufReader<S>, greeting: &str) -> Vec<String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut told, mut in_data) = (Vec::new(), false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return told;
        }
        let line = line.trim_end().to_owned();
        let answer = match line.split(' ').next().unwrap_or_default() {
            "." if in_data => "250 taken\r\n".to_owned(),
            _ if in_data => String::new(),
            "EHLO" => format!("{greeting}\r\n"),
            "STARTTLS" => "220 go on\r\n".to_owned(),
            "DATA" => "354 go on\r\n".to_owned(),
            "QUIT" => "221 bye\r\n".to_owned(),
            _ => "250 fine\r\n".to_owned(),
        };
        in_data = (in_data || line == "DATA") && line != ".";
        let ends = line == "STARTTLS";
        told.push(line);
        let _ = stream.write_all(answer.as_bytes()).await;
        if ends {
            return told;
        }
    }
}

/// Has a test notice sent through the server by a gateway that believes these authorities; gives
/// what became of it, and what the server was told.
async fn sent(server: &MailServer, ca_file: Option<&Path>) -> (Value, Vec<String>, Vec<String>) {
    let port = server.listener.local_addr().unwrap().port().to_string();
    let system = System::own(Topology::Embedded, |launch| {
        let launch = launch
            .set("mail.host", "localhost")
            .set("mail.port", &port)
            .set("mail.from", "Keyward <keyward@example.com>");
        match ca_file {
            Some(file) => launch.set("mail.ca_file", file.to_str().unwrap()),
            None => launch,
        }
    })
    .await;
    let client = Tenant::new(&system.gateway, "trial").await.client;
    let body = json!({"url": "mailto:bob@example.com"});
    let made = client.post("/api/v1/webhooks", body).await.ok().json();
    let path = format!("/api/v1/webhooks/{}/test", made["id"].as_str().unwrap());
    let asking = async {
        let answer = client.post(&path, json!({})).await.ok().json();
        drop(system);
        answer
    };
    let (answer, (before, within)) = tokio::join!(asking, server.serve());
    (answer, before, within)
}

#[tokio::test]
async fn mail_goes_over_tls_to_a_server_that_is_known_and_to_no_other() {
    let server = MailServer::new().await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("mail-ca.pem");
    std::fs::write(&ca_file, &server.certificate).unwrap();

    let (answer, before, within) = sent(&server, Some(&ca_file)).await;
    assert_eq!(answer["delivered"], true, "{answer}");
    assert!(
        before.iter().all(|line| !line.contains("bob")),
        "{before:?}"
    );
    for line in ["RCPT TO:<bob@example.com>", "To: bob@example.com"] {
        assert!(
            within.iter().any(|said| said == line),
            "{line}: {within:#?}"
        );
    }

    let (answer, before, within) = sent(&server, None).await;
    assert_eq!(answer["delivered"], false, "{answer}");
    assert_eq!(answer["message"], "the mail server cannot be reached");
    assert!(
        before.iter().all(|line| !line.contains("bob")),
        "{before:?}"
    );
    assert_eq!(
        within,
        Vec::<String>::new(),
        "nothing is said to a stranger"
    );
}
