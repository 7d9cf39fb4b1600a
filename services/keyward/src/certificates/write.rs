//! Where certificates and keys lie: side by side, or in a folder for each role. Keys are for their
//! owner alone. Each file is written beside its place and moved there, so that a process that follows
//! it never reads half of one.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use keyward_auth::Peer;
use keyward_runtime::private;
use zeroize::Zeroizing;

use super::issue::{Authority, Issued};

/// The folder, and how it is laid out.
pub(super) struct Place {
    out: PathBuf,
    folders: bool,
}

impl Place {
    pub(super) fn new(out: &Path, folders: bool) -> Self {
        Self {
            out: out.to_owned(),
            folders,
        }
    }

    fn certificate(&self, holder: Peer) -> PathBuf {
        match self.folders {
            true => self.out.join(holder.as_str()).join("cert.pem"),
            false => self.out.join(format!("{holder}.pem")),
        }
    }

    fn key(&self, holder: Peer) -> PathBuf {
        match self.folders {
            true => self.out.join(holder.as_str()).join("key.pem"),
            false => self.out.join(format!("{holder}.key")),
        }
    }

    pub(super) fn has(&self, holder: Peer) -> bool {
        self.certificate(holder).exists() && self.key(holder).exists()
    }

    pub(super) fn has_authority(&self) -> bool {
        self.out.join("ca.pem").exists()
    }

    pub(super) fn has_any(&self, holders: &[Peer]) -> bool {
        let has = |holder: &Peer| self.certificate(*holder).exists() || self.key(*holder).exists();
        self.has_authority() || holders.iter().any(has)
    }

    /// Makes the folders.
    pub(super) fn prepare(&self, holders: &[Peer]) -> anyhow::Result<()> {
        let inner = holders.iter().filter(|_| self.folders);
        let inner = inner.map(|holder| self.out.join(holder.as_str()));
        for folder in std::iter::once(self.out.clone()).chain(inner) {
            private::make_folder(&folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        Ok(())
    }

    /// The key of the authority that is there.
    pub(super) fn authority_key(&self) -> anyhow::Result<Zeroizing<String>> {
        let path = self.out.join("ca.key");
        let key = fs::read_to_string(&path);
        let key = key.with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Zeroizing::new(key))
    }

    pub(super) fn write_authority(&self, authority: &Authority) -> anyhow::Result<()> {
        if let Some(own) = authority.own() {
            write(&self.out.join("ca.key"), &own.key, 0o600)?;
            write(&self.out.join("ca.pem"), &own.certificate, 0o644)?;
        }
        Ok(())
    }

    pub(super) fn write(&self, holder: Peer, issued: &Issued) -> anyhow::Result<()> {
        if self.folders {
            let authority = fs::read_to_string(self.out.join("ca.pem"))?;
            let beside = self.out.join(holder.as_str()).join("ca.pem");
            write(&beside, &authority, 0o644)?;
        }
        write(&self.key(holder), &issued.key, 0o600)?;
        write(&self.certificate(holder), &issued.certificate, 0o644)
    }
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    let written = || -> std::io::Result<()> {
        let beside = path.with_extension(format!("{}.tmp", std::process::id()));
        // Of a process of the same number that did not come to its end: in a container it always is.
        let _ = fs::remove_file(&beside);
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        let mut file = options.open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().with_context(|| format!("cannot write {}", path.display()))
}
