//! The command line as its parser sees it: commands in groups, and each command with only those of
//! the shared options that mean something to it.

use std::fmt::Write as _;

use clap::{Arg, Command, CommandFactory as _};

use super::Arguments;

/// Commands that run a gateway or stand beside one: they read settings.
const WITH_SETTINGS: &[&str] = &["serve", "migrate"];

/// Commands that ask nobody.
const ALONE: &[&str] = &["completions"];

/// The groups of the list of commands. A test holds that each command is in one.
const GROUPS: &[(&str, &[&str])] = &[
    ("Run it", &["serve", "migrate"]),
    (
        "Keys and access",
        &[
            "keys",
            "providers",
            "routes",
            "access",
            "users",
            "orgs",
            "projects",
        ],
    ),
    ("Money and usage", &["credits", "usage", "prices", "tiers"]),
    ("Operate it", &["doctor", "health", "audit", "completions"]),
];

/// The width of the column of names in the list of commands.
const NAME_WIDTH: usize = 13;

/// The parser of the command line.
pub(super) fn command() -> Command {
    let mut command = Arguments::command();
    let shared: Vec<Arg> = command.get_arguments().cloned().collect();
    for inner in command.get_subcommands_mut() {
        let hidden: &[&str] = match inner.get_name() {
            name if WITH_SETTINGS.contains(&name) => &["json", "url", "access_key_file", "act_in"],
            name if ALONE.contains(&name) => {
                &["config", "json", "url", "access_key_file", "act_in"]
            }
            "doctor" => &["url", "access_key_file", "act_in"],
            _ => &["config"],
        };
        let hidden = shared
            .iter()
            .filter(|option| hidden.contains(&option.get_id().as_str()));
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
    use super::{ALONE, GROUPS, WITH_SETTINGS, command};

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
        for name in WITH_SETTINGS.iter().chain(ALONE) {
            assert!(all.contains(name), "{name}");
        }
    }
}
