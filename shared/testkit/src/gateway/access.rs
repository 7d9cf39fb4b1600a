//! What a test reaches of a running gateway: callers, channels, and what it leaves behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tonic::transport::{Channel, Endpoint};

use super::certificates::{Authority, Shown};
use super::process::{Process, run};
use super::{Gateway, Role, Topology, ops};
use crate::client::{Answer, Client};

impl Gateway {
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
        let scheme = if self.has_certificates() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://127.0.0.1:{}", self.place(role).grpc)
    }

    /// A channel to a role, for somebody outside.
    pub async fn grpc(&self, role: Role) -> Channel {
        if self.has_certificates() {
            return self.grpc_showing(role, &self.shown("caller"));
        }
        let endpoint = Endpoint::from_shared(self.grpc_url(role)).expect("a URL");
        endpoint.connect().await.expect("gRPC answers")
    }

    /// A channel to a role, for whoever shows this.
    pub fn grpc_showing(&self, role: Role, shown: &Shown) -> Channel {
        let endpoint = Endpoint::from_shared(self.grpc_url(role)).expect("a URL");
        let tls = shown.tls(&self.certificates());
        let endpoint = endpoint.tls_config(tls).expect("TLS");
        // In TLS 1.3 whoever is refused learns so with the first call.
        endpoint.connect_lazy()
    }

    /// What the role of this name shows, or a `caller`.
    pub fn shown(&self, name: &str) -> Shown {
        Shown::read(&self.certificates(), name)
    }

    /// Who signs certificates of this gateway.
    pub fn authority(&self) -> Authority {
        Authority::read(&self.certificates())
    }

    /// Where certificates lie, if roles have some.
    pub fn certificates(&self) -> PathBuf {
        self.folder.path().join("certificates")
    }

    /// Whether roles know each other by certificates.
    pub(super) fn has_certificates(&self) -> bool {
        self.launch.topology == Topology::Split && !self.launch.peer_tokens
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

    /// Runs the binary to its end with the settings of a role's process, and further variables.
    pub fn run_as(&self, role: Role, arguments: &[&str], further: &[(&str, &str)]) -> Output {
        let environment = self.environment(self.place(role));
        let given = environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Vec<(&str, &str)> = given.chain(further.iter().copied()).collect();
        run(arguments, &variables, self.folder.path())
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
