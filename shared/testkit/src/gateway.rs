//! A running gateway: the real binary, in one process or in one for each role, with free ports and a
//! data folder of its own.

mod access;
mod certificates;
mod front;
mod launch;
pub(crate) mod ports;
mod process;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::Client;
use crate::wait;
pub use certificates::{Authority, Shown};
pub use front::Front;
pub use launch::Launch;
use process::Process;
pub use process::{binary, run};

/// How roles are spread over processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// All in one process.
    Embedded,
    /// A process for each; they know each other by certificates, unless peer tokens are asked for.
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
        let private = fs::DirBuilder::new().mode(0o700).create(gateway.data_dir());
        private.expect("the data folder");
        if gateway.has_certificates() {
            certificates::make(&gateway.certificates());
        }
        gateway.begin().await;
        gateway
    }

    /// Starts every process, and waits until all are ready.
    pub async fn begin(&mut self) {
        let start = Instant::now();
        for index in 0..self.places.len() {
            self.spawn(index);
        }
        for index in 0..self.places.len() {
            self.ready(index).await;
        }
        self.start_time = start.elapsed();
    }

    /// Starts the process of one role again, and waits until it is ready.
    pub async fn begin_role(&mut self, role: Role) {
        let found = self
            .places
            .iter()
            .position(|place| place.roles.contains(&role));
        let index = found.expect("every role has a place");
        self.spawn(index);
        self.ready(index).await;
    }

    fn spawn(&mut self, index: usize) {
        let environment = self.environment(&self.places[index]);
        let log = self
            .folder
            .path()
            .join(format!("{}.log", self.label(index)));
        let arguments = self.arguments(&self.places[index]);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let limit = self.launch.router_file_kib;
        let limit = limit.filter(|_| self.places[index].roles.contains(&Role::Router));
        let process = Process::start(&arguments, &environment, self.folder.path(), log, limit);
        self.places[index].process = Some(process);
    }

    async fn ready(&mut self, index: usize) {
        let label = self.label(index);
        let place = &mut self.places[index];
        let start = Instant::now();
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
            if ops(place.ops).is_ok("/readyz").await {
                return;
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
        if self.has_certificates() {
            let name = place.roles[0].name();
            let file = |name: &str| self.certificates().join(name).display().to_string();
            set("KEYWARD_TLS__CERT", file(&format!("{name}.pem")));
            set("KEYWARD_TLS__KEY", file(&format!("{name}.key")));
            set("KEYWARD_TLS__CA", file("ca.pem"));
        }
        if place.roles.contains(&Role::Vault) {
            if let Some(key) = &self.launch.admin_key {
                set("KEYWARD_BOOTSTRAP__ADMIN_KEY", key.clone());
            }
            environment.extend(self.launch.vault_settings.clone());
        }
        environment
    }

    /// Stops it as an operator does: the edge first, the vault last, each with exit code 0.
    pub async fn stop(&mut self) {
        for role in Role::ALL.into_iter().rev() {
            self.terminate(role);
            self.exited(role).await;
        }
    }

    /// Asks the process of a role to stop, unless it has stopped.
    pub fn terminate(&mut self, role: Role) {
        let process = self
            .place_mut(role)
            .process
            .as_mut()
            .expect("it was started");
        if process.exited().is_none() {
            process.terminate();
        }
    }

    /// Waits until the process of a role has stopped, and asserts that it did so with 0.
    pub async fn exited(&mut self, role: Role) {
        let process = self
            .place_mut(role)
            .process
            .as_mut()
            .expect("it was started");
        let status = process.exit().await;
        assert!(
            status.success(),
            "{} ended with {status}; its log ends with\n{}",
            role.name(),
            process.log_end()
        );
    }

    /// Ends the process of a role at once.
    pub fn kill_role(&mut self, role: Role) {
        let process = &mut self.place_mut(role).process;
        process.as_mut().expect("it runs").kill();
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

    /// Stops it and starts it again with settings changed.
    pub async fn change(&mut self, change: impl FnOnce(Launch) -> Launch) {
        self.stop().await;
        self.launch = change(self.launch.clone());
        self.begin().await;
    }

    fn place_mut(&mut self, role: Role) -> &mut Place {
        let mut places = self.places.iter_mut();
        let found = places.find(|place| place.roles.contains(&role));
        found.expect("every role runs")
    }

    fn place(&self, role: Role) -> &Place {
        let found = self.places.iter().find(|place| place.roles.contains(&role));
        found.expect("every role runs")
    }
}

/// Ports that nobody listens on.
pub fn free_ports(count: usize) -> Vec<u16> {
    (0..count).map(|_| ports::free()).collect()
}

fn ops(port: u16) -> Client {
    Client::new(&format!("http://127.0.0.1:{port}"), None)
}
