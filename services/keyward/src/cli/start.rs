//! `keyward serve` and `keyward migrate`: settings loaded and checked as a whole, logging, then the
//! gateway or its stores.

use clap::Args;
use keyward_runtime::settings::Settings;
use keyward_runtime::telemetry;
use tokio::runtime::Runtime;

use super::context::Context;
use super::exit::{Exit, Outcome};
use crate::configs::AuditChoices;
use crate::roles::{Role, Roles};
use crate::{compose, configs, serve as serving};

/// What to serve.
#[derive(Debug, Default, Args)]
#[command(after_help = "\
Examples:
  keyward serve                              everything in one process, data in ./keyward-data
  keyward serve --role vault                 one role; `vault.url` and the like say where others are
  keyward serve --config /etc/keyward.toml   settings of your own")]
pub(super) struct Serve {
    /// A role to run in this process; can be repeated. All of them where none is named.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
    /// Start the vault though its store is older than the signed checkpoints of its audit log; see
    /// docs/audit.md. Once, after a restore
    #[arg(long)]
    accept_older_store: bool,
    /// For tests only: give keys out even where no audit event can be written, and sign nothing
    #[arg(long)]
    insecure_no_audit: bool,
}

/// Serves until a signal to stop.
pub(super) fn serve(arguments: &Serve, context: &Context) -> Outcome {
    let roles = Roles::of(&arguments.roles);
    let (settings, runtime) = start(context, &roles)?;
    configs::check_custody(&settings, &roles)?;
    if arguments.insecure_no_audit {
        tracing::warn!(
            "--insecure-no-audit: keys are given out even where no audit event can be written, and no \
             checkpoint is signed; for tests only"
        );
    }
    let audit = AuditChoices {
        accept_older_store: arguments.accept_older_store,
        is_required: !arguments.insecure_no_audit,
    };
    runtime.block_on(serving::run(settings, roles, audit))?;
    Ok(Exit::Done)
}

/// Creates or upgrades the stores' schemas.
pub(super) fn migrate(context: &Context) -> Outcome {
    let roles = Roles::of(&[Role::Vault, Role::Metering]);
    let (settings, runtime) = start(context, &roles)?;
    runtime.block_on(compose::migrate(&settings, &roles))?;
    Ok(Exit::Done)
}

fn start(context: &Context, roles: &Roles) -> anyhow::Result<(Settings, Runtime)> {
    let hardening = match roles.have_stored_keys() {
        true => context.hardening,
        false => context.hardening.let_memory_be_read(),
    };
    let settings = context.settings()?;
    configs::check(&settings, roles)?;
    telemetry::start(&settings.log)?;
    hardening.log();
    for stranger in context.environment.strangers() {
        tracing::warn!(
            variable = stranger,
            "this variable is no setting of Keyward and is ignored: section and field are joined by \
             two underscores, as in KEYWARD_EDGE__LISTEN"
        );
    }
    // One provider of cryptography for all of TLS; it fails only if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok((settings, runtime))
}
