//! The certificates of this process: whether they fit what it runs, and who is asked for one.

use keyward_runtime::error::chain;
use keyward_runtime::serve::Process;
use keyward_runtime::settings::{Settings, SettingsError};
use keyward_runtime::tls::{Acceptor, Certificates, Clients, Files, Identity, Material, TlsMeters};

use crate::roles::{Role, Roles};

/// The certificates of this process, as far as it has any.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    roles: Option<Certificates>,
    edge: Option<Certificates>,
}

/// What makes TLS connections of what comes to the listeners.
#[derive(Debug)]
pub(crate) struct Acceptors {
    pub(crate) grpc: Option<Acceptor>,
    pub(crate) edge: Option<Acceptor>,
}

impl Tls {
    /// Reads what the settings name.
    ///
    /// # Errors
    /// [`SettingsError`] if it cannot be used, or is of another role than runs here.
    pub(crate) fn load(
        settings: &Settings,
        roles: &Roles,
        process: &Process,
    ) -> Result<Self, SettingsError> {
        let edge = settings.edge.tls.as_ref();
        let edge = edge.filter(|_| roles.has(Role::Edge));
        if settings.tls.is_none() && edge.is_none() {
            return Ok(Self::default());
        }
        let meters = TlsMeters::new(&process.metrics);
        let load = |part, files: &Files| {
            Certificates::load(part, files.clone(), meters.clone())
                .map_err(|error| refused(part, chain(&error)))
        };
        let tls = Self {
            roles: settings
                .tls
                .as_ref()
                .map(|files| load("tls", files))
                .transpose()?,
            edge: edge.map(|files| load("edge.tls", files)).transpose()?,
        };
        if let Some(certificates) = &tls.roles {
            check_role(&certificates.current(), roles)
                .map_err(|message| refused("tls.cert", message))?;
        }
        Ok(tls)
    }

    /// By what the roles here know roles elsewhere.
    pub(crate) fn between_roles(&self) -> Option<Certificates> {
        self.roles.clone()
    }

    /// What the listeners of these roles need.
    pub(crate) fn acceptors(&self, roles: &Roles) -> Acceptors {
        let grpc = self.roles.clone();
        Acceptors {
            grpc: grpc.map(|certificates| Acceptor::grpc(certificates, clients(roles))),
            edge: self.edge.clone().map(Acceptor::http),
        }
    }

    /// Follows changes of the files until the process stops.
    pub(crate) fn follow(&self, process: &Process) {
        for certificates in self.roles.iter().chain(&self.edge) {
            certificates.follow(process);
        }
    }
}

/// The vault answers nobody without a certificate. Router and metering do: outside callers bring a
/// credential of their own, and get what the table of methods gives them.
fn clients(roles: &Roles) -> Clients {
    match roles.has(Role::Vault) && !roles.has(Role::Router) {
        true => Clients::Required,
        false => Clients::Optional,
    }
}

/// A certificate says one role, so it must be one that runs here. What others that run here call
/// elsewhere is refused there, because it is that role's certificate that they show. A process with all
/// roles calls none and is called by none: there the certificate is for outside callers.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn check_role(material: &Material, roles: &Roles) -> Result<(), String> {
    let here = roles.all();
    match (&here[..], material.identity()) {
        ([_, _, _, _], _) => Ok(()),
        (here, Ok(identity)) if here.iter().any(|role| role.name() == identity.role()) => Ok(()),
        (_, Ok(identity)) => Err(format!(
            "the certificate is of {identity}, and this process runs the {}",
            roles.names().join(", ")
        )),
        (_, Err(error)) => {
            let example = roles.names().into_iter().next().unwrap_or_default();
            let like = Identity::new("example.org", example);
            let like = like.map(|like| like.to_string()).unwrap_or_default();
            Err(format!("{error}: this process needs one such as `{like}`"))
        }
    }
}

fn refused(name: &str, message: String) -> SettingsError {
    SettingsError::Invalid {
        name: name.to_owned(),
        origin: "as set".to_owned(),
        message,
    }
}
