//! The gateway that tests share, one for each topology, and the macros that run a test on several.

use std::sync::{Arc, Weak};

use keyward_testkit::{Gateway, Launch, ScriptedUpstream, Tenant, TestDatabase, Topology, canary};
use tokio::sync::Mutex;

use crate::postgres::migrate_metering;

/// Runs each test body on both topologies, as `embedded::name` and `split::name`.
macro_rules! both {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name(keyward_testkit::Topology::Embedded).await;
            })+
        }
        mod split {
            $(#[tokio::test]
            async fn $name() {
                super::$name(keyward_testkit::Topology::Split).await;
            })+
        }
    };
}
pub(crate) use both;

/// Runs each test body on both topologies, and with metering's store in Postgres.
macro_rules! everywhere {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::system::World::Embedded).await;
            })+
        }
        mod split {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::system::World::Split).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::system::World::Postgres).await;
            })+
        }
    };
}
pub(crate) use everywhere;

/// How a gateway is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// One process.
    Embedded,
    /// Four.
    Split,
    /// One, with metering's store in Postgres.
    Postgres,
}

impl World {
    pub(crate) fn topology(self) -> Topology {
        match self {
            Self::Embedded | Self::Postgres => Topology::Embedded,
            Self::Split => Topology::Split,
        }
    }
}

/// A gateway, and the providers behind it.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) gateway: Gateway,
    pub(crate) providers: Providers,
    /// Metering's store, where that is one.
    pub(crate) database: Option<TestDatabase>,
}

/// The scripted providers. The platform has a key of its own at OpenAI alone.
#[derive(Debug)]
pub(crate) struct Providers {
    pub(crate) openai: ScriptedUpstream,
    pub(crate) openrouter: ScriptedUpstream,
    pub(crate) groq: ScriptedUpstream,
    pub(crate) anthropic: ScriptedUpstream,
    pub(crate) google: ScriptedUpstream,
    pub(crate) system_key: String,
}

impl Providers {
    pub(crate) fn start() -> Self {
        Self {
            openai: ScriptedUpstream::start(),
            openrouter: ScriptedUpstream::start(),
            groq: ScriptedUpstream::start(),
            anthropic: ScriptedUpstream::start(),
            google: ScriptedUpstream::start(),
            system_key: canary::provider_key("openai"),
        }
    }

    /// The settings of a gateway in front of them.
    pub(crate) fn launch(&self, topology: Topology) -> Launch {
        Launch::new(topology)
            .provider("openai", &self.openai)
            .provider("openrouter", &self.openrouter)
            .provider("groq", &self.groq)
            .set("providers.anthropic.base_url", &self.anthropic.origin())
            .set("providers.google.base_url", &self.google.origin())
            .system_key("openai", &self.system_key)
    }

    pub(crate) fn named(&self, provider: &str) -> &ScriptedUpstream {
        match provider {
            "openai" => &self.openai,
            "openrouter" => &self.openrouter,
            "groq" => &self.groq,
            "anthropic" => &self.anthropic,
            "google" => &self.google,
            _ => panic!("no scripted provider {provider}"),
        }
    }

    /// Which provider was shown which key in requests that contain `marker`.
    pub(crate) fn keys_seen(&self, marker: &str) -> Vec<(&'static str, String)> {
        ["openai", "openrouter", "groq"]
            .into_iter()
            .flat_map(|name| {
                let keys = self.named(name).keys_seen(marker);
                keys.into_iter().map(move |key| (name, key))
            })
            .collect()
    }
}

impl System {
    /// A tenant without credits, and its own key for OpenAI.
    pub(crate) async fn own_key(&self) -> (Tenant, String) {
        let tenant = Tenant::new(&self.gateway, "trial").await;
        let (_, key) = tenant.own_key("openai").await;
        (tenant, key)
    }

    /// One of its own for a test, with settings changed.
    pub(crate) async fn own(topology: Topology, change: impl FnOnce(Launch) -> Launch) -> Self {
        let providers = Providers::start();
        let gateway = change(providers.launch(topology)).start().await;
        Self {
            gateway,
            providers,
            database: None,
        }
    }

    /// The same in a world.
    pub(crate) async fn own_in(world: World, change: impl FnOnce(Launch) -> Launch) -> Self {
        if world != World::Postgres {
            return Self::own(world.topology(), change).await;
        }
        let database = TestDatabase::new();
        migrate_metering(&database.url());
        let on_postgres =
            |launch: Launch| change(launch).set("metering.store.url", &database.url());
        let system = Self::own(world.topology(), on_postgres).await;
        Self {
            database: Some(database),
            ..system
        }
    }
}

static EMBEDDED: Mutex<Weak<System>> = Mutex::const_new(Weak::new());
static SPLIT: Mutex<Weak<System>> = Mutex::const_new(Weak::new());

/// The system that tests share. It lives as long as one of them holds it, so that no process is
/// left behind.
pub(crate) async fn shared(topology: Topology) -> Arc<System> {
    let slot = match topology {
        Topology::Embedded => &EMBEDDED,
        Topology::Split => &SPLIT,
    };
    let mut slot = slot.lock().await;
    if let Some(system) = slot.upgrade() {
        return system;
    }
    let system = Arc::new(System::own(topology, |launch| launch).await);
    *slot = Arc::downgrade(&system);
    system
}
