//! Which crate may depend on which.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// Normal and build dependencies of everything, without those of tests.
struct Graph {
    names: BTreeMap<PackageId, String>,
    edges: BTreeMap<PackageId, Vec<PackageId>>,
}

impl Graph {
    fn read() -> Self {
        let metadata: Metadata = MetadataCommand::new()
            .current_dir(super::root())
            .other_options(["--offline", "--filter-platform", &host()].map(str::to_owned))
            .exec()
            .expect("cargo metadata");
        let names = metadata.packages.iter();
        let names = names
            .map(|package| (package.id.clone(), package.name.to_string()))
            .collect();
        let resolve = metadata.resolve.expect("a resolved graph");
        let edges = resolve.nodes.into_iter().map(|node| {
            let used = node.deps.into_iter().filter(|dependency| {
                dependency
                    .dep_kinds
                    .iter()
                    .any(|kind| kind.kind != DependencyKind::Development)
            });
            (node.id, used.map(|dependency| dependency.pkg).collect())
        });
        Self {
            names,
            edges: edges.collect(),
        }
    }

    /// The names of everything that a package needs, directly or not.
    fn reach(&self, name: &str) -> BTreeSet<&str> {
        let start = self.names.iter().find(|(_, found)| *found == name);
        let (start, _) = start.unwrap_or_else(|| panic!("no package {name}"));
        let mut reached = BTreeSet::new();
        let mut open = vec![start];
        while let Some(id) = open.pop() {
            for next in &self.edges[id] {
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
            .into_iter()
            .map(|id| self.names[id].as_str())
            .collect()
    }
}

/// The platform that tests run on: what others need has not been downloaded.
fn host() -> String {
    let said = std::process::Command::new("rustc")
        .arg("-vV")
        .output()
        .expect("rustc");
    let said = String::from_utf8(said.stdout).expect("text");
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("a host").to_owned()
}

#[test]
fn services_know_each_other_by_contract_only() {
    let graph = Graph::read();
    let services = [
        "keyward-edge",
        "keyward-router",
        "keyward-vault",
        "keyward-metering",
    ];
    for service in services {
        let reached = graph.reach(service);
        for other in services {
            assert!(!reached.contains(other), "{service} depends on {other}");
        }
        assert!(
            !reached.contains("keyward-testkit"),
            "{service} depends on the test kit"
        );
    }
}

#[test]
fn the_edge_cannot_store_or_open_anything() {
    let graph = Graph::read();
    let reached = graph.reach("keyward-edge");
    for forbidden in ["keyward-storage", "rusqlite", "keyward-catalog"] {
        assert!(
            !reached.contains(forbidden),
            "the edge depends on {forbidden}"
        );
    }
}

#[test]
fn pure_crates_have_no_runtime() {
    let graph = Graph::read();
    for pure in [
        "keyward-money",
        "keyward-secret",
        "keyward-catalog",
        "keyward-dialect",
    ] {
        let reached = graph.reach(pure);
        for forbidden in ["tokio", "tonic", "hyper", "rusqlite"] {
            assert!(
                !reached.contains(forbidden),
                "{pure} depends on {forbidden}"
            );
        }
    }
}

#[test]
fn shared_crates_depend_on_no_service() {
    let graph = Graph::read();
    for shared in [
        "auth", "catalog", "dialect", "egress", "limits", "money", "proto", "runtime", "secret",
        "storage", "testkit",
    ] {
        let reached = graph.reach(&format!("keyward-{shared}"));
        for service in [
            "keyward-edge",
            "keyward-router",
            "keyward-vault",
            "keyward-metering",
        ] {
            assert!(!reached.contains(service), "{shared} depends on {service}");
        }
    }
}

#[test]
fn cryptography_is_rings_alone() {
    let graph = Graph::read();
    let reached = graph.reach("keyward");
    for forbidden in [
        "aws-lc-rs",
        "aws-lc-sys",
        "openssl",
        "openssl-sys",
        "native-tls",
    ] {
        assert!(
            !reached.contains(forbidden),
            "the binary contains {forbidden}"
        );
    }
}
