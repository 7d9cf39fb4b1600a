//! A Redis of the tests' own: in a folder for temporary files, with a password, TLS and ports of its
//! own. It keeps nothing, knows nothing of any other that runs here, and ends with its test process.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::gateway::ports;
use crate::loopback;
use crate::wait::DEADLINE;
use crate::watchdog::Watchdog;

/// What signs in to it.
pub const PASSWORD: &str = "canary-redis-password";

/// A running Redis. It is stopped and its folder removed when this process has ended, or when it is
/// dropped.
#[derive(Debug)]
pub struct PrivateRedis {
    folder: PathBuf,
    port: u16,
    tls_port: u16,
    watchdog: Watchdog,
}

impl PrivateRedis {
    /// Starts one. Each test has its own, since tests stop it and empty it.
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("keyward-redis-").tempdir();
        let folder = folder.expect("a folder").keep();
        certify(&folder);
        let (port, tls_port) = (ports::free(), ports::free());
        let watchdog = Watchdog::start(&folder, &server(&folder, port, tls_port), |_| {});
        let redis = Self {
            folder,
            port,
            tls_port,
            watchdog,
        };
        redis.wait_until_it_answers();
        redis
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}", self.port)
    }

    /// Its URL over TLS.
    pub fn tls_url(&self) -> String {
        format!("rediss://:{PASSWORD}@127.0.0.1:{}", self.tls_port)
    }

    /// The authority that signed its certificate, a PEM file.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.crt")
    }

    /// Runs a command, and gives the first line of its answer.
    pub fn run(&self, words: &[&str]) -> String {
        self.ask(words).expect("Redis answers")
    }

    /// Ends it as a power cut does, and waits until nothing of it runs.
    pub fn kill(&self) {
        self.watchdog.tell("kill");
    }

    /// Starts it again, with what it was told to save or else empty, and waits until it answers.
    pub fn start_again(&self) {
        self.watchdog.tell("start");
        self.wait_until_it_answers();
    }

    /// Lets it hang: connections stand, and nothing is answered.
    pub fn pause(&self) {
        self.watchdog.tell("pause");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.watchdog.tell("resume");
    }

    fn ask(&self, words: &[&str]) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut answers = BufReader::new(stream.try_clone()?);
        for words in [&["AUTH", PASSWORD], words] {
            stream.write_all(&command(words))?;
        }
        let mut line = String::new();
        answers.read_line(&mut line)?;
        assert_eq!(line, "+OK\r\n", "signing in");
        read(&mut answers)
    }

    fn wait_until_it_answers(&self) {
        let start = Instant::now();
        while let Err(error) = self.ask(&["PING"]) {
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(start.elapsed() < DEADLINE, "Redis: {error}\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A command as Redis reads it.
fn command(words: &[&str]) -> Vec<u8> {
    let words = words.iter();
    let lengths_and_words = words
        .clone()
        .map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let text: String = lengths_and_words.collect();
    format!("*{}\r\n{text}", words.len()).into_bytes()
}

/// An answer of one line, or one text.
fn read(answers: &mut impl std::io::BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    assert!(!line.starts_with('-'), "Redis refused: {line}");
    let Some(length) = line.trim().strip_prefix('$') else {
        return Ok(line.trim()[1..].to_owned());
    };
    let mut text = vec![0; length.parse().unwrap_or(0)];
    answers.read_exact(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn server(folder: &Path, port: u16, tls_port: u16) -> Command {
    let mut server = Command::new(program());
    let path = |name: &str| folder.join(name).display().to_string();
    for (name, value) in [
        ("--bind", "127.0.0.1".to_owned()),
        ("--port", port.to_string()),
        ("--tls-port", tls_port.to_string()),
        ("--tls-cert-file", path("server.crt")),
        ("--tls-key-file", path("server.key")),
        ("--tls-ca-cert-file", path("authority.crt")),
        ("--tls-auth-clients", "no".to_owned()),
        ("--dir", folder.display().to_string()),
        ("--requirepass", PASSWORD.to_owned()),
        ("--save", String::new()),
        ("--appendonly", "no".to_owned()),
    ] {
        server.arg(name).arg(value);
    }
    server
}

/// The program, one of `PATH`.
fn program() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&paths).map(|folder| folder.join("redis-server"));
    found.find(|program| program.exists()).unwrap_or_else(|| {
        panic!(
            "these tests need Redis: `redis-server` is not in PATH; install it with your system's \
             packages (Debian: `apt-get install redis-server`; no server need run)"
        )
    })
}

fn certify(folder: &Path) {
    let made = loopback::certificate();
    for (name, text) in [
        ("authority.crt", made.authority),
        ("server.crt", made.certificate),
        ("server.key", made.key),
    ] {
        fs::write(folder.join(name), text).expect("a file");
    }
}
