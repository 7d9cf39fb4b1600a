//! The certificates that the settings name.

use keyward_runtime::error::chain;
use keyward_runtime::tls::{Files, Material};
use rustls::pki_types::UnixTime;

use super::Subject;
use crate::doctor::judge::tls::{Facts, Found};
use crate::roles::Role;
use crate::tls::check_role;

/// Those of each section that is set.
pub(crate) fn gather(subject: &Subject) -> Vec<Facts> {
    let settings = &subject.settings;
    let edge = settings.edge.tls.as_ref();
    let edge = edge.filter(|_| subject.roles.has(Role::Edge));
    let roles = settings
        .tls
        .as_ref()
        .map(|files| facts("tls", files, subject));
    let edge = edge.map(|files| facts("edge.tls", files, subject));
    roles.into_iter().chain(edge).collect()
}

fn facts(part: &'static str, files: &Files, subject: &Subject) -> Facts {
    let now = UnixTime::now();
    let read = Material::read(files, now);
    Facts {
        part,
        found: read
            .map(|material| found(part, &material, subject))
            .map_err(|error| chain(&error)),
        now: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
    }
}

fn found(part: &str, material: &Material, subject: &Subject) -> Found {
    let ends = [material.expiry(), material.ca_expiry()];
    let between_roles = part == "tls";
    Found {
        identity: material
            .identity()
            .map(ToString::to_string)
            .unwrap_or_default(),
        misfit: between_roles
            .then(|| check_role(material, &subject.roles).err())
            .flatten(),
        expiry: ends.into_iter().flatten().min(),
    }
}
