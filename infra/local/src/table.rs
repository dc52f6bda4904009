//! `tidings table`: the table that an endpoint or the AWS environment names.

use tidings_runtime::Settings;
use tidings_runtime::settings::Defaults;
use tidings_store::table::Ensured;
use tidings_store::{Options, Store};

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// A DynamoDB endpoint; without it, the AWS environment's.
    #[arg(long, value_name = "URL", global = true)]
    endpoint: Option<String>,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Make the table, if it is not there. A deployed table comes from template.yaml, with stream and protection.
    Create,
    /// Tell what the engine says of it.
    Describe,
}

#[expect(clippy::print_stdout, reason = "it is what was asked for")]
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Settings { table_name, .. } = Settings::from_env(Defaults::Local)?;
    let store = Store::connect(Options { table_name: table_name.clone(), endpoint: arguments.endpoint }).await;
    match arguments.action {
        Action::Create => match store.ensure_table().await? {
            Ensured::Created => println!("created the table {table_name}"),
            Ensured::Existed => println!("the table {table_name} was there already"),
        },
        Action::Describe => match store.describe_table().await? {
            None => anyhow::bail!("there is no table {table_name} (TABLE_NAME names another)"),
            Some(table) => {
                let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
                println!("table     {table_name}");
                println!("status    {}", text(table.table_status.map(|status| status.to_string())));
                println!("items     {} (as last counted by the engine)", table.item_count.unwrap_or_default());
                println!("bytes     {}", table.table_size_bytes.unwrap_or_default());
                println!("stream    {}", text(table.latest_stream_arn));
                for index in table.global_secondary_indexes.unwrap_or_default() {
                    println!("index     {}", text(index.index_name));
                }
            }
        },
    }
    Ok(())
}
