//! Sizes of the binaries: what is deployed, what is downloaded at a cold start, and what a user of one machine gets.

use std::fs;

use anyhow::Context as _;
use tokio::process::Command;

use crate::report::{Grid, section};
use crate::{BASELINE, FUNCTIONS, Options};

/// Measures.
pub async fn run(options: &Options) -> anyhow::Result<String> {
    let mut grid = Grid::new(&["binary", "MB", "zipped, MB", "to hello"]);
    let baseline = size(options, BASELINE).await?.1;
    for name in [BASELINE].iter().chain(&FUNCTIONS).chain(&["tidings"]) {
        let (plain, zipped) = size(options, name).await?;
        grid.row([
            format!("`{name}`"),
            format!("{:.2}", megabytes(plain)),
            format!("{:.2}", megabytes(zipped)),
            format!("{:.1}", megabytes(zipped) / megabytes(baseline)),
        ]);
    }
    let before = "Release binaries, and the same as deflated by `gzip -6`, which is what a zip holds. The ratio is that of the \
                  zipped sizes.";
    Ok(section("Sizes", before, &grid, ""))
}

/// Bytes, plain and zipped.
async fn size(options: &Options, name: &str) -> anyhow::Result<(u64, u64)> {
    let path = options.binary(name)?;
    let plain = fs::metadata(&path)?.len();
    let zipped = Command::new("gzip").args(["-6", "--stdout"]).arg(&path).output().await.context("gzip is needed")?;
    anyhow::ensure!(zipped.status.success(), "gzip failed");
    Ok((plain, u64::try_from(zipped.stdout.len())?))
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6
}
