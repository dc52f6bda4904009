//! What a process used, by its files under `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// The kernel counts in hundredths of a second, whatever its own clock does (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// CPU time of a process so far, all its threads, user and system.
pub(crate) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    ticks(&stat).map(|ticks| TICK * ticks).context("the kernel's `stat` has another form")
}

/// Memory of a process now, in MB.
pub(crate) fn memory_mb(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Ok(kilobytes.context("the kernel's `status` has another form")?.trim().parse::<f64>()? / 1024.0)
}

fn ticks(stat: &str) -> Option<u32> {
    // The program's name, in brackets, may hold anything. The state is the first field after it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_programs_name_does_not_confuse_it() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 100 0 0 0 12 30 0 0 20 0 1 0 100 1000 10";
        assert_eq!(ticks(stat), Some(42));
    }

    #[test]
    fn this_process_has_used_some_memory() {
        assert!(memory_mb(std::process::id()).unwrap() > 0.5);
        cpu(std::process::id()).unwrap();
    }
}
