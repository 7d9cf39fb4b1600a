//! Which layer of a service may name what.

use std::fs;
use std::path::{Path, PathBuf};

const SERVICES: [&str; 4] = ["vault", "router", "metering", "edge"];

/// What speaks to other services, as their client; and what their answers mean.
const CLIENTS: [&str; 4] = [
    "router/app/behalf",
    "router/app/error",
    "router/app/metering",
    "router/app/vault",
];

/// Every source file of a service below `src`, with its path from there.
fn sources(service: &str) -> Vec<(String, String)> {
    let folder = super::root().join("services").join(service).join("src");
    let mut files = Vec::new();
    collect(&folder, &folder, &mut files);
    assert!(!files.is_empty(), "{service} has no sources");
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The code of a file, without comments.
fn code(text: &str) -> String {
    let lines = text.lines();
    lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_under(name: &str, layer: &str) -> bool {
    name == format!("{layer}.rs") || name.starts_with(&format!("{layer}/"))
}

#[test]
fn domains_are_pure() {
    for service in SERVICES {
        for (name, text) in sources(service) {
            if !is_under(&name, "domain") {
                continue;
            }
            let code = code(&text);
            for forbidden in [
                "tonic::",
                "tokio::",
                "rusqlite",
                "hyper::",
                "async fn",
                "Instant::now",
                "SystemTime::now",
                "keyward_storage",
            ] {
                assert!(
                    !code.contains(forbidden),
                    "{service}/{name} names {forbidden}"
                );
            }
        }
    }
}

#[test]
fn grpc_is_named_where_it_is_spoken() {
    for service in SERVICES {
        for (name, text) in sources(service) {
            let inner = ["domain", "store", "app"]
                .iter()
                .any(|layer| is_under(&name, layer));
            let path = format!("{service}/{name}");
            let client = CLIENTS.iter().any(|client| is_under(&path, client));
            if inner && !client {
                assert!(!code(&text).contains("tonic::"), "{path} names tonic");
            }
        }
    }
}

#[test]
fn stores_do_not_know_what_calls_them() {
    for service in SERVICES {
        for (name, text) in sources(service) {
            let code = code(&text);
            if is_under(&name, "store") {
                for forbidden in ["crate::app", "crate::grpc"] {
                    assert!(
                        !code.contains(forbidden),
                        "{service}/{name} names {forbidden}"
                    );
                }
            }
            if is_under(&name, "app") {
                assert!(
                    !code.contains("crate::grpc"),
                    "{service}/{name} names crate::grpc"
                );
            }
        }
    }
}
