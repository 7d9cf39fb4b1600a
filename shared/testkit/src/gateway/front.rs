//! Further processes beside those of a gateway: another router with an edge of its own, or another
//! vault on the same store.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;

use super::process::Process;
use super::{Gateway, Place, Role, ops, ports};
use crate::client::Client;
use crate::wait;

/// A further process, which ends when it is dropped.
#[derive(Debug)]
pub struct Front {
    http: u16,
    grpc: u16,
    process: Process,
}

impl Gateway {
    /// Starts a router and an edge whose vault is at `vault`, such as [`Gateway::grpc_url`] or a
    /// [`Link`](crate::Link)'s, and waits until they are ready. They serve models; management may be
    /// the gateway's own edge alone.
    pub async fn front(&self, vault: &str) -> Front {
        let vault = ("KEYWARD_VAULT__URL".to_owned(), vault.to_owned());
        let roles = vec![Role::Router, Role::Edge];
        self.further(roles, [vault].into()).await
    }

    /// Starts another vault with the settings of the gateway's own.
    pub async fn further_vault(&self) -> Front {
        self.further(vec![Role::Vault], BTreeMap::new()).await
    }

    /// With a data folder of its own, and the peer tokens of the gateway's.
    async fn further(&self, roles: Vec<Role>, settings: BTreeMap<String, String>) -> Front {
        let (http, grpc) = (ports::free(), ports::free());
        let place = Place {
            roles,
            grpc,
            ops: ports::free(),
            process: None,
        };
        let mut environment = self.environment(&place);
        let listen = format!("127.0.0.1:{http}");
        environment.insert("KEYWARD_EDGE__LISTEN".to_owned(), listen);
        let folder = self.folder.path().join(format!("further-{http}"));
        let private = fs::DirBuilder::new().mode(0o700).create(&folder);
        private.expect("a further process's data folder");
        let tokens = self.data_dir().join("peers");
        for (name, path) in [("DATA_DIR", &folder), ("PEERS__TOKEN_DIR", &tokens)] {
            environment.insert(format!("KEYWARD_{name}"), path.display().to_string());
        }
        environment.extend(settings);
        let arguments = self.arguments(&place);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let log = self.folder.path().join(format!("further-{http}.log"));
        let process = Process::start(&arguments, &environment, self.folder.path(), log, None);
        let further = Front {
            http,
            grpc,
            process,
        };
        let listens = || async { std::net::TcpStream::connect(("127.0.0.1", place.ops)).is_ok() };
        wait::until("a further process to listen", listens).await;
        wait::until("a further process to be ready", || async {
            ops(place.ops).get("/readyz").await.status.is_success()
        })
        .await;
        further
    }
}

impl Front {
    /// A caller with this access key.
    pub fn client(&self, access_key: &str) -> Client {
        let url = format!("http://127.0.0.1:{}", self.http);
        Client::new(&url, Some(access_key))
    }

    /// Where its gRPC is served.
    pub fn grpc_url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.grpc)
    }

    /// The id of its process.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// What it has written.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
