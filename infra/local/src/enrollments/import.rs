//! `tidings enrollments import`.

use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context as _;
use http::Method;
use serde::Deserialize;
use tidings_domain::Timestamp;
use tidings_runtime::Clock;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use url::Url;

use super::Target;
use super::page::{MAX_ROWS, Page};
use super::progress::Progress;
use super::rows::{Format, Place, Row, Rows};
use super::service::{Ask, Service};

/// Sends a file's rows.
pub(super) async fn run(
    file: &Path,
    format: Option<Format>,
    as_of: Option<Timestamp>,
    target: &Target,
) -> anyhow::Result<()> {
    let format = format.map_or_else(|| Format::of(file), Ok)?;
    let rows = Rows::open(file, format)?;
    let service = Service::open(target)?;
    let mut url = service.enrollments(&target.source, &[])?;
    // A file of a machine whose clock is ahead does not go before what comes in a moment.
    let as_of = as_of.unwrap_or_else(|| rows.modified.min(Clock::system().now()));
    url.query_pairs_mut().append_pair("as_of", &as_of.to_string());
    let mut import = Import {
        service,
        url,
        progress: Progress::of_bytes(rows.bytes),
        page: Page::new(format, rows.header.clone()),
        counts: Counts::default(),
    };
    let end = import.all(rows).await;
    let Import { progress, counts, .. } = import;
    progress.finish();
    progress.say(&format!("{}: {counts}, as of {as_of}", file.display()));
    end.context("the import is not complete; to start it again does no harm")?;
    anyhow::ensure!(counts.refused == 0, "{} of {} rows were refused", counts.refused, counts.rows());
    Ok(())
}

struct Import {
    service: Service,
    url: Url,
    progress: Progress,
    page: Page,
    counts: Counts,
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    created: u64,
    updated: u64,
    unchanged: u64,
    refused: u64,
}

impl Counts {
    fn rows(self) -> u64 {
        let Self { created, updated, unchanged, refused } = self;
        created + updated + unchanged + refused
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { created, updated, unchanged, refused } = self;
        let rows = self.rows();
        write!(f, "{rows} rows: {created} created, {updated} updated, {unchanged} unchanged, {refused} refused")
    }
}

/// What the service answers to a page.
#[derive(Deserialize)]
struct Report {
    created: u64,
    updated: u64,
    unchanged: u64,
    rows: Vec<RowReport>,
}

#[derive(Deserialize)]
struct RowReport {
    /// Counted from 1, in the page.
    row: usize,
    result: String,
    #[serde(default)]
    faults: Vec<String>,
}

impl Import {
    /// Reads ahead while the service works, as far as the channel holds.
    async fn all(&mut self, rows: Rows) -> anyhow::Result<()> {
        let (sender, mut receiver) = mpsc::channel(MAX_ROWS);
        let reading = spawn_blocking(move || {
            rows.each(&mut |row| match sender.blocking_send(row) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            })
        });
        while let Some(Row { place, content }) = receiver.recv().await {
            match content {
                Ok(row) => {
                    if !self.page.has_room_for(&row) {
                        self.send().await?;
                    }
                    self.page.push(place, &row);
                }
                Err(fault) => self.refuse(place, &[fault]),
            }
        }
        self.send().await?;
        reading.await?.context("the file is good up to here")
    }

    async fn send(&mut self) -> anyhow::Result<()> {
        if self.page.is_empty() {
            return Ok(());
        }
        let content_type = Some(self.page.content_type());
        let (body, places) = self.page.take();
        let ask = Ask { method: Method::POST, url: self.url.clone(), content_type, body };
        let answer = self.service.ask(&ask, &self.progress).await?;
        let report = serde_json::from_slice(&answer.body).context("the service's answer cannot be read")?;
        let Report { created, updated, unchanged, rows } = report;
        self.counts.created += created;
        self.counts.updated += updated;
        self.counts.unchanged += unchanged;
        for RowReport { row, result, faults } in rows {
            if result == "refused" {
                let place = row.checked_sub(1).and_then(|row| places.get(row));
                self.refuse(*place.context("the service's answer is about another page")?, &faults);
            }
        }
        if let Some(last) = places.last() {
            self.progress.at(last.read, self.counts.rows());
        }
        Ok(())
    }

    fn refuse(&mut self, place: Place, faults: &[String]) {
        self.counts.refused += 1;
        let Place { number, line, read: _ } = place;
        let line = line.map(|line| format!(" (line {line})")).unwrap_or_default();
        self.progress.say(&format!("row {number}{line}: {}", faults.join("; ")));
    }
}
