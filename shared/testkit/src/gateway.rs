//! A running gateway: the real binary, in one process or in one for each role, with free ports and a
//! data folder of its own.

mod launch;
mod ports;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tonic::transport::{Channel, Endpoint};

use crate::client::{Answer, Client};
use crate::wait;
pub use launch::Launch;
use process::Process;

/// How roles are spread over processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// All in one process.
    Embedded,
    /// A process for each.
    Split,
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Keys and identity.
    Vault,
    /// Money and usage.
    Metering,
    /// Planning and serving.
    Router,
    /// HTTP.
    Edge,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Vault, Self::Metering, Self::Router, Self::Edge];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::Metering => "metering",
            Self::Router => "router",
            Self::Edge => "edge",
        }
    }
}

/// The roles of one process, and where it listens.
#[derive(Debug)]
struct Place {
    roles: Vec<Role>,
    grpc: u16,
    ops: u16,
    process: Option<Process>,
}

/// A running gateway. Its processes end when it is dropped.
#[derive(Debug)]
pub struct Gateway {
    launch: Launch,
    folder: TempDir,
    http: u16,
    places: Vec<Place>,
    /// How long the last start took until everything was ready.
    pub start_time: Duration,
}

impl Gateway {
    async fn start(launch: Launch) -> Self {
        let groups: Vec<Vec<Role>> = match launch.topology {
            Topology::Embedded => vec![Role::ALL.to_vec()],
            Topology::Split => Role::ALL.into_iter().map(|role| vec![role]).collect(),
        };
        let place = |roles| Place {
            roles,
            grpc: ports::free(),
            ops: ports::free(),
            process: None,
        };
        let mut gateway = Self {
            launch,
            folder: tempfile::Builder::new()
                .prefix("keyward-test-")
                .tempdir()
                .expect("a folder"),
            http: ports::free(),
            places: groups.into_iter().map(place).collect(),
            start_time: Duration::ZERO,
        };
        fs::create_dir(gateway.data_dir()).expect("the data folder");
        gateway.begin().await;
        gateway
    }

    /// Starts every process, and waits until all are ready.
    pub async fn begin(&mut self) {
        let start = Instant::now();
        for index in 0..self.places.len() {
            let environment = self.environment(&self.places[index]);
            let log = self
                .folder
                .path()
                .join(format!("{}.log", self.label(index)));
            let arguments = self.arguments(&self.places[index]);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let process = Process::start(&arguments, &environment, self.folder.path(), log);
            self.places[index].process = Some(process);
        }
        for index in 0..self.places.len() {
            self.ready(index).await;
        }
        self.start_time = start.elapsed();
    }

    async fn ready(&mut self, index: usize) {
        let label = self.label(index);
        let place = &mut self.places[index];
        let start = Instant::now();
        let address = ("127.0.0.1", place.ops);
        loop {
            let process = place.process.as_mut().expect("it was started");
            if let Some(status) = process.exited() {
                panic!(
                    "{label} ended with {status}; its log ends with\n{}",
                    process.log_end()
                );
            }
            assert!(
                start.elapsed() < wait::DEADLINE,
                "{label} is not ready; its log ends with\n{}",
                process.log_end()
            );
            if std::net::TcpStream::connect(address).is_ok() {
                let answer = ops(place.ops).get("/readyz").await;
                if answer.status.is_success() {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn label(&self, index: usize) -> String {
        match self.launch.topology {
            Topology::Embedded => "keyward".to_owned(),
            Topology::Split => self.places[index].roles[0].name().to_owned(),
        }
    }

    fn arguments(&self, place: &Place) -> Vec<String> {
        let mut arguments = vec!["serve".to_owned()];
        if self.launch.topology == Topology::Split {
            for role in &place.roles {
                arguments.extend(["--role".to_owned(), role.name().to_owned()]);
            }
        }
        arguments
    }

    fn environment(&self, place: &Place) -> BTreeMap<String, String> {
        let mut environment = self.launch.settings.clone();
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("KEYWARD_DATA_DIR", self.data_dir().display().to_string());
        set("KEYWARD_GRPC__LISTEN", format!("127.0.0.1:{}", place.grpc));
        set("KEYWARD_OPS__LISTEN", format!("127.0.0.1:{}", place.ops));
        set("KEYWARD_EDGE__LISTEN", format!("127.0.0.1:{}", self.http));
        for role in [Role::Vault, Role::Metering, Role::Router] {
            if !place.roles.contains(&role) {
                let name = format!("KEYWARD_{}__URL", role.name().to_uppercase());
                set(&name, self.grpc_url(role));
            }
        }
        if place.roles.contains(&Role::Vault) {
            if let Some(key) = &self.launch.admin_key {
                set("KEYWARD_BOOTSTRAP__ADMIN_KEY", key.clone());
            }
            environment.extend(self.launch.vault_settings.clone());
        }
        environment
    }

    /// Asks every process to stop, the edge first, and asserts that each exits with 0.
    pub async fn stop(&mut self) {
        for place in self.places.iter_mut().rev() {
            place.process.as_ref().expect("it runs").terminate();
        }
        for place in self.places.iter_mut().rev() {
            let process = place.process.as_mut().expect("it runs");
            let status = process.exit().await;
            assert!(
                status.success(),
                "{:?} ended with {status}; its log ends with\n{}",
                place.roles,
                process.log_end()
            );
        }
    }

    /// Sends SIGTERM to every process, and returns at once.
    pub fn terminate(&self) {
        for place in self.places.iter().rev() {
            place.process.as_ref().expect("it runs").terminate();
        }
    }

    /// Ends every process at once, as a power cut does.
    pub fn kill(&mut self) {
        for place in &mut self.places {
            place.process.as_mut().expect("it runs").kill();
        }
    }

    /// Stops it and starts it again, with the same data, ports and settings.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.begin().await;
    }

    /// A caller with this access key, over HTTP.
    pub fn client(&self, access_key: &str) -> Client {
        Client::new(&self.url(), Some(access_key))
    }

    /// A caller without one.
    pub fn nobody(&self) -> Client {
        Client::new(&self.url(), None)
    }

    /// The platform's admin.
    pub fn admin(&self) -> Client {
        self.client(&self.admin_key())
    }

    /// The admin's access key: as given, or as the first start left it.
    pub fn admin_key(&self) -> String {
        self.launch.admin_key.clone().unwrap_or_else(|| {
            let text = fs::read_to_string(self.data_dir().join("admin-key"));
            text.expect("the admin key of the first start")
                .trim()
                .to_owned()
        })
    }

    /// Where HTTP is served.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.http)
    }

    /// The address of HTTP, for what no client would send.
    pub fn http_address(&self) -> String {
        format!("127.0.0.1:{}", self.http)
    }

    /// Where a role's gRPC is served.
    pub fn grpc_url(&self, role: Role) -> String {
        format!("http://127.0.0.1:{}", self.place(role).grpc)
    }

    /// A channel to a role.
    pub async fn grpc(&self, role: Role) -> Channel {
        let endpoint = Endpoint::from_shared(self.grpc_url(role)).expect("a URL");
        endpoint.connect().await.expect("gRPC answers")
    }

    /// What the ops port of a role answers.
    pub async fn ops(&self, role: Role, path: &str) -> Answer {
        ops(self.place(role).ops).get(path).await
    }

    /// The id of a role's process.
    pub fn process_id(&self, role: Role) -> u32 {
        self.place(role).process.as_ref().expect("it runs").id()
    }

    /// What a role's process has written: its log and whatever it printed.
    pub fn log(&self, role: Role) -> String {
        self.place(role).process.as_ref().expect("it runs").log()
    }

    /// What all processes have written.
    pub fn logs(&self) -> String {
        let processes = self
            .places
            .iter()
            .filter_map(|place| place.process.as_ref());
        processes.map(Process::log).collect()
    }

    /// Where its data lies.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Every file below the data folder, with its content.
    pub fn data_files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.data_dir(), &mut files);
        files
    }

    fn place(&self, role: Role) -> &Place {
        let found = self.places.iter().find(|place| place.roles.contains(&role));
        found.expect("every role runs")
    }
}

fn ops(port: u16) -> Client {
    Client::new(&format!("http://127.0.0.1:{port}"), None)
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if let Ok(bytes) = fs::read(&path) {
            files.push((path, bytes));
        }
    }
}
