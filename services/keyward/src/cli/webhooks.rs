//! `keyward webhooks`: where notices are sent.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::arguments::{DryRun, Removal, Whose};
use super::client::Request;
use super::context::Context;
use super::exit::{Exit, Outcome};
use super::view::{self, Column, Kind};

/// What is done with webhooks.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward webhooks add https://hooks.example.com/keyward
  keyward webhooks add mailto:ops@example.com --kinds low_balance,budget_threshold
  keyward webhooks test ID
  keyward webhooks list --organization acme

Your access key needs the scope `billing`, and in an organisation you need the role `admin`.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them
    List {
        #[command(flatten)]
        account: Whose,
    },
    /// Have notices sent to an address; what they are signed with is shown this once
    Add(Add),
    /// Have nothing sent there any more
    Remove {
        /// Its id
        id: String,
        #[command(flatten)]
        removal: Removal,
    },
    /// Send a test there now
    Test {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// `https://…`, or `mailto:` and an address
    url: String,
    /// Only notices of these kinds, such as low_balance,budget_threshold; all by default
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    kinds: Vec<String>,
    /// What it is called
    #[arg(long)]
    label: Option<String>,
    /// Whose notices: users/bob, organizations/acme; your own by default
    #[arg(long)]
    account: Option<String>,
    #[command(flatten)]
    how: DryRun,
}

impl Add {
    fn request(&self) -> Request {
        let kinds = Some(self.kinds.clone()).filter(|kinds| !kinds.is_empty());
        Request::post(&["webhooks"])
            .member("url", Some(self.url.as_str()))
            .member("kinds", kinds)
            .member("label", self.label.clone())
            .member("account", self.account.clone())
    }
}

const COLUMNS: &[Column] = &[
    Column("id", "id", Kind::Text),
    Column("account", "account", Kind::Text),
    Column("url", "url", Kind::Text),
    Column("kinds", "kinds", Kind::Text),
    Column("enabled", "enabled", Kind::Text),
    Column("delivered", "delivered_at", Kind::Text),
    Column("failed", "failed_at", Kind::Text),
    Column("failure", "failure", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    let client = context.client()?;
    match arguments.action {
        Action::List { account } => {
            let request = account.query(Request::get(&["webhooks"]));
            let answer = client.list(&request, "webhooks", None)?;
            context.output.show(&answer, |answer| {
                view::list(answer, "webhooks", COLUMNS, "Notices are sent nowhere.")
            })
        }
        Action::Add(new) => {
            context.show_change(&client, &new.request(), new.how.dry_run, what_next)
        }
        Action::Remove { id, removal } => {
            let what = format!("This removes the webhook {id}, and what waits to be sent there.");
            let request = Request::delete(&["webhooks", &id]);
            context.remove(&client, &request, removal, &what, "Removed.")
        }
        Action::Test { id } => {
            let answer = client.send(&Request::post(&["webhooks", &id, "test"]))?;
            context.output.show(&answer, view::resource)?;
            match answer.get("delivered").and_then(Value::as_bool) {
                Some(true) => Ok(Exit::Done),
                _ => Ok(Exit::Failed),
            }
        }
    }
}

fn what_next(made: &Value) -> String {
    let id = made.get("id").and_then(Value::as_str).unwrap_or("ID");
    let keep = match made.get("secret") {
        Some(Value::String(_)) => "Keep the secret: it is shown this once. ",
        _ => "",
    };
    format!("{keep}Next: `keyward webhooks test {id}`.")
}
