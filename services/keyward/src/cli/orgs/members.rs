//! `keyward orgs members`.

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::arguments::{DryRun, Removal};
use crate::cli::client::Request;
use crate::cli::context::Context;
use crate::cli::exit::Outcome;
use crate::cli::view::{self, Column, Kind};

/// What is done with members.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  keyward orgs members list acme
  keyward orgs members add acme bob --role viewer
  keyward orgs members set acme bob --role admin
  keyward orgs members remove acme bob")]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them
    List {
        /// The organisation
        organization: String,
    },
    /// Make a user a member
    Add(Membership),
    /// Change a member's role
    Set(Membership),
    /// End a membership
    Remove {
        /// The organisation
        organization: String,
        /// The user
        user: String,
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Debug, Args)]
struct Membership {
    /// The organisation
    organization: String,
    /// The user
    user: String,
    /// What the user may do in it
    #[arg(long, value_enum, default_value = "member")]
    role: Role,
    #[command(flatten)]
    how: DryRun,
}

impl Membership {
    /// Who pays for a new member's calls.
    fn pays(&self) -> String {
        let Self {
            organization, user, ..
        } = self;
        match self.role {
            Role::Viewer => format!("A viewer spends none of `{organization}`'s credits."),
            _ => format!(
                "Calls of `{user}` that name no organisation are paid by `{organization}` from now \
                 on, if it is the only one that `{user}` is in."
            ),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Everything, for good
    Owner,
    /// Manages keys and members
    Admin,
    /// Uses models, brings own keys
    Member,
    /// Looks on
    Viewer,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }
}

const COLUMNS: &[Column] = &[
    Column("user", "user", Kind::Text),
    Column("role", "role", Kind::Text),
    Column("since", "created_at", Kind::Text),
];

pub(super) fn run(arguments: Arguments, context: &Context) -> Outcome {
    match arguments.action {
        Action::List { organization } => list(&organization, context),
        Action::Add(membership) => {
            let request = Request::post(&["organizations", &membership.organization, "members"])
                .member("user", Some(membership.user.as_str()));
            let done = change(&membership, request, context)?;
            if !membership.how.dry_run {
                context.output.note(membership.pays());
            }
            Ok(done)
        }
        Action::Set(membership) => {
            let user = membership.user.as_str();
            let path = ["organizations", &membership.organization, "members", user];
            change(&membership, Request::patch(&path), context)
        }
        Action::Remove {
            organization,
            user,
            removal,
        } => {
            let what = format!(
                "This ends `{user}`'s membership in `{organization}`: its credits and keys serve \
                 `{user}` no more."
            );
            let request = Request::delete(&["organizations", &organization, "members", &user]);
            let done = format!("`{user}` is in `{organization}` no more.");
            context.remove(&context.client()?, &request, removal, &what, &done)
        }
    }
}

fn list(organization: &str, context: &Context) -> Outcome {
    let request = Request::get(&["organizations", organization, "members"]);
    let answer = context.client()?.list(&request, "members", None)?;
    context.output.show(&answer, |answer| {
        view::list(answer, "members", COLUMNS, "It has no members.")
    })
}

fn change(membership: &Membership, request: Request, context: &Context) -> Outcome {
    let request = request.member("role", Some(membership.role.name()));
    context.show_change(&context.client()?, &request, membership.how.dry_run, |_| {
        format!(
            "`{}` is {} in `{}`.",
            membership.user,
            membership.role.name(),
            membership.organization
        )
    })
}
