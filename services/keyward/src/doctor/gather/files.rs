//! What lies in `data_dir`, who may read it, and how much more would fit.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use super::Subject;
use crate::bootstrap;
use crate::doctor::judge::disk::{self, Free};
use crate::doctor::judge::files::{File, Kind};

/// What there can be, by its name in `data_dir`.
const KNOWN: [(&str, Kind); 6] = [
    ("master.key", Kind::Secret),
    ("admin-key", Kind::Secret),
    ("vault.db", Kind::Database),
    ("metering.db", Kind::Database),
    ("router.db", Kind::Database),
    ("spool.db", Kind::Database),
];

/// The tokens of the roles that call others, in a folder of their own.
const TOKENS: [&str; 3] = ["edge.token", "router.token", "metering.token"];

/// The modes of what is there.
pub(crate) fn gather(subject: &Subject) -> Vec<File> {
    let data_dir = &subject.settings.data_dir;
    let token_dir = &subject.settings.peer_token_dir;
    let folders = [("data_dir", data_dir.clone()), ("peers", token_dir.clone())];
    let folders = folders.map(|(label, path)| (label, path, Kind::Folder));
    let known = KNOWN.map(|(label, kind)| (label, data_dir.join(label), kind));
    let tokens = TOKENS.map(|label| (label, token_dir.join(label), Kind::Secret));
    let all = folders.into_iter().chain(known).chain(tokens);
    all.filter_map(|(label, path, kind)| {
        let mode = fs::metadata(&path).ok()?.permissions().mode();
        let path = path.display().to_string();
        Some(File {
            label,
            path,
            kind,
            mode,
        })
    })
    .collect()
}

/// The file of the admin's access key, if it is there.
pub(crate) fn admin_key(subject: &Subject) -> Option<String> {
    let path = bootstrap::admin_key_file(&subject.settings);
    path.exists().then(|| path.display().to_string())
}

/// What is free where `data_dir` is, or will be.
pub(crate) fn disk(subject: &Subject) -> disk::Facts {
    let folder = nearest(&subject.settings.data_dir);
    let free = statvfs(&folder).map_err(|error| error.to_string());
    disk::Facts {
        folder: folder.display().to_string(),
        free: free.map(|free| Free {
            bytes: free.f_bavail.saturating_mul(free.f_frsize),
            inodes: (free.f_files > 0).then_some(free.f_favail),
        }),
    }
}

/// The folder itself, or the nearest above it that is there.
fn nearest(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|folder| folder.is_dir());
    there.map_or_else(|| PathBuf::from("."), Path::to_owned)
}
