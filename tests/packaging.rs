//! What the manifests promise: the Rust that every dependency is content with.

use std::collections::{HashMap, HashSet};
use std::env;
use std::process::Command;

use serde_json::Value;

/// `1.88` as a pair.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split('.').map(|number| number.parse().expect("a number"));
    (numbers.next().expect("a major version"), numbers.next().unwrap_or(0))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a string")
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().expect("a list").iter()
}

/// What users of the crate build, of this lock file. The tests' own dependencies may ask for more.
fn built(metadata: &Value) -> Vec<&Value> {
    let packages: HashMap<_, _> = list(metadata, "packages").map(|package| (text(package, "id"), package)).collect();
    let nodes: HashMap<_, _> = list(&metadata["resolve"], "nodes").map(|node| (text(node, "id"), node)).collect();
    let root = packages.values().find(|package| text(package, "name") == "graceful-runtime").expect("it is there");
    let (mut next, mut seen) = (vec![text(root, "id")], HashSet::new());
    while let Some(id) = next.pop() {
        if seen.insert(id) {
            let is_built = |kind: &Value| kind["kind"] != "dev";
            let dependencies = list(nodes[id], "deps").filter(|one| list(one, "dep_kinds").any(is_built));
            next.extend(dependencies.map(|one| text(one, "pkg")));
        }
    }
    seen.into_iter().map(|id| packages[id]).collect()
}

#[test]
fn no_dependency_asks_for_a_newer_rust_than_the_crate() {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--all-features"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata = serde_json::from_slice(&metadata.stdout).expect("it is JSON");
    let built = built(&metadata);
    assert!(built.len() > 50, "{}", built.len());
    let own = built.iter().find(|package| text(package, "name") == "graceful-runtime").expect("it is there");
    let own = version(text(own, "rust_version"));
    let asks = |package: &&&Value| package["rust_version"].as_str().is_some_and(|theirs| version(theirs) > own);
    let newer: Vec<_> = built.iter().filter(asks).map(|package| (&package["name"], &package["rust_version"])).collect();
    assert!(newer.is_empty(), "{newer:?}");
}
