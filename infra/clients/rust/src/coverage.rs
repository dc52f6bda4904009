//! That no operation of the library is forgotten: what it has is read from its source.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::scene::setting;
use crate::tour::same;

/// The library's version, as the workspace pins it.
pub(crate) const VERSION: &str = "2.9.1";

/// Fails when the library has an operation that was neither called nor is known to be absent.
pub(crate) fn check(called: &BTreeSet<String>) -> Result<()> {
    let list: Value = serde_json::from_str(&std::fs::read_to_string(setting("ABSENT")?)?)?;
    let absent: Vec<String> =
        list.get("absent").and_then(Value::as_object).context("absent")?.keys().map(|name| flat(name)).collect();
    let is_absent = |name: &str| {
        let name = flat(name);
        absent
            .iter()
            .any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('_')))
    };
    let every = operations(Path::new(&setting("SVIX_SOURCE")?))?;
    ensure!(every.len() > 100, "only {} operations found", every.len());
    same!(called.iter().filter(|name| is_absent(name)).collect::<Vec<_>>(), Vec::<&String>::new());
    let left: Vec<&String> = every.iter().filter(|name| !called.contains(*name) && !is_absent(name)).collect();
    same!(left, Vec::<&String>::new());
    Ok(())
}

/// `endpoint.transformation.get` is in `endpoint_transformation.rs`.
fn flat(name: &str) -> String {
    name.replace('.', "_")
}

/// The public asynchronous functions of the library's modules, one for each group.
fn operations(source: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(source.join("src/api"))? {
        let path = entry?.path();
        let group = path.file_stem().and_then(|stem| stem.to_str()).context("a file's name")?;
        for line in std::fs::read_to_string(&path)?.lines() {
            if let Some(rest) = line.trim_start().strip_prefix("pub async fn ")
                && let Some((name, _)) = rest.split_once(['(', '<'])
            {
                found.insert(format!("{group}.{name}"));
            }
        }
    }
    Ok(found)
}
