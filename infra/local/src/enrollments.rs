//! `tidings enrollments`: brings enrollments into a service from a file, and takes them out again.

mod export;
mod import;
mod page;
mod progress;
mod rows;
mod service;

use std::path::PathBuf;

use tidings_domain::Timestamp;
use url::Url;

use crate::data::DEFAULT_FOLDER;

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Send a file's rows to a service, in pages. To send a file again changes nothing.
    Import {
        /// CSV with a header line, a JSON array, or a JSON object in each line.
        file: PathBuf,
        /// What the file is; told by its name's end if left out.
        #[arg(long, value_enum)]
        format: Option<rows::Format>,
        /// When the file was true, in RFC 3339; when it last changed, if left out. What events told later stays.
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        as_of: Option<Timestamp>,
        #[command(flatten)]
        target: Target,
    },
    /// Write a service's enrollments to a file.
    Export {
        /// The file; `-` is the standard output.
        #[arg(default_value = "-")]
        file: PathBuf,
        /// What to write.
        #[arg(long, value_enum, default_value = "csv")]
        format: export::Format,
        #[command(flatten)]
        filter: export::Filter,
        #[command(flatten)]
        target: Target,
    },
}

/// Whose enrollments, at which service.
#[derive(clap::Args)]
struct Target {
    /// The source that they belong to: an id (`src_...`) or a uid.
    #[arg(long, default_value = tidings_domain::source::DOCEBO)]
    source: String,
    /// Where the service answers; that of the data folder if left out.
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    /// An organization's token, or an API key; one made with the data folder's secret if left out.
    #[arg(long)]
    token: Option<String>,
    /// The data folder of a service on this machine.
    #[arg(long, default_value = DEFAULT_FOLDER, value_name = "FOLDER")]
    data: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.action {
        Action::Import { file, format, as_of, target } => import::run(&file, format, as_of, &target).await,
        Action::Export { file, format, filter, target } => export::run(&file, format, &filter, &target).await,
    }
}

fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    serde_json::from_value(text.into()).map_err(|_| "must be a time like 2024-03-13T14:58:26Z")
}
