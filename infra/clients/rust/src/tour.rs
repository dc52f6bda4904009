//! What the tour's sections share: steps, typed errors, pages, waiting.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use svix::error::Error;

const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Runs steps one after another, prints a line for each, and goes on after one that failed.
pub(crate) struct Tour {
    name: String,
    passed: u32,
    failed: u32,
}

#[expect(clippy::print_stdout, reason = "its lines are what the tour is run for")]
impl Tour {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), passed: 0, failed: 0 }
    }

    /// One step. What it returns is for later ones.
    pub(crate) async fn step<T>(&mut self, title: &str, body: impl Future<Output = Result<T>>) -> Option<T> {
        let started = Instant::now();
        match body.await {
            Ok(result) => {
                self.passed += 1;
                println!("ok    {}: {title} ({} ms)", self.name, started.elapsed().as_millis());
                Some(result)
            }
            Err(error) => {
                self.failed += 1;
                println!("FAIL  {}: {title}\n      {error:#}", self.name);
                None
            }
        }
    }

    /// Steps that need what comes before them. If that failed, the section is a failure.
    pub(crate) fn section(&mut self, name: &str, end: Result<()>) {
        if let Err(error) = end {
            self.failed += 1;
            println!("FAIL  {}: {name} could not go on\n      {error:#}", self.name);
        }
    }

    /// Whether nothing failed.
    pub(crate) fn summary(&self) -> bool {
        println!("{}: {} passed, {} failed", self.name, self.passed, self.failed);
        self.failed == 0
    }
}

/// Both are the same.
macro_rules! same {
    ($left:expr, $right:expr) => {
        // A match, so that what is borrowed from lives as long as the comparison.
        match (&$left, &$right) {
            (left, right) => {
                anyhow::ensure!(left == right, "{} is\n      {left:?}, expected\n      {right:?}", stringify!($left));
            }
        }
    };
}
pub(crate) use same;

/// Expects the library's typed error with this status and code.
pub(crate) fn refused<T: Debug>(status: u16, code: &str, answer: svix::Result<T>) -> Result<()> {
    let Err(Error::Http(error)) = answer else { bail!("expected {status} {code}, got {answer:?}") };
    let payload = error.payload.context("the error has no body of its type")?;
    same!((error.status.as_u16(), payload.code.as_str()), (status, code));
    ensure!(!payload.detail.is_empty(), "no detail");
    Ok(())
}

/// Expects the library's typed error of invalid input, and gives where it is said to be.
pub(crate) fn invalid<T: Debug>(answer: svix::Result<T>) -> Result<Vec<String>> {
    let Err(Error::Validation(error)) = answer else { bail!("expected 422, got {answer:?}") };
    let payload = error.payload.context("the error has no body of its type")?;
    let first = payload.detail.into_iter().next().context("no detail")?;
    ensure!(!first.msg.is_empty() && !first.r#type.is_empty(), "{first:?}");
    Ok(first.loc)
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + LONGEST_WAIT;
    while Instant::now() < end {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("waited {LONGEST_WAIT:?} for {what}")
}

/// Where a list's pages lead, following the iterator until it is done.
macro_rules! pages {
    ($iterator:ident => $ask:expr) => {{
        let (mut found, mut $iterator) = (Vec::new(), None::<String>);
        loop {
            let page = $ask?;
            let empty = page.data.is_empty();
            found.extend(page.data);
            if page.done {
                break found;
            }
            anyhow::ensure!(!empty && page.iterator.is_some(), "a page that is not the last has items and an iterator");
            $iterator = page.iterator;
        }
    }};
}
pub(crate) use pages;
