//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Of an import, a line each time that so much more of the file is done, in percent.
const STEP_PERCENT: u64 = 10;

/// Of an export, whose length nobody knows, a line each time that so many more rows are done.
const STEP_ROWS: u64 = 10_000;

/// Tells of progress on the standard error output. What is asked for goes to the standard output.
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines {
        /// Bytes of the file; none if it is rows that count.
        bytes: Option<u64>,
        /// The step that was told last.
        step: AtomicU64,
    },
}

impl Progress {
    /// Of reading a file of this length.
    pub(super) fn of_bytes(bytes: u64) -> Self {
        Self::new(Some(bytes))
    }

    /// Of rows without a known end.
    pub(super) fn of_rows() -> Self {
        Self::new(None)
    }

    fn new(bytes: Option<u64>) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { bytes, step: AtomicU64::new(0) };
        }
        let bar = match bytes {
            Some(bytes) => ProgressBar::new(bytes).with_style(style("{bar:40} {percent:>3} %  {msg}  {eta} left")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}")),
        };
        Self::Bar(bar)
    }

    /// So much of the file, and so many rows, are done.
    pub(super) fn at(&self, read: u64, rows: u64) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(read);
                bar.set_message(format!("{} rows", HumanCount(rows)));
            }
            Self::Lines { bytes, step } => {
                let percent = bytes.map(|bytes| 100 * read.min(bytes) / bytes.max(1));
                let now = percent.map_or(rows / STEP_ROWS, |percent| percent / STEP_PERCENT);
                if step.swap(now, Ordering::Relaxed) < now {
                    let percent = percent.map(|percent| format!(" ({percent} %)")).unwrap_or_default();
                    eprintln!("{rows} rows{percent}");
                }
            }
        }
    }

    /// A remark.
    pub(super) fn note(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.println(text),
            Self::Lines { .. } => eprintln!("{text}"),
        }
    }

    /// What was asked for.
    #[expect(clippy::print_stdout, reason = "it is what was asked for")]
    pub(super) fn say(&self, text: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| println!("{text}")),
            Self::Lines { .. } => println!("{text}"),
        }
    }

    /// There is no more.
    pub(super) fn finish(&self) {
        match self {
            Self::Bar(bar) => bar.finish_and_clear(),
            Self::Lines { .. } => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_styles_can_be_read() {
        for template in ["{bar:40} {percent:>3} %  {msg}  {eta} left", "{spinner} {msg}"] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
