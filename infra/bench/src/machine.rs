//! What the figures were measured on.

use std::fs;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;
use std::time::Instant;

use crate::sample::Sample;

/// The machine, as a list.
pub fn describe(folder: &Path) -> String {
    let cpu = line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let cores = available_parallelism().map_or(0, usize::from);
    let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".to_owned());
    format!(
        "- CPU: {cpu}, {cores} cores\n- Memory: {memory}\n- Kernel: {}\n- Disk: {}\n- Compiler: {}, release profile of this \
         workspace",
        output("uname", &["-sr"]),
        disk(folder),
        output("rustc", &["--version"]),
    )
}

/// Processes that wanted a CPU, on average over the last minute.
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or_default()
}

/// Today's date.
pub fn today() -> String {
    output("date", &["-u", "+%Y-%m-%d"])
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'))?.1;
    Some(value.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or_else(|| "unknown".to_owned(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn disk(folder: &Path) -> String {
    let kind = output("df", &["--output=fstype", &folder.to_string_lossy()]);
    let kind = kind.lines().last().unwrap_or_default();
    let sync = sync_times(folder).map_or_else(
        |_| "cannot be written".to_owned(),
        |times| format!("4 KB written and synced in {} ms, which is what a commit waits for", times.spread(2)),
    );
    format!("{kind}; {sync}")
}

/// How long it takes until 4 KB are safe, in milliseconds: what a commit on disk waits for.
fn sync_times(folder: &Path) -> std::io::Result<Sample> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        file.rewind()?;
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    Ok(Sample::of_millis(times))
}
