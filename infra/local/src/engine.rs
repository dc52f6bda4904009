//! Which engine is under the table: the embedded one, or the one that an endpoint names.

use std::path::PathBuf;

use tidings_engine::{Engine, Storage};
use tidings_store::{Options, Store};

use crate::data::{DEFAULT_FOLDER, Folder};

/// Where the table is.
#[derive(Debug, Clone, clap::Args)]
#[group(multiple = false)]
pub(crate) struct Place {
    /// The data folder of the embedded engine.
    #[arg(long, global = true, default_value = DEFAULT_FOLDER, value_name = "FOLDER")]
    pub(crate) data: PathBuf,
    /// Keep everything in memory: it ends with the process.
    #[arg(long, global = true)]
    pub(crate) memory: bool,
    /// A DynamoDB endpoint in place of the embedded engine; credentials come from the AWS environment.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
}

/// A table, with the engine if it is in this process.
pub(crate) struct Table {
    pub(crate) store: Store,
    pub(crate) engine: Option<Engine>,
}

impl Place {
    /// The data folder, unless nothing is kept on this machine.
    pub(crate) fn folder(&self) -> anyhow::Result<Option<Folder>> {
        if self.memory { Ok(None) } else { Folder::open(&self.data).map(Some) }
    }

    /// Opens the table, and makes it where it is ours to make.
    pub(crate) async fn open(&self, table_name: &str) -> anyhow::Result<Table> {
        if let Some(endpoint) = &self.endpoint {
            let options = Options { table_name: table_name.to_owned(), endpoint: Some(endpoint.clone()) };
            return Ok(Table { store: Store::connect(options).await, engine: None });
        }
        let storage = match self.folder()? {
            Some(folder) => Storage::File(folder.database()),
            None => Storage::Memory,
        };
        let engine = Engine::open(storage)?;
        let store = Store::new(engine.client(), table_name);
        store.ensure_table().await?;
        Ok(Table { store, engine: Some(engine) })
    }
}
