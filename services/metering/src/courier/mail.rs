//! Notices as mail, in plain text.

use std::path::{Path, PathBuf};

use keyward_secret::Secret;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::{TIMEOUT, Undelivered};
use crate::domain::notice::Notice;

/// The server that takes mail.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// As whom to log in, and with which password; without them nobody does.
    pub login: Option<(String, Secret)>,
    /// Who writes, `name@host` or `Name <name@host>`.
    pub from: String,
    /// Whether the connection is encrypted.
    pub tls: MailTls,
    /// Further authorities whose certificates it may show, as PEM.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailTls {
    /// By STARTTLS; without it nothing is sent.
    Required,
    /// From its first byte.
    Implicit,
    /// Not at all: for a relay on the same machine.
    None,
}

/// Why mail cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// `mail.from` is no address.
    #[error("mail.from is no address such as `Keyward <keyward@example.com>`")]
    From,
    /// `mail.host` is no name that a certificate could have.
    #[error("mail.host is no name of a server")]
    Host,
    /// `mail.ca_file` cannot be read as certificates.
    #[error("mail.ca_file {0:?} holds no certificate that can be read")]
    Authorities(PathBuf),
}

/// Sends mail.
#[derive(Debug)]
pub(super) struct MailCourier {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl MailCourier {
    pub(super) fn new(config: MailConfig) -> Result<Self, MailError> {
        let tls = match config.tls {
            MailTls::Required => Tls::Required(parameters(&config)?),
            MailTls::Implicit => Tls::Wrapper(parameters(&config)?),
            MailTls::None => Tls::None,
        };
        let mut transport =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.as_str())
                .port(config.port)
                .tls(tls)
                .timeout(Some(TIMEOUT));
        if let Some((user, password)) = config.login {
            let password = password.expose().to_owned();
            transport = transport.credentials(Credentials::new(user, password));
        }
        Ok(Self {
            transport: transport.build(),
            from: config.from.parse().map_err(|_| MailError::From)?,
        })
    }

    pub(super) async fn send(
        &self,
        to: &Address,
        account: &str,
        notice: &Notice,
    ) -> Result<(), Undelivered> {
        let message = message(&self.from, to, account, notice)
            .map_err(|_| Undelivered::without_answer("no mail can be made of it".to_owned()))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Undelivered::without_answer(reason(&error))),
        }
    }
}

/// Whose certificates are believed: public authorities, and those of the settings.
fn parameters(config: &MailConfig) -> Result<TlsParameters, MailError> {
    let mut parameters = TlsParameters::builder(config.host.clone());
    if let Some(file) = &config.ca_file {
        parameters = parameters.add_root_certificate(authorities(file)?);
    }
    parameters.build().map_err(|_| MailError::Host)
}

/// All certificates of a file.
fn authorities(file: &Path) -> Result<Certificate, MailError> {
    let pem = std::fs::read_to_string(file).unwrap_or_default();
    Certificate::from_pem(pem.as_bytes())
        .ok()
        .filter(|_| pem.contains("BEGIN CERTIFICATE"))
        .ok_or_else(|| MailError::Authorities(file.to_owned()))
}

/// What the server answered, without its words: they may repeat addresses.
fn reason(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None => "the mail server cannot be reached".to_owned(),
    }
}

fn message(
    from: &Mailbox,
    to: &Address,
    account: &str,
    notice: &Notice,
) -> Result<Message, lettre::error::Error> {
    // The same for every try, so that a mailbox that got it twice can tell.
    let id = format!("<{}@{}>", notice.id, from.email.domain());
    Message::builder()
        .message_id(Some(id))
        .from(from.clone())
        .to(Mailbox::new(None, to.clone()))
        .subject(format!("Keyward: {} ({account})", words(notice)))
        .body(text(account, notice))
}

/// The kind in words.
fn words(notice: &Notice) -> String {
    notice.kind.name().replace('_', " ")
}

fn text(account: &str, notice: &Notice) -> String {
    let facts = notice.data.iter().filter(|(_, value)| !value.is_empty());
    let facts = facts.map(|(name, value)| format!("{}: {value}\n", name.replace('_', " ")));
    let facts = facts.collect::<Vec<_>>().concat();
    format!(
        "{}\n\nAccount: {account}\n{facts}Time: {}\nNotice: {}\n",
        notice.message, notice.time, notice.id
    )
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;
    use uuid::Uuid;

    use super::*;

    /// Takes one mail as a server would, and answers its recipient with `verdict`; gives what it was
    /// told.
    async fn serve(listener: TcpListener, verdict: &str) -> Vec<String> {
        let (stream, _) = listener.accept().await.expect("a client");
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 ready\r\n").await.expect("written");
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
                "EHLO" => "250 here\r\n".to_owned(),
                "RCPT" => format!("{verdict}\r\n"),
                "DATA" => "354 go on\r\n".to_owned(),
                "QUIT" => "221 bye\r\n".to_owned(),
                _ => "250 fine\r\n".to_owned(),
            };
            in_data = (in_data || line == "DATA") && line != ".";
            told.push(line);
            stream.write_all(answer.as_bytes()).await.expect("written");
        }
    }

    async fn sent(verdict: &str) -> (Result<(), Undelivered>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let courier = MailCourier::new(MailConfig {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().expect("an address").port(),
            login: None,
            from: "Keyward <keyward@example.com>".to_owned(),
            tls: MailTls::None,
            ca_file: None,
        });
        let courier = courier.expect("a courier");
        let to = "bob@example.com".parse().expect("an address");
        let notice = Notice::test(
            Uuid::from_u128(1),
            Uuid::from_u128(2),
            Timestamp::UNIX_EPOCH,
        );
        let sending = async {
            let sent = courier.send(&to, "users/bob", &notice).await;
            drop(courier);
            sent
        };
        tokio::join!(sending, serve(listener, verdict))
    }

    #[tokio::test]
    async fn a_notice_arrives_as_plain_text_under_its_id() {
        let (sent, told) = sent("250 fine").await;
        assert_eq!(sent, Ok(()));
        for line in [
            "MAIL FROM:<keyward@example.com>",
            "RCPT TO:<bob@example.com>",
            "To: bob@example.com",
            "Subject: Keyward: test (users/bob)",
            "Message-ID: <00000000-0000-0000-0000-000000000001@example.com>",
            "This is a test: notices of this account arrive here.",
            "Account: users/bob",
        ] {
            assert!(told.iter().any(|told| told == line), "{line}: {told:#?}");
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_without_the_servers_words() {
        let (sent, _) = sent("550 no bob@example.com here").await;
        let message = sent.expect_err("refused").message;
        assert_eq!(message, "the mail server answered 550");
    }
}
