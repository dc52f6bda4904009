//! The rows of a file, one after the other: of a large file only some are in memory at a time.

mod json;
mod metered;
mod text;

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use tidings_domain::Timestamp;

use self::metered::{Meter, Metered};

/// Most bytes of a row that is sent.
pub(super) const MAX_ROW_BYTES: usize = 64 * 1024;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Cells separated by commas, under a header line.
    Csv,
    /// An array of objects, or an object whose `enrollments` is one.
    Json,
    /// An object in each line.
    Ndjson,
}

/// A file that is open.
pub(super) struct Rows {
    /// What each page begins with: the header line of CSV.
    pub(super) header: Vec<u8>,
    /// The file's length.
    pub(super) bytes: u64,
    /// When it last changed.
    pub(super) modified: Timestamp,
    meter: Meter,
    source: Source,
}

enum Source {
    Csv(Box<csv::Reader<Metered<File>>>),
    Json(BufReader<Metered<File>>),
    Ndjson(BufReader<Metered<File>>),
}

/// Where a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Its number, counted from 1. A header line has none.
    pub(super) number: u64,
    /// The line that it begins in, where a file has lines.
    pub(super) line: Option<u64>,
    /// How much of the file had been read when it had been.
    pub(super) read: u64,
}

/// A row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) place: Place,
    /// It, as it is sent, or why it cannot be.
    pub(super) content: Result<Vec<u8>, String>,
}

/// Takes rows, until it does not want any more.
type Take<'a> = &'a mut dyn FnMut(Row) -> ControlFlow<()>;

impl Format {
    /// As the file's name says.
    pub(super) fn of(file: &Path) -> anyhow::Result<Self> {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        match extension.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "json" => Ok(Self::Json),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            _ => anyhow::bail!("{} does not end with .csv, .json or .ndjson: tell its --format", file.display()),
        }
    }
}

impl Rows {
    /// Opens a file, and reads the header line, if it has one.
    pub(super) fn open(file: &Path, format: Format) -> anyhow::Result<Self> {
        Self::read(file, format).with_context(|| format!("cannot read {}", file.display()))
    }

    fn read(path: &Path, format: Format) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let modified = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let modified = Timestamp::default() + modified;
        let (file, meter) = metered::metered(file);
        let (header, source) = match format {
            Format::Csv => {
                let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(file);
                (text::header(&mut reader)?, Source::Csv(Box::new(reader)))
            }
            Format::Json => (Vec::new(), Source::Json(json::without_mark(file)?)),
            Format::Ndjson => (Vec::new(), Source::Ndjson(json::without_mark(file)?)),
        };
        Ok(Self { header, bytes: metadata.len(), modified, meter, source })
    }

    /// Hands out all rows. It blocks; an error is about the file, not about a row.
    pub(super) fn each(self, take: Take<'_>) -> anyhow::Result<()> {
        let Self { header: _, bytes: _, modified: _, meter, source } = self;
        match source {
            Source::Csv(mut reader) => text::each(&mut reader, &meter, take),
            Source::Json(reader) => json::each(reader, &meter, take),
            Source::Ndjson(reader) => json::each_line(reader, &meter, take),
        }
    }
}

/// A row that is not too long.
fn fit(row: Vec<u8>) -> Result<Vec<u8>, String> {
    if row.len() > MAX_ROW_BYTES { Err(format!("must be at most {MAX_ROW_BYTES} bytes long")) } else { Ok(row) }
}

#[cfg(test)]
mod tests;
