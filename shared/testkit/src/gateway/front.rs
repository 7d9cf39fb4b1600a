//! Another router with an edge of its own, in one process, beside those of a gateway.

use super::process::Process;
use super::{Gateway, Place, Role, ops, ports};
use crate::client::Client;
use crate::wait;

/// A further way into a gateway. Its process ends when it is dropped.
#[derive(Debug)]
pub struct Front {
    http: u16,
    process: Process,
}

impl Gateway {
    /// Starts one whose vault is at `vault`, such as [`Gateway::grpc_url`] or a
    /// [`Link`](crate::Link)'s, and waits until it is ready. It serves models; management may be the
    /// gateway's own edge alone.
    pub async fn front(&self, vault: &str) -> Front {
        let place = Place {
            roles: vec![Role::Router, Role::Edge],
            grpc: ports::free(),
            ops: ports::free(),
            process: None,
        };
        let http = ports::free();
        let mut environment = self.environment(&place);
        let mut set = |name: &str, value: String| environment.insert(name.to_owned(), value);
        set("KEYWARD_EDGE__LISTEN", format!("127.0.0.1:{http}"));
        set("KEYWARD_VAULT__URL", vault.to_owned());
        let arguments = self.arguments(&place);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let log = self.folder.path().join(format!("front-{http}.log"));
        let process = Process::start(&arguments, &environment, self.folder.path(), log);
        let front = Front { http, process };
        let listens = || async { std::net::TcpStream::connect(("127.0.0.1", place.ops)).is_ok() };
        wait::until("another router to listen", listens).await;
        wait::until("another router to be ready", || async {
            ops(place.ops).get("/readyz").await.status.is_success()
        })
        .await;
        front
    }
}

impl Front {
    /// A caller with this access key.
    pub fn client(&self, access_key: &str) -> Client {
        let url = format!("http://127.0.0.1:{}", self.http);
        Client::new(&url, Some(access_key))
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
