//! `keyward doctor`: whether a gateway can run here, or runs well: what is found is gathered, then
//! judged, then said in a line each. It changes nothing and needs no gateway; beside one that runs it
//! reads what that one writes, without a lock.

mod gather;
mod http;
mod judge;
mod report;

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use keyward_runtime::serve::Process;

use crate::cli::context::Context;
use crate::cli::exit::{Exit, Outcome};
use crate::configs;
use crate::roles::{Role, Roles};
use gather::{Subject, network, stores};
use report::{Check, Report};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Which process to look at.
#[derive(Debug, Args)]
#[command(after_help = "\
Each line says ok, warn, fail or skip, what was found, and after `->` what to do. With a fail the exit
code is 1. It can run beside a gateway, and without one.

Examples:
  keyward doctor                              the gateway in one process, data in ./keyward-data
  keyward doctor --config /etc/keyward.toml   the settings that the gateway is started with
  keyward doctor --role edge                  a process that runs the edge alone
  keyward doctor --json                       for programs")]
pub(crate) struct Arguments {
    /// A role that the process runs; can be repeated. All of them where none is named.
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<Role>,
}

/// Looks at everything, and says what was found.
pub(crate) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let report = examine(Roles::of(&arguments.roles), context)?;
    context.output.show(&report.json(), |_| report.table())?;
    context.output.note(report.sentence());
    Ok(match report.has_failed() {
        true => Exit::Failed,
        false => Exit::Done,
    })
}

fn examine(roles: Roles, context: &Context) -> anyhow::Result<Report> {
    let settings = context.settings();
    let settings = settings.and_then(|settings| {
        configs::check(&settings, &roles)?;
        Ok(settings)
    });
    let mut report = Report::default();
    match settings {
        Err(error) => {
            let problem = format!("{:#}", anyhow::Error::new(error));
            report.add([judge::settings::refused(&problem)]);
        }
        Ok(settings) => {
            let environment = context.environment.clone();
            let certificates = crate::tls::Tls::load(&settings, &roles, &Process::new());
            let subject = Arc::new(Subject {
                settings,
                environment,
                roles,
                // What is wrong with them is said by a check of its own.
                certificates: certificates.ok().and_then(|tls| tls.between_roles()),
            });
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            report.add(runtime.block_on(in_time(subject)));
            // A resolver or a disk that does not answer is not waited for.
            runtime.shutdown_background();
        }
    }
    Ok(report)
}

async fn in_time(subject: Arc<Subject>) -> Vec<Check> {
    let late = |_| {
        let message = format!(
            "not everything could be looked at within {} s",
            PATIENCE.as_secs()
        );
        let mend = "see whether the disk of data_dir and the name server answer";
        vec![Check::fail("doctor", message, mend)]
    };
    let examined = tokio::time::timeout(PATIENCE, examine_all(subject)).await;
    examined.unwrap_or_else(late)
}

/// In the order in which it is said: what others rest on first.
async fn examine_all(subject: Arc<Subject>) -> Vec<Check> {
    let (kept, live) = tokio::join!(
        stores::gather(Arc::clone(&subject)),
        network::live::gather(&subject),
    );
    // At once: what comes next may take seconds, and the clocks would seem to differ by them.
    let clock = gather::clock(kept.last_write, live.time);
    let (transit, redis, providers, peers, collector, route) = tokio::join!(
        network::transit::gather(&subject),
        network::redis::gather(&subject),
        network::providers::gather(&subject, &kept.destinations),
        network::peers::gather(&subject),
        network::telemetry::gather(&subject),
        network::route::gather(&subject, live.gateway.as_ref()),
    );
    let mut checks = judge::settings::judge(&gather::settings(&subject));
    checks.push(judge::secrets::judge(&gather::secrets(&subject)));
    checks.extend(judge::files::judge(&gather::files::gather(&subject)));
    checks.extend(gather::tls::gather(&subject).iter().map(judge::tls::judge));
    checks.push(judge::disk::judge(&gather::files::disk(&subject)));
    checks.extend(kept.stores.iter().map(judge::stores::judge));
    checks.extend(kept.master_key.iter().flat_map(judge::master_key::judge));
    checks.extend(transit.iter().map(judge::transit::judge));
    checks.extend(redis.iter().map(judge::redis::judge));
    checks.push(judge::clock::judge(&clock));
    checks.extend(gather::catalogue(&subject).map(|facts| judge::catalogue::judge(&facts)));
    checks.extend(live.listeners.iter().map(judge::listeners::judge));
    checks.extend(peers.iter().map(judge::peers::judge));
    checks.extend(match providers {
        Some(found) => judge::providers::judge(&found),
        None => vec![judge::providers::not_here()],
    });
    checks.push(judge::telemetry::judge(collector.as_ref()));
    let admin_key = gather::files::admin_key(&subject);
    checks.push(judge::admin_key::judge(admin_key.as_deref()));
    checks.push(judge::route::judge(&route));
    checks
}
