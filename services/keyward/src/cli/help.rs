//! The command line as its parser sees it: commands in groups, and each command with only those of
//! the shared options that mean something to it.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::Arguments;

/// Commands whose shared options are fewer than all but `--config`, and which those are.
const OPTIONS: &[(&str, &[&str])] = &[
    ("serve", &["config"]),
    ("migrate", &["config"]),
    ("certs", &[]),
    ("store", &["json"]),
    ("catalog", &["config", "json"]),
    ("doctor", &["config", "json"]),
    ("health", &["config", "json", "url"]),
    ("completions", &[]),
];

/// What a command of the management API has: settings are the gateway's own.
const OPTIONS_OF_CLIENTS: &[&str] = &["json", "url", "access_key_file", "act_in"];

/// The groups of the list of commands. A test holds that each command is in one.
const GROUPS: &[(&str, &[&str])] = &[
    ("Run it", &["serve", "migrate", "certs", "store"]),
    (
        "Keys and access",
        &[
            "keys",
            "providers",
            "routes",
            "cache",
            "access",
            "users",
            "orgs",
            "projects",
        ],
    ),
    (
        "Money and usage",
        &[
            "credits", "budgets", "usage", "notices", "webhooks", "prices", "catalog", "tiers",
        ],
    ),
    (
        "Operate it",
        &["doctor", "health", "audit", "vault", "completions"],
    ),
];

/// The width of the column of names in the list of commands.
const NAME_WIDTH: usize = 13;

/// The parser of the command line.
pub(super) fn command() -> Command {
    let mut command = Arguments::command();
    let shared: Vec<Arg> = command.get_arguments().cloned().collect();
    for inner in command.get_subcommands_mut() {
        let own = OPTIONS.iter().find(|(name, _)| *name == inner.get_name());
        let shown = own.map_or(OPTIONS_OF_CLIENTS, |(_, shown)| *shown);
        let hidden = shared
            .iter()
            .filter(|option| !shown.contains(&option.get_id().as_str()));
        let hidden: Vec<Arg> = hidden.map(|option| option.clone().hide(true)).collect();
        hide(inner, &hidden);
    }
    let template = format!(
        "{{about}}\n\n{{usage-heading}} keyward [OPTIONS] [COMMAND]\n\n{}Options:\n{{options}}\n\n\
         Without a command, the gateway is run. `keyward help COMMAND` says more, with examples.\n",
        groups(&command)
    );
    command.help_template(template)
}

/// Gives hidden forms of shared options to a command and to what is below it, in place of those that
/// would be handed down.
fn hide(command: &mut Command, hidden: &[Arg]) {
    *command = std::mem::take(command).args(hidden);
    for inner in command.get_subcommands_mut() {
        hide(inner, hidden);
    }
}

/// The list of commands, group by group.
fn groups(command: &Command) -> String {
    let mut text = String::new();
    for (title, names) in GROUPS.iter().filter(|(_, names)| !names.is_empty()) {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{title}:");
        for name in *names {
            let found = command.find_subcommand(name);
            let about = found.and_then(Command::get_about).unwrap_or_default();
            let _ = writeln!(text, "  {name:NAME_WIDTH$}{about}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{GROUPS, OPTIONS, command};

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        grouped.sort_unstable();
        let command = command();
        let mut all: Vec<&str> = command
            .get_subcommands()
            .map(clap::Command::get_name)
            .collect();
        all.retain(|name| *name != "help");
        all.sort_unstable();
        assert_eq!(grouped, all);
        for (name, _) in OPTIONS {
            assert!(all.contains(name), "{name}");
        }
    }
}
