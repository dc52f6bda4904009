//! The rings: arrows between the workspace's crates point down only.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// What each crate may depend on, of ours. A crate that is not here is a binary's: it may use everything but functions.
fn allowed(name: &str) -> Option<&'static [&'static str]> {
    Some(match name {
        "tidings-domain" | "tidings-egress" | "tidings-engine" => &[],
        "tidings-runtime" | "tidings-store" | "tidings-telemetry" => &["tidings-domain"],
        "tidings-vault" => &["tidings-domain", "tidings-runtime"],
        "tidings-http" => &["tidings-domain", "tidings-runtime", "tidings-store", "tidings-telemetry"],
        "tidings-outbound" => &[
            "tidings-domain",
            "tidings-egress",
            "tidings-runtime",
            "tidings-store",
            "tidings-telemetry",
            "tidings-vault",
        ],
        "tidings-schema" => &["tidings-http"],
        _ => return None,
    })
}

const FUNCTIONS: [&str; 7] = ["api", "complete", "generator", "intake", "processor", "provider", "realtime"];

/// What the domain must never need: it does no I/O, reads no clock and no environment.
const NOT_FOR_DOMAIN: [&str; 8] =
    ["aws-config", "aws-sdk-dynamodb", "axum", "fastrand", "getrandom", "lambda_http", "reqwest", "tokio"];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().manifest_path(env!("CARGO_MANIFEST_PATH")).no_deps().exec().unwrap();
    let normal = |package: &cargo_metadata::Package| {
        let dependencies = package.dependencies.iter().filter(|one| one.kind == DependencyKind::Normal);
        dependencies.map(|one| one.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

#[test]
fn arrows_point_down_only() {
    let dependencies = dependencies();
    let ours: BTreeSet<String> = dependencies.keys().cloned().collect();
    for (name, needs) in &dependencies {
        let needs: Vec<&str> = needs.intersection(&ours).map(String::as_str).collect();
        if let Some(allowed) = allowed(name) {
            assert!(needs.iter().all(|need| allowed.contains(need)), "{name} needs {needs:?}");
        }
        if FUNCTIONS.contains(&name.as_str()) {
            let other = needs.iter().find(|need| FUNCTIONS.contains(need) || need.ends_with("-engine"));
            assert_eq!(other, None, "the function {name} needs another function, or the embedded engine");
        }
    }
    assert!(FUNCTIONS.iter().all(|name| ours.contains(*name)), "a function is not in the workspace: {ours:?}");
}

#[test]
fn the_domain_does_no_input_or_output() {
    let needs = &dependencies()["tidings-domain"];
    assert_eq!(NOT_FOR_DOMAIN.iter().find(|name| needs.contains(**name)), None);
}

#[test]
fn folder_and_package_and_binary_have_one_name() {
    let metadata = MetadataCommand::new().manifest_path(env!("CARGO_MANIFEST_PATH")).no_deps().exec().unwrap();
    for name in FUNCTIONS {
        let package = metadata.packages.iter().find(|package| package.name == name).unwrap();
        assert!(package.manifest_path.ends_with(format!("functions/{name}/Cargo.toml")));
        assert!(package.targets.iter().any(|target| target.is_bin() && target.name == name), "{name} has no binary");
    }
}
