//! One cluster: made, started, and ended by a shell that watches over it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tokio_postgres::Config;

use super::programs::{self, User};
use super::{block, with};
use crate::gateway::ports;
use crate::loopback;
use crate::wait::DEADLINE;
use crate::watchdog::Watchdog;

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
    watchdog: Watchdog,
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
        let watchdog = watch(&programs, user, (&folder, port), durability);
        let cluster = Self {
            folder,
            port,
            watchdog,
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

    pub(super) fn tell(&self, word: &str) {
        self.watchdog.tell(word);
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

fn certify(user: User, folder: &Path, data: &Path) {
    let made = loopback::certificate();
    fs::write(folder.join("authority.crt"), made.authority).expect("a file");
    for (name, text) in [("server.crt", made.certificate), ("server.key", made.key)] {
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
) -> Watchdog {
    let mut postgres = Command::new(programs.join("postgres"));
    postgres.arg("-D").arg(folder.join("data"));
    postgres
        .arg("-k")
        .arg(folder)
        .arg("-p")
        .arg(port.to_string());
    for setting in SETTINGS.iter().chain(durability.settings()) {
        postgres.args(["-c", setting]);
    }
    Watchdog::start(folder, &postgres, |shell| {
        user.run(shell);
    })
}
