//! `keyward access create`: the secret goes to standard output or into a file, and nowhere else.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use keyward_secret::Secret;
use serde_json::{Map, Value};

use crate::cli::arguments::DryRun;
use crate::cli::budgets::Every;
use crate::cli::client::{Client, Request};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::view;

/// A new access key.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// The user that it acts as; yourself by default
    #[arg(long)]
    user: Option<String>,
    /// The organisation that it acts in
    #[arg(long)]
    organization: Option<String>,
    /// The project that it is for
    #[arg(long)]
    project: Option<String>,
    /// What to know it by
    #[arg(long)]
    label: Option<String>,
    /// What it may do, with commas between
    #[arg(long, value_enum, value_delimiter = ',', default_value = "inference")]
    scopes: Vec<Scope>,
    /// When it stops working, such as 2027-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// A model that it may name; can be repeated. All by default
    #[arg(long = "allow-model", value_name = "MODEL")]
    allowed_models: Vec<String>,
    /// Requests that it may make in a minute
    #[arg(long, value_name = "COUNT")]
    requests_per_minute: Option<u64>,
    /// Tokens that it may use in a minute
    #[arg(long, value_name = "COUNT")]
    tokens_per_minute: Option<u64>,
    /// Requests that it may have in flight
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u64>,
    /// Whether answers to its requests may be stored, where a request does not say
    #[arg(long, value_enum, value_name = "ON|OFF")]
    cache: Option<Cache>,
    /// What may be spent with it in each period, such as 0.50
    #[arg(long, value_name = "AMOUNT", requires = "budget_every")]
    budget: Option<String>,
    /// How long a period of its budget is, by the calendar
    #[arg(long, value_enum, value_name = "PERIOD", requires = "budget")]
    budget_every: Option<Every>,
    /// The time zone of its budget, such as Asia/Tokyo; UTC by default
    #[arg(long, value_name = "ZONE", requires = "budget")]
    budget_time_zone: Option<String>,
    /// Write the secret into this new file, which only you can read
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    how: DryRun,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Cache {
    On,
    Off,
}

impl Cache {
    fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Scope {
    /// Call models
    Inference,
    /// Manage provider keys
    Keys,
    /// See usage, receipts, credits
    Usage,
    /// See the ledger, set budgets
    Billing,
    /// Manage everybody
    Admin,
}

impl Scope {
    fn name(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Keys => "keys",
            Self::Usage => "usage",
            Self::Billing => "billing",
            Self::Admin => "admin",
        }
    }
}

impl Create {
    fn request(&self) -> Request {
        let scopes: Vec<&str> = self.scopes.iter().map(|scope| scope.name()).collect();
        let allowed_models = Some(self.allowed_models.clone());
        Request::post(&["access-keys"])
            .member("user", self.user.clone())
            .member("organization", self.organization.clone())
            .member("project", self.project.clone())
            .member("label", self.label.clone())
            .member("scopes", Some(scopes))
            .member("expires_at", self.expires_at.clone())
            .member(
                "allowed_models",
                allowed_models.filter(|models| !models.is_empty()),
            )
            .member("limits", self.limits())
            .member("cache", self.cache.map(Cache::name))
            .member("budget", self.budget())
    }

    fn budget(&self) -> Option<Map<String, Value>> {
        let (amount, every) = (self.budget.as_ref()?, self.budget_every?);
        let given = [
            ("amount", Some(amount.as_str())),
            ("period", Some(every.name())),
            ("time_zone", self.budget_time_zone.as_deref()),
        ];
        let given = given.into_iter();
        let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
        Some(given.collect())
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

pub(super) fn run(create: &Create, client: &Client, context: &Context) -> Outcome {
    if create.how.dry_run {
        return context.show_change(client, &create.request(), true, |_| String::new());
    }
    // The file comes first: a key whose secret cannot be kept is of no use to anybody.
    let file = create.out.as_deref().map(new_file).transpose()?;
    let mut made = match client.send(&create.request()) {
        Ok(made) => made,
        Err(failure) => {
            // It is empty, and this command made it.
            let _ = create.out.as_deref().map(fs::remove_file);
            return Err(failure);
        }
    };
    if let Some((mut file, path)) = file.zip(create.out.as_deref()) {
        let secret = take_secret(&mut made)?;
        keep(&mut file, &secret).with_context(|| cannot_write(path))?;
        made["secret_file"] = path.display().to_string().into();
        context.output.show(&made, view::resource)?;
        context
            .output
            .note(format_args!("The secret is in {}.", path.display()));
        return Ok(Exit::Done);
    }
    if context.output.is_json() {
        return context.output.line(format_args!("{made:#}"));
    }
    let secret = take_secret(&mut made)?;
    context.output.line(secret.expose())?;
    let told = view::resource(&made).render(false);
    context.output.note(told.trim_end());
    context
        .output
        .note("This is its secret, shown this once. Callers send it as `Authorization: Bearer …`.");
    Ok(Exit::Done)
}

fn take_secret(made: &mut Value) -> Result<Secret, Failure> {
    let secret = made
        .as_object_mut()
        .and_then(|made| made.shift_remove("secret"));
    match secret {
        Some(Value::String(secret)) => Ok(Secret::new(secret)),
        _ => Err(Failure::refused("the gateway answered without a secret")),
    }
}

/// A file that nobody else can read; one that exists is left alone.
fn new_file(path: &Path) -> Result<File, Failure> {
    let file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::refused(format_args!("{} is there already", path.display()))
                .hint("Give the name of a file that is not.")
        }
        _ => Failure::of(
            Exit::Failed,
            anyhow::Error::new(error).context(cannot_write(path)),
        ),
    })
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the secret to {}", path.display())
}

fn keep(file: &mut File, secret: &Secret) -> io::Result<()> {
    file.write_all(secret.expose_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}
