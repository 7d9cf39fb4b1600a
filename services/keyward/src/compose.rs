//! Composition: which roles run here, how they reach each other, and what the gRPC port offers.
//!
//! A role in this process is reached through its generated server, one elsewhere through a channel;
//! nobody but this module knows which it is.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use keyward_auth::{
    AuthLayer, Authenticator, Connection, Introduction, LocalServices, Peer, PeerTokens,
    RemoteExchanger,
};
use keyward_catalog::CatalogHandle;
use keyward_edge::{Edge, EdgeConfig, EdgeConnections};
use keyward_metering::Metering;
use keyward_router::{Router, RouterConnections};
use keyward_runtime::health::{self, Health};
use keyward_runtime::private;
use keyward_runtime::serve::Process;
use keyward_runtime::settings::{Settings, SettingsError};
use keyward_runtime::telemetry::rpc::RpcMeters;
use keyward_runtime::tls::Certificates;
use keyward_vault::{PostgresUrl, Vault, VaultConfig};
use tonic::service::Routes;
use tower::Layer as _;
use url::Url;

use crate::bootstrap;
use crate::catalog;
use crate::configs::{self, AuditChoices};
use crate::ready;
use crate::roles::{Role, Roles};
use crate::tls::Tls;

/// A process put together, not yet serving.
pub(crate) struct Composed {
    /// What the gRPC port offers; none where no role of this process has a port.
    pub(crate) routes: Option<Routes>,
    /// The HTTP edge, if it runs here.
    pub(crate) edge: Option<Edge>,
    /// What gRPC health checks are told.
    pub(crate) health: Health,
    /// What is closed last.
    pub(crate) stores: Stores,
}

/// The roles of this process that have a store.
#[derive(Clone, Default)]
pub(crate) struct Stores {
    vault: Option<Vault>,
    metering: Option<Metering>,
    router: Option<Router>,
}

impl Stores {
    /// Closes them, once nothing uses them any more: what was written is in the files then, without
    /// logs beside them.
    pub(crate) async fn close(&self) {
        // First: what its spool holds can be told metering for as long as that is there.
        if let Some(router) = &self.router {
            router.close().await;
        }
        if let Some(metering) = &self.metering {
            metering.close().await;
        }
        if let Some(vault) = &self.vault {
            vault.close().await;
        }
    }
}

/// Puts the roles of this process together, those first that others call.
pub(crate) async fn compose(
    settings: &Settings,
    roles: &Roles,
    audit: AuditChoices,
    process: &Process,
    tls: &Tls,
) -> anyhow::Result<Composed> {
    let mut parts = Parts::new(settings, roles, process);
    parts.certificates = tls.between_roles();
    parts.audit = audit;
    let needs_catalog = roles.has(Role::Metering) || roles.has(Role::Router);
    if needs_catalog {
        parts.catalog = Some(catalog::load(settings).await?);
    }
    if roles.has(Role::Vault) {
        parts.vault().await?;
    }
    if roles.has(Role::Metering) {
        parts.metering().await?;
    }
    if roles.has(Role::Router) {
        parts.router().await?;
    }
    parts.watch_catalog();
    let edge = match roles.has(Role::Edge) {
        true => Some(parts.edge()?),
        false => None,
    };
    parts.finish(edge).await
}

/// Metering as a router reaches it, for a command that does a router's work: over the wire, where the
/// settings say that metering is, or at the gRPC port of this machine's gateway.
pub(crate) fn metering_of_a_router(
    settings: &Settings,
    process: &Process,
) -> anyhow::Result<Connection> {
    let roles = Roles::of(&[Role::Router]);
    let tls = Tls::load(settings, &roles, process)?;
    let mut parts = Parts::new(settings, &roles, process);
    parts.certificates = tls.between_roles();
    let here = || Url::parse(&format!("http://{}", settings.grpc.listen));
    let url = match &settings.urls.metering {
        Some(url) => url.clone(),
        None => here().context("setting `grpc.listen`")?,
    };
    parts.dial(Role::Metering, &url, Peer::Router)
}

/// Creates or upgrades the stores' schemas: embedded ones by opening them.
pub(crate) async fn migrate(settings: &Settings, roles: &Roles) -> anyhow::Result<()> {
    let process = Process::new();
    let mut parts = Parts::new(settings, roles, &process);
    private::make_folder(&settings.data_dir)?;
    parts.catalog = Some(catalog::load(settings).await?);
    match configs::vault_postgres(settings)? {
        Some(url) => say_migrated("the vault", &url, keyward_vault::migrate(&url).await?),
        None => drop(parts.open_vault().await?),
    }
    match configs::metering_postgres(settings)? {
        Some(url) => say_migrated("metering", &url, keyward_metering::migrate(&url).await?),
        None => parts.metering().await?,
    }
    match configs::router_postgres(settings)? {
        Some(url) => say_migrated("the router", &url, keyward_router::migrate(&url).await?),
        None => keyward_router::migrate_file(&configs::router_file(settings)).await?,
    }
    process.drain(settings.shutdown_grace).await;
    parts.stores.close().await;
    Ok(())
}

fn say_migrated(of: &'static str, url: &PostgresUrl, (found, known): (u32, u32)) {
    tracing::info!(
        store = %url,
        schema.of = of,
        schema.found = found,
        schema.version = known,
        "the schema is up to date"
    );
}

/// The parts that are there so far.
struct Parts<'a> {
    settings: &'a Settings,
    roles: &'a Roles,
    process: &'a Process,
    tokens: PeerTokens,
    /// What roles know each other by instead of tokens.
    certificates: Option<Certificates>,
    /// The servers in this process.
    services: LocalServices,
    meters: RpcMeters,
    /// The catalogue: one for all roles of a process.
    catalog: Option<catalog::Loaded>,
    /// Who knows callers: one for all roles of a process, so that what one learns all know.
    authenticator: Option<Authenticator>,
    stores: Stores,
    /// What the command line says of the audit log.
    audit: AuditChoices,
}

impl<'a> Parts<'a> {
    fn new(settings: &'a Settings, roles: &'a Roles, process: &'a Process) -> Self {
        let tokens = PeerTokens::in_folder(&settings.peer_token_dir);
        let services = LocalServices::new();
        Self {
            settings,
            roles,
            process,
            tokens,
            certificates: None,
            services,
            meters: RpcMeters::new(&process.metrics),
            catalog: None,
            authenticator: None,
            stores: Stores::default(),
            audit: AuditChoices::default(),
        }
    }

    /// The vault, with the admin and the platform's keys that the settings ask for.
    async fn vault(&mut self) -> anyhow::Result<()> {
        let settings = self.settings;
        let vault = self.open_vault().await?;
        let admin = vault
            .bootstrap_admin(settings.bootstrap_admin_key.clone())
            .await?;
        if let Some(key) = &admin.admin_key {
            bootstrap::hand_over(key, settings)?;
        }
        if settings.bootstrap_admin_key.is_some() {
            bootstrap::given_instead(settings)?;
        }
        let sandbox = configs::sandbox_is_enabled(settings);
        vault
            .sync_system_keys(configs::system_keys(settings), sandbox)
            .await?;
        ready::watch_vault(self.process, vault.clone());
        let layer = self.layer()?.telling(vault.refused_peers());
        self.services = std::mem::take(&mut self.services)
            .with(layer.layer(vault.provider_key_server()))
            .with(layer.layer(vault.vault_server()))
            .with(layer.layer(vault.master_key_server()))
            .with(layer.layer(vault.identity_server()))
            .with(layer.layer(vault.audit_server()));
        Ok(())
    }

    async fn open_vault(&mut self) -> anyhow::Result<Vault> {
        let (tracker, stopping) = (self.process.tracker.clone(), self.process.stopping.clone());
        let mut config = VaultConfig {
            metrics: self.process.metrics.clone(),
            ..configs::vault(self.settings)?
        };
        config.audit.accept_older_store = self.audit.accept_older_store;
        config.audit.required = self.audit.is_required;
        let vault = Vault::open(config, tracker, stopping).await?;
        self.authenticator = Some(Authenticator::new(vault.exchanger()));
        self.stores.vault = Some(vault.clone());
        Ok(vault)
    }

    async fn metering(&mut self) -> anyhow::Result<()> {
        let vault = self.connect(Role::Vault, Peer::Metering)?;
        let config = configs::metering(self.settings)?;
        let metering = Metering::open(config, vault, &self.catalog()?, self.process).await?;
        let layer = self.layer()?;
        self.services = metering.add_services(std::mem::take(&mut self.services), &layer);
        self.stores.metering = Some(metering);
        Ok(())
    }

    async fn router(&mut self) -> anyhow::Result<()> {
        let connections = RouterConnections {
            vault: self.connect(Role::Vault, Peer::Router)?,
            metering: self.connect(Role::Metering, Peer::Router)?,
        };
        let layer = self.layer()?;
        let config = configs::router(self.settings)?;
        let router = Router::open(
            &config,
            connections,
            self.authenticator()?,
            self.catalog()?,
            self.process,
        );
        let router = router.await?;
        self.stores.router = Some(router.clone());
        ready::watch_router(self.process, router.clone());
        self.services = std::mem::take(&mut self.services).with(layer.layer(router.server()));
        Ok(())
    }

    fn edge(&mut self) -> anyhow::Result<Edge> {
        let connections = EdgeConnections {
            router: self.connect(Role::Router, Peer::Edge)?,
            vault: self.connect(Role::Vault, Peer::Edge)?,
            metering: self.connect(Role::Metering, Peer::Edge)?,
        };
        let config = EdgeConfig {
            body_metadata: self.settings.edge.body_metadata,
        };
        Ok(Edge::new(config, connections, self.process.clone()))
    }

    async fn finish(self, edge: Option<Edge>) -> anyhow::Result<Composed> {
        let names: Vec<&'static str> = self.services.names().collect();
        let by_default = !self.roles.is_vault_alone();
        let reflected = self.settings.grpc.reflection.unwrap_or(by_default);
        let (health, mut routes) = Health::add_to(self.services.routes(), names.clone()).await;
        if reflected {
            routes = health::add_reflection(routes, keyward_proto::DESCRIPTORS, &names)?;
        }
        let routes = self.roles.serves_grpc().then_some(routes);
        Ok(Composed {
            routes,
            edge,
            health,
            stores: self.stores,
        })
    }

    /// How `peer` reaches a role: here, or where the settings say.
    fn connect(&self, role: Role, peer: Peer) -> anyhow::Result<Connection> {
        if self.roles.has(role) {
            return Ok(Connection::local(self.services.clone(), peer));
        }
        let urls = &self.settings.urls;
        let (setting, condition, url) = match role {
            Role::Router => ("router.url", "router", &urls.router),
            Role::Vault => ("vault.url", "vault", &urls.vault),
            Role::Metering => ("metering.url", "metering", &urls.metering),
            Role::Edge => bail!("nothing calls the edge"),
        };
        let url = url.as_ref().ok_or_else(|| SettingsError::Invalid {
            name: setting.to_owned(),
            origin: "not set".to_owned(),
            message: format!("is needed: the {peer} calls that role, which does not run here"),
        })?;
        let connection = self
            .dial(role, url, peer)
            .with_context(|| format!("setting `{setting}`"))?;
        ready::watch_role(self.process, condition, connection.clone());
        Ok(connection)
    }

    fn dial(&self, role: Role, url: &Url, peer: Peer) -> anyhow::Result<Connection> {
        let introduction = match &self.certificates {
            Some(certificates) => Introduction::Certificate {
                certificates: certificates.clone(),
                called: role.peer(),
            },
            None => Introduction::Token(
                self.tokens
                    .show(peer)
                    .context("the peer token cannot be read or made")?,
            ),
        };
        Ok(Connection::remote(url.as_str().parse()?, introduction)?)
    }

    fn catalog(&self) -> anyhow::Result<CatalogHandle> {
        let loaded = self.catalog.as_ref();
        let loaded = loaded.context("the catalogue is not loaded")?;
        Ok(loaded.handle.clone())
    }

    /// Has the process follow what is applied to the catalogue while it runs.
    fn watch_catalog(&self) {
        if let Some(catalog) = &self.catalog {
            catalog::watch(
                self.settings,
                catalog,
                self.stores.metering.clone(),
                self.process,
            );
        }
    }

    fn layer(&mut self) -> anyhow::Result<AuthLayer> {
        let tokens = self.certificates.is_none().then(|| self.tokens.clone());
        let layer = AuthLayer::new(self.authenticator()?, tokens);
        Ok(layer.with_meters(self.meters.clone()))
    }

    fn authenticator(&mut self) -> anyhow::Result<Authenticator> {
        if let Some(authenticator) = &self.authenticator {
            return Ok(authenticator.clone());
        }
        let peer = if self.roles.has(Role::Router) {
            Peer::Router
        } else {
            Peer::Metering
        };
        let exchanger = RemoteExchanger::new(self.connect(Role::Vault, peer)?);
        let authenticator = Authenticator::new(Arc::new(exchanger));
        self.authenticator = Some(authenticator.clone());
        Ok(authenticator)
    }
}
