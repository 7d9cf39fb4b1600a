//! Compiles the contracts under `proto/` with protox, so that no `protoc` is needed.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message as _;

/// Messages with a secret or a body in them; their `Debug` is written by hand in `src/redacted.rs`.
const SECRET_MESSAGES: [&str; 11] = [
    ".keyward.vault.v1.CreateProviderKeyRequest",
    ".keyward.vault.v1.RotateProviderKeyRequest",
    ".keyward.vault.v1.UnsealProviderKeyResponse",
    ".keyward.vault.v1.ExchangeCredentialRequest",
    ".keyward.vault.v1.ExchangeCredentialResponse",
    ".keyward.vault.v1.CreateAccessKeyResponse",
    ".keyward.router.v1.RoutingOptions",
    ".keyward.router.v1.InvokeRequest",
    ".keyward.router.v1.InvokeRequest.part",
    ".keyward.router.v1.InvokeResponse",
    ".keyward.router.v1.InvokeResponse.part",
];

/// Fields that carry bodies: reference-counted, so that passing them on copies nothing.
const BODY_FIELDS: [&str; 2] = [
    ".keyward.router.v1.InvokeRequest.chunk",
    ".keyward.router.v1.InvokeResponse.chunk",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect_protos(&root.join("keyward"), &mut files)?;
    files.sort();
    let descriptors = protox::compile(&files, [root])?;

    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    // Maps in order: equal messages are then equal bytes, which is how a repeated request is known.
    let mut builder = tonic_prost_build::configure().btree_map(".keyward.vault.v1");
    for field in BODY_FIELDS {
        builder = builder.bytes(field);
    }
    builder
        .skip_debug(SECRET_MESSAGES)
        .compile_fds(descriptors)?;
    Ok(())
}

fn collect_protos(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect_protos(&path, files)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "proto")
        {
            files.push(path);
        }
    }
    Ok(())
}
