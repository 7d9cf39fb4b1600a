//! One cluster: made, started, and ended by a shell that watches over it. The shell reads from a
//! pipe that this process alone holds; when the process ends, however that happens, the pipe closes,
//! and the shell stops Postgres and removes the folder.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use parking_lot::Mutex;
use tokio_postgres::Config;

use super::programs::{self, User};
use super::{block, with};
use crate::gateway::ports;
use crate::wait::DEADLINE;

/// Starts a program, stops and starts it as it is told, and in the end kills it and removes a folder.
/// Nothing of what it holds must stay.
const WATCHDOG: &str = r#"
folder=$1
shift
start() { "$@" >>"$folder/log" 2>&1 & child=$!; }
start "$@"
while read -r word; do
    case $word in
        stop) kill -INT "$child"; wait "$child" ;;
        start) start "$@" ;;
    esac
    echo done
done
kill -QUIT "$child" 2>/dev/null
wait "$child"
rm -rf "$folder"
"#;

/// Whether what is committed stays, whatever happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// No: quick, and of no use but for tests.
    None,
    /// As servers are set up: only such a one can be measured.
    Full,
}

impl Durability {
    const fn settings(self) -> &'static [&'static str] {
        match self {
            Self::None => &[
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "autovacuum=off",
                "shared_buffers=64MB",
            ],
            Self::Full => &["shared_buffers=256MB"],
        }
    }
}

/// What every cluster here has.
const SETTINGS: [&str; 5] = [
    "max_connections=300",
    "listen_addresses=127.0.0.1",
    "ssl=on",
    "ssl_cert_file=server.crt",
    "ssl_key_file=server.key",
];

/// Who may sign in, and how: the administrator on the socket, all others with a password.
const ACCESS: &str = "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n";

#[derive(Debug)]
pub(super) struct Cluster {
    folder: PathBuf,
    port: u16,
    _watchdog: Child,
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Cluster {
    pub(super) fn start(durability: Durability) -> Self {
        let (programs, user) = (programs::folder(), User::unprivileged());
        // Under /tmp: the path of a socket has room for about a hundred characters.
        let folder = tempfile::Builder::new()
            .prefix("keyward-pg-")
            .tempdir_in("/tmp");
        let folder = folder.expect("a folder").keep();
        user.own(&folder);
        make(&programs, user, &folder);
        let port = ports::free();
        let mut watchdog = watch(&programs, user, (&folder, port), durability);
        let stdin = watchdog.stdin.take().expect("a pipe");
        let stdout = BufReader::new(watchdog.stdout.take().expect("a pipe"));
        let cluster = Self {
            folder,
            port,
            _watchdog: watchdog,
            pipes: Mutex::new((stdin, stdout)),
        };
        cluster.wait_until_it_answers();
        cluster
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.folder.join("authority.crt")
    }

    /// How the administrator signs in: on the socket.
    pub(super) fn administrator(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.folder)
            .port(self.port)
            .user("postgres");
        config.dbname(database);
        config
    }

    /// Tells the watchdog something, and waits until it has done it.
    pub(super) fn tell(&self, word: &str) {
        let mut pipes = self.pipes.lock();
        writeln!(pipes.0, "{word}").expect("the watchdog lives");
        let mut answer = String::new();
        pipes.1.read_line(&mut answer).expect("the watchdog lives");
        assert_eq!(answer, "done\n");
    }

    pub(super) fn wait_until_it_answers(&self) {
        let start = Instant::now();
        let config = self.administrator("postgres");
        block(async {
            while let Err(error) = with(config.clone(), async |_| Ok(())).await {
                let log = self.folder.join("log");
                let log = || fs::read_to_string(&log).unwrap_or_default();
                assert!(start.elapsed() < DEADLINE, "Postgres: {error}\n{}", log());
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        });
    }
}

/// Makes a cluster in `folder/data`.
fn make(programs: &Path, user: User, folder: &Path) {
    let data = folder.join("data");
    let mut initdb = Command::new(programs.join("initdb"));
    user.run(&mut initdb)
        .current_dir(folder)
        .arg("-D")
        .arg(&data);
    initdb.args([
        "-U",
        "postgres",
        "--auth=trust",
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C",
    ]);
    let made = initdb.output().expect("initdb starts");
    let said = || String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "initdb failed: {}", said());
    fs::write(data.join("pg_hba.conf"), ACCESS).expect("a file");
    certify(user, folder, &data);
}

/// A certificate for the loopback address, signed by an authority made for it alone.
fn certify(user: User, folder: &Path, data: &Path) {
    let authority_key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = authority
        .self_signed(&authority_key)
        .expect("a certificate");
    fs::write(folder.join("authority.crt"), certificate.pem()).expect("a file");
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let server = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
    let server = server.signed_by(&key, &issuer).expect("a certificate");
    for (name, text) in [
        ("server.crt", server.pem()),
        ("server.key", key.serialize_pem()),
    ] {
        let path = data.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        user.own(&path);
    }
}

fn watch(
    programs: &Path,
    user: User,
    (folder, port): (&Path, u16),
    durability: Durability,
) -> Child {
    let mut shell = Command::new("/bin/sh");
    user.run(&mut shell);
    shell
        .current_dir(folder)
        .args(["-c", WATCHDOG, "watchdog"])
        .arg(folder);
    shell
        .arg(programs.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"));
    shell.arg("-k").arg(folder).arg("-p").arg(port.to_string());
    for setting in SETTINGS.iter().chain(durability.settings()) {
        shell.args(["-c", setting]);
    }
    // A group of its own: a terminal's interrupt is for the tests, and ends this by the pipe.
    shell.process_group(0);
    shell
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    shell.spawn().expect("a shell starts")
}
