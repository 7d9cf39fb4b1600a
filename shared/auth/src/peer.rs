//! Which role calls. In one process that is fixed where the parts are put together; in several, a
//! certificate says it; without certificates, on one machine, roles show each other tokens that lie in
//! a folder only their user can read.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use ring::rand::{SecureRandom as _, SystemRandom};
use subtle::ConstantTimeEq as _;

use keyward_runtime::private;
use keyward_runtime::tls::TlsPeer;
use keyward_secret::Secret;

/// The role that calls a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// The HTTP edge.
    Edge,
    /// The router.
    Router,
    /// The vault.
    Vault,
    /// Metering.
    Metering,
    /// Somebody outside: a caller with a credential of its own.
    Outside,
}

impl Peer {
    /// The roles, without the outside.
    pub const ROLES: [Self; 4] = [Self::Edge, Self::Router, Self::Vault, Self::Metering];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Router => "router",
            Self::Vault => "vault",
            Self::Metering => "metering",
            Self::Outside => "caller",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ROLES.into_iter().find(|peer| peer.as_str() == name)
    }

    /// Who holds a certificate of that name: a role, or a `caller`, who is somebody outside with a
    /// certificate for listeners that want one.
    pub fn from_certificate(name: &str) -> Option<Self> {
        match name == Self::Outside.as_str() {
            true => Some(Self::Outside),
            false => Self::from_name(name),
        }
    }
}

/// Which process of a role calls: the digest of its certificate's public key. Processes that share a
/// key are one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Instance(pub [u8; 32]);

/// The instance that a call comes from; `None` in one process, with peer tokens, and from somebody
/// without a certificate.
pub fn instance(extensions: &http::Extensions) -> Option<Instance> {
    let TlsPeer(certificate) = extensions.get()?;
    certificate.as_ref().map(|shown| Instance(shown.key))
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The folder with the tokens of the roles, `<role>.token`, mode 0600. Clones share it.
#[derive(Clone)]
pub struct PeerTokens {
    folder: PathBuf,
    /// What was recognised before, so that a call costs no look into the folder.
    recognised: Arc<RwLock<HashMap<String, Peer>>>,
}

impl fmt::Debug for PeerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTokens")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

impl PeerTokens {
    /// Tokens in this folder; it is made (0700) when the first is written.
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            recognised: Arc::default(),
        }
    }

    /// What `peer` shows to others: its name and its token, which is made if there is none yet.
    ///
    /// # Errors
    /// Why the folder or the token cannot be made or read.
    pub fn show(&self, peer: Peer) -> io::Result<Secret> {
        let path = self.path(peer);
        if let Ok(token) = fs::read_to_string(&path) {
            return Ok(Secret::new(format!("{peer}:{}", token.trim())));
        }
        private::make_folder(&self.folder)?;
        match write_whole(&path, &new_token()?) {
            // Another process of ours was faster.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            written => written?,
        }
        let token = fs::read_to_string(&path)?;
        Ok(Secret::new(format!("{peer}:{}", token.trim())))
    }

    /// Which role shows this; `None` if it is no role's token.
    pub fn recognise(&self, shown: &str) -> Option<Peer> {
        if let Some(peer) = self.recognised.read().get(shown) {
            return Some(*peer);
        }
        let peer = self.look_up(shown)?;
        self.recognised.write().insert(shown.to_owned(), peer);
        Some(peer)
    }

    fn look_up(&self, shown: &str) -> Option<Peer> {
        let (name, token) = shown.split_once(':')?;
        let peer = Peer::from_name(name)?;
        let expected = fs::read_to_string(self.path(peer)).ok()?;
        let expected = expected.trim().as_bytes();
        let equal: bool = expected.ct_eq(token.as_bytes()).into();
        (equal && !expected.is_empty()).then_some(peer)
    }

    fn path(&self, peer: Peer) -> PathBuf {
        self.folder.join(format!("{peer}.token"))
    }
}

fn new_token() -> io::Result<String> {
    let mut random = [0; 32];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| io::Error::other("no randomness"))?;
    Ok(hex::encode(random))
}

/// Written beside its place first, so that nobody reads half a token, not even after a power cut.
fn write_whole(path: &Path, token: &str) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    // Of a process of the same number that did not come to its end.
    let _ = fs::remove_file(&beside);
    private::write_new(&beside, token.as_bytes())?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    linked
}

#[cfg(test)]
mod tests {
    use super::{Peer, PeerTokens};

    #[test]
    fn a_role_is_known_by_its_own_token_only() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = PeerTokens::in_folder(folder.path().join("peers"));
        let edge = tokens.show(Peer::Edge).unwrap();
        let router = tokens.show(Peer::Router).unwrap();
        assert_eq!(tokens.recognise(edge.expose()), Some(Peer::Edge));
        assert_eq!(tokens.show(Peer::Edge).unwrap(), edge);
        let swapped = format!("edge:{}", router.expose().split_once(':').unwrap().1);
        for wrong in [swapped.as_str(), "edge:", "edge", "caller:x", "vault:x"] {
            assert_eq!(tokens.recognise(wrong), None, "{wrong}");
        }
    }
}
