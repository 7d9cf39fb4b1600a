//! Dependencies point inward: `grpc → app → domain ← store`. Held by reading the source.

use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sources(&path, found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

/// The sources that contain a word, with a path inside `src` for which `allowed` is false.
fn offenders(word: &str, allowed: impl Fn(&str) -> bool) -> std::io::Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found)?;
    let mut offenders = Vec::new();
    for path in found {
        let name = path
            .strip_prefix(&root)
            .unwrap_or(&path)
            .display()
            .to_string();
        if !allowed(&name) && std::fs::read_to_string(&path)?.contains(word) {
            offenders.push(format!("{name} has {word}"));
        }
    }
    Ok(offenders)
}

#[test]
fn only_grpc_names_tonic() -> std::io::Result<()> {
    assert_eq!(
        offenders("tonic::", |name| name.starts_with("grpc"))?,
        [""; 0]
    );
    Ok(())
}

#[test]
fn only_the_store_names_sql() -> std::io::Result<()> {
    for word in ["rusqlite::", "SELECT ", "INSERT "] {
        assert_eq!(offenders(word, |name| name.starts_with("store"))?, [""; 0]);
    }
    Ok(())
}

#[test]
fn the_domain_is_pure() -> std::io::Result<()> {
    for word in [
        "async fn",
        "time::now",
        "ids::new",
        "now_v7",
        "crate::store",
        "crate::app",
    ] {
        assert_eq!(
            offenders(word, |name| !name.starts_with("domain"))?,
            [""; 0]
        );
    }
    Ok(())
}
