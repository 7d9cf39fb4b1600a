//! Where Postgres' programs are, and as whom they can run.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where Debian and its kin put the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// The folder of `initdb` and `postgres`: one of `PATH`, or the newest version's.
pub(super) fn folder() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::split_paths(&paths).collect::<Vec<_>>();
    let has_both = |folder: &PathBuf| {
        ["initdb", "postgres"]
            .iter()
            .all(|p| folder.join(p).exists())
    };
    here.into_iter()
        .chain(versions())
        .find(has_both)
        .unwrap_or_else(|| {
            panic!(
                "these tests need Postgres: `initdb` and `postgres` are neither in PATH nor in \
                 {VERSIONS}/*/bin; install it with your system's packages (Debian: \
                 `apt-get install postgresql`; no server need run)"
            )
        })
}

fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let number = |path: &PathBuf| -> Option<u32> { path.file_name()?.to_str()?.parse().ok() };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort_by_key(|path| std::cmp::Reverse(number(path)));
    found.into_iter().map(|path| path.join("bin")).collect()
}

/// Whom to run as: Postgres refuses to run as root.
#[derive(Debug, Clone, Copy)]
pub(super) struct User {
    ids: Option<(u32, u32)>,
}

impl User {
    /// Ourselves; `postgres` or `nobody` where we are root.
    pub(super) fn unprivileged() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self { ids: None };
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = ["postgres", "nobody"]
            .iter()
            .find_map(|name| ids_of(&users, name));
        let ids = ids.expect("a user `postgres` or `nobody`: Postgres does not run as root");
        Self { ids: Some(ids) }
    }

    /// Has a program run as this user.
    pub(super) fn run(self, command: &mut Command) -> &mut Command {
        match self.ids {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }

    /// Gives this user a file or folder.
    pub(super) fn own(self, path: &Path) {
        if let Some((user, group)) = self.ids {
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("a change of owner");
        }
    }
}

fn ids_of(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users
        .lines()
        .find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
