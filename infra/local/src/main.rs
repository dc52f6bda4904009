//! `tidings`: the whole service in one process, and the commands around it.

mod banner;
mod data;
mod engine;
mod enrollments;
mod generate;
mod keys;
mod live;
mod openapi;
mod router;
mod serve;
mod stop;
mod table;
mod token;
mod work;

use clap::{Parser, Subcommand};

/// A webhook service over one DynamoDB table. Without a command it is `tidings serve`.
#[derive(Parser)]
#[command(name = "tidings", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on this machine.
    Serve(serve::Arguments),
    /// Print a token (JWT).
    Token(token::Arguments),
    /// Make, list and revoke API keys.
    Keys(keys::Arguments),
    /// Bring enrollments into a service from a file, or take them out.
    Enrollments(enrollments::Arguments),
    /// Make or describe the table that `--endpoint` or the AWS environment names.
    Table(table::Arguments),
    /// Print the `OpenAPI` document.
    Openapi,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Arguments { command, serve } = Arguments::parse();
    match command.unwrap_or(Command::Serve(serve)) {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Token(arguments) => token::run(&arguments),
        Command::Keys(arguments) => keys::run(arguments).await,
        Command::Enrollments(arguments) => enrollments::run(arguments).await,
        Command::Table(arguments) => table::run(arguments).await,
        Command::Openapi => openapi::run(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}
