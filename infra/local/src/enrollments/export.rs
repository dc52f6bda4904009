//! `tidings enrollments export`.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use http::header::LINK;
use http::{HeaderMap, Method};
use url::Url;

use super::Target;
use super::progress::Progress;
use super::service::{Ask, Service};

/// Rows of a page: an answer of this size fits whatever stands between here and the service.
const PAGE_ROWS: &str = "2000";

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// Cells separated by commas, under a header line.
    Csv,
    /// An object in each line.
    Ndjson,
}

/// Which enrollments.
#[derive(clap::Args)]
pub(super) struct Filter {
    /// Only those of a user.
    #[arg(long, value_name = "NUMBER")]
    user: Option<u64>,
    /// Only those in a course.
    #[arg(long, value_name = "NUMBER")]
    course: Option<u64>,
    /// Only those with a status, like `completed`.
    #[arg(long)]
    status: Option<String>,
    /// Only those that are deleted (`true`), or that are not (`false`).
    #[arg(long, value_name = "BOOL")]
    deleted: Option<bool>,
}

/// Writes a service's enrollments.
pub(super) async fn run(file: &Path, format: Format, filter: &Filter, target: &Target) -> anyhow::Result<()> {
    let service = Service::open(target)?;
    let mut url = service.enrollments(&target.source, &["export"])?;
    url.query_pairs_mut().extend_pairs(query(format, filter));
    let progress = Progress::of_rows();
    let mut output = Output::open(file)?;
    let mut rows = 0;
    // The header line is on the first page only.
    let mut headers = u64::from(format == Format::Csv);
    loop {
        let ask = Ask { method: Method::GET, url: url.clone(), content_type: None, body: Bytes::new() };
        let answer = service.ask(&ask, &progress).await?;
        rows += count(format, &answer.body)?.saturating_sub(std::mem::take(&mut headers));
        output.write(&answer.body)?;
        progress.at(0, rows);
        match next(&answer.headers, &url)? {
            Some(next) => url = next,
            None => break,
        }
    }
    output.close()?;
    progress.finish();
    progress.note(&format!("{rows} rows exported"));
    Ok(())
}

fn query(format: Format, filter: &Filter) -> Vec<(&'static str, String)> {
    let Filter { user, course, status, deleted } = filter;
    let format = match format {
        Format::Csv => "csv",
        Format::Ndjson => "ndjson",
    };
    let mut query = vec![("format", format.to_owned()), ("limit", PAGE_ROWS.to_owned())];
    query.extend(user.map(|user| ("user_id", user.to_string())));
    query.extend(course.map(|course| ("course_id", course.to_string())));
    query.extend(status.clone().map(|status| ("status", status)));
    query.extend(deleted.map(|deleted| ("deleted", deleted.to_string())));
    query
}

/// Where it goes on. Of what the service says only the query counts: what stands before it may have changed the rest,
/// and the token goes nowhere else.
fn next(headers: &HeaderMap, url: &Url) -> anyhow::Result<Option<Url>> {
    let Some(link) = headers.get(LINK) else { return Ok(None) };
    let link = link.to_str().ok().and_then(|link| {
        let (target, parameters) = link.strip_prefix('<')?.split_once('>')?;
        parameters.contains("rel=\"next\"").then_some(target)
    });
    let next = url.join(link.context("the service's link to the next page cannot be read")?)?;
    let mut url = url.clone();
    url.set_query(next.query());
    Ok(Some(url))
}

/// Lines of CSV or of JSON.
fn count(format: Format, body: &[u8]) -> anyhow::Result<u64> {
    let count = match format {
        Format::Csv => {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(body);
            let records = reader.byte_records().try_fold(0, |count, record| record.map(|_| count + 1));
            records.context("the service's answer is no CSV")?
        }
        Format::Ndjson => body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(),
    };
    Ok(u64::try_from(count)?)
}

/// A file, which has its name only once it is complete, or the standard output.
enum Output {
    File { file: File, written: PathBuf, named: PathBuf },
    Standard,
}

impl Output {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::Standard);
        }
        let mut written = path.as_os_str().to_owned();
        written.push(".part");
        let written = PathBuf::from(written);
        let file = File::create(&written).with_context(|| format!("cannot write {}", written.display()))?;
        Ok(Self::File { file, written, named: path.to_owned() })
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::File { file, written, .. } => {
                file.write_all(bytes).with_context(|| format!("writing {}", written.display()))
            }
            Self::Standard => Ok(io::stdout().lock().write_all(bytes)?),
        }
    }

    fn close(self) -> anyhow::Result<()> {
        match self {
            Self::File { file, written, named } => {
                drop(file);
                fs::rename(&written, &named).with_context(|| format!("cannot write {}", named.display()))
            }
            Self::Standard => Ok(io::stdout().flush()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next_of(link: &str) -> anyhow::Result<Option<String>> {
        let url = Url::parse("https://here.example/prod/in/docebo/enrollments/export?format=csv").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(LINK, link.parse().unwrap());
        Ok(next(&headers, &url)?.map(String::from))
    }

    #[test]
    fn the_next_page_is_asked_for_where_the_first_was() {
        let expected = "https://here.example/prod/in/docebo/enrollments/export?format=csv&iterator=7.8";
        for target in [
            "/in/docebo/enrollments/export?format=csv&iterator=7.8",
            "https://elsewhere.example/x?format=csv&iterator=7.8",
            "?format=csv&iterator=7.8",
        ] {
            assert_eq!(next_of(&format!("<{target}>; rel=\"next\"")).unwrap().as_deref(), Some(expected));
        }
        assert!(next_of("</x>; rel=\"last\"").is_err());
        assert!(next(&HeaderMap::new(), &Url::parse("http://a/").unwrap()).unwrap().is_none());
    }

    #[test]
    fn rows_are_counted_also_where_cells_have_line_breaks() {
        assert_eq!(count(Format::Csv, b"a,b\n1,\"x\ny\"\n2,z\n").unwrap(), 3);
        assert_eq!(count(Format::Ndjson, b"{}\n{}\n").unwrap(), 2);
        assert_eq!(count(Format::Csv, b"").unwrap(), 0);
    }

    #[test]
    fn a_file_has_its_name_when_it_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.csv");
        let mut output = Output::open(&path).unwrap();
        output.write(b"a\n").unwrap();
        assert!(!path.exists());
        output.close().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
