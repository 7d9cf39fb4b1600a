//! `keyward tiers`: what is added to list prices, and what else goes with a tier.

use clap::{ArgAction, Args, Subcommand};
use serde_json::{Map, Value};

use super::arguments::DryRun;
use super::client::{Refusal, Request};
use super::context::Context;
use super::exit::{Failure, Outcome};
use super::view::{self, Column, Kind};

/// What is done with tiers.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward tiers list
  keyward tiers create startup --markup-percent 7.5
  keyward tiers update trial --requests-per-minute 20

Your access key needs the scope `admin` to make or change tiers. Requests keep the markup that
stood when they began.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them
    List,
    /// Show one
    Get {
        /// Its name
        tier: String,
    },
    /// Make one
    Create(Terms),
    /// Change one
    Update(Terms),
}

#[derive(Debug, Args)]
struct Terms {
    /// Its name
    tier: String,
    /// What is added to list prices, such as 7.5
    #[arg(long, value_name = "PERCENT", value_parser = basis_points)]
    markup_percent: Option<u64>,
    /// Whether keys of organisations serve in it
    #[arg(long, value_name = "true|false", action = ArgAction::Set)]
    organization_keys: Option<bool>,
    /// Requests that an account may make in a minute
    #[arg(long, value_name = "COUNT")]
    requests_per_minute: Option<u64>,
    /// Tokens that an account may use in a minute
    #[arg(long, value_name = "COUNT")]
    tokens_per_minute: Option<u64>,
    /// Requests that an account may have in flight
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u64>,
    #[command(flatten)]
    how: DryRun,
}

impl Terms {
    fn members(&self, request: Request) -> Request {
        request
            .member("markup_basis_points", self.markup_percent)
            .member("organization_keys", self.organization_keys)
            .member("default_limits", self.limits())
    }

    fn limits(&self) -> Option<Map<String, Value>> {
        let limits = [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
            ("concurrency", self.concurrency),
        ];
        let given = limits.into_iter();
        let given = given.filter_map(|(name, limit)| Some((name.to_owned(), limit?.into())));
        Some(given.collect()).filter(|limits: &Map<String, Value>| !limits.is_empty())
    }
}

/// Per cent with up to two decimals, as hundredths of a per cent.
fn basis_points(text: &str) -> Result<u64, &'static str> {
    const EXPECTED: &str = "expected a percentage of up to two decimals, such as 7.5";
    let text = text.trim_end_matches('%');
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > 2 {
        return Err(EXPECTED);
    }
    let number: Option<u64> = format!("{whole}{decimals:0<2}").parse().ok();
    number.ok_or(EXPECTED)
}

const COLUMNS: &[Column] = &[
    Column("tier", "tier", Kind::Text),
    Column("markup %", "markup_percent", Kind::Number),
    Column("organisation keys", "organization_keys", Kind::Text),
    Column(
        "requests/min",
        "default_limits/requests_per_minute",
        Kind::Number,
    ),
    Column(
        "tokens/min",
        "default_limits/tokens_per_minute",
        Kind::Number,
    ),
    Column("in flight", "default_limits/concurrency", Kind::Number),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let client = context.client()?;
    match arguments.action {
        Action::List => {
            let answer = client.list(&Request::get(&["tiers"]), "tiers", None)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "tiers", COLUMNS, "There are no tiers.")
            })
        }
        Action::Get { tier } => {
            let answer = client.send(&Request::get(&["tiers", &tier]));
            let answer = answer.map_err(named_wrongly)?;
            context.output.show(&answer, view::resource)
        }
        Action::Create(terms) => {
            let request = Request::post(&["tiers"]).member("tier", Some(terms.tier.as_str()));
            let next = format!("Next: `keyward users update USER --tier {}`.", terms.tier);
            context.show_change(&client, &terms.members(request), terms.how.dry_run, |_| {
                next
            })
        }
        Action::Update(terms) => {
            let request = terms.members(Request::patch(&["tiers", &terms.tier]));
            if request.is_empty() {
                let failure = Failure::usage("nothing was given to change");
                return Err(failure.hint("`keyward tiers update --help` names what can be."));
            }
            let done = |_: &_| "Changed, for requests that begin from now on.".to_owned();
            context
                .show_change(&client, &request, terms.how.dry_run, done)
                .map_err(named_wrongly)
        }
    }
}

const NAMED: &str = "`keyward tiers list` names the tiers.";

/// With where the tiers are named, where one that was asked for is not there.
fn named_wrongly(failure: Failure) -> Failure {
    match Refusal::of(&failure).is_some_and(|refusal| refusal.code == "not_found") {
        true => failure.hint(NAMED),
        false => failure,
    }
}

/// With where the tiers are named, where one was given for something else and is not there.
pub(super) fn hinted(failure: Failure) -> Failure {
    match Refusal::of(&failure).is_some_and(|refusal| refusal.is_about_field("tier")) {
        true => failure.hint(NAMED),
        false => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::basis_points;

    #[test]
    fn percentages_are_read_to_the_hundredth() {
        let check = |text: &str, expect: Option<u64>| {
            assert_eq!(basis_points(text).ok(), expect, "{text}");
        };
        check("15", Some(1500));
        check("7.5", Some(750));
        check("7.25%", Some(725));
        check("0", Some(0));
        check("0.01", Some(1));
        check("7.255", None);
        check("-5", None);
        check(".5", None);
        check("five", None);
        check("", None);
    }
}
