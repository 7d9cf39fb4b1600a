//! `keyward certs`: certificates by which roles in several processes know each other.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::context::Context;
use super::exit::{Exit, Outcome};
use crate::certificates::{self, Existing, Plan};

/// What is asked about certificates.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward certs dev --out certs
  keyward certs dev --out certs --host gateway.internal --days 30
  keyward certs dev --out certs --renew")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make certificates for every role, and who signs them
    Dev(Dev),
}

/// What to make.
#[derive(Debug, Args)]
#[command(after_help = "\
In the folder lie afterwards `ca.pem`, and for vault, metering, router, edge and caller a certificate and
a key, such as `vault.pem` and `vault.key`: the settings `tls.ca`, `tls.cert` and `tls.key`. `caller` is
for internal services that call gRPC with a credential of their own. `ca.key` signs them: whoever has it
can be any role, so keep it away from where the gateway runs. Processes take renewed files by themselves.")]
#[allow(clippy::struct_excessive_bools, reason = "options of a command line")]
struct Dev {
    /// The folder for them
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The domain within which roles know each other
    #[arg(long, value_name = "DOMAIN", default_value = "keyward.local")]
    trust_domain: String,
    /// How many days they are good; who signs them is for ten years
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// A further name of hosts that they are good for; can be repeated
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// Make a folder for each role, with `ca.pem`, `cert.pem` and `key.pem`
    #[arg(long)]
    folders: bool,
    /// Issue those that are there anew, signed by the same
    #[arg(long, group = "existing")]
    renew: bool,
    /// Replace those that are there, and who signed them
    #[arg(long, group = "existing")]
    force: bool,
    /// Do nothing where all of them are there
    #[arg(long, group = "existing")]
    if_missing: bool,
}

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let Action::Dev(wish) = arguments.action;
    let plan = Plan {
        existing: wish.existing(),
        out: wish.out,
        trust_domain: wish.trust_domain,
        days: wish.days,
        hosts: wish.hosts,
        folders: wish.folders,
    };
    let made = certificates::make(&plan)?;
    let out = plan.out.display();
    context.output.note(match made {
        true => format!("{out}: certificates for every role. Keep `ca.key` somewhere else."),
        false => format!("{out}: all there, nothing changed."),
    });
    Ok(Exit::Done)
}

impl Dev {
    fn existing(&self) -> Existing {
        match (self.renew, self.force, self.if_missing) {
            (true, ..) => Existing::Renew,
            (_, true, _) => Existing::Replace,
            (.., true) => Existing::Keep,
            _ => Existing::Refuse,
        }
    }
}
