//! The real binary behind a Lambda Runtime API.

use insta::assert_snapshot;
use serde_json::{Value, json};
use tidings_harness::{Function, Table};
use tidings_runtime::Clock;

use crate::support::organization;

fn function(table: &Table) -> Function {
    Function::new(env!("CARGO_BIN_EXE_generator"))
        .table(table)
        .env("GENERATOR_ORGANIZATION", organization(1).to_string())
}

/// An event of a rule, as EventBridge sends it.
fn tick() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": Clock::system().now(),
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/generator"],
        "detail": {}
    })
}

#[tokio::test]
async fn a_tick_makes_a_minute_of_events_and_its_repetition_none() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    let tick = tick();
    assert_eq!(environment.invoke(&tick).await.unwrap(), json!({"written": 12, "known": 0}));
    assert_eq!(environment.invoke(&tick).await.unwrap(), json!({"written": 0, "known": 12}));
}

#[tokio::test]
async fn the_frequency_is_a_setting() {
    let table = Table::start().await;
    let environment = function(&table).env("GENERATORFREQUENCY", "30000").start().await;
    assert_eq!(environment.invoke(&tick()).await.unwrap(), json!({"written": 2, "known": 0}));
}

#[tokio::test]
async fn an_event_without_a_time_is_an_error() {
    let table = Table::start().await;
    let environment = function(&table).start().await;
    assert!(environment.invoke(&json!({"detail-type": "Scheduled Event"})).await.is_err());
}

#[tokio::test]
async fn without_an_organization_it_does_not_start() {
    let table = Table::start().await;
    let environment = Function::new(env!("CARGO_BIN_EXE_generator")).table(&table).start().await;
    let error = environment.time_to_first_next().await.unwrap_err();
    assert_snapshot!(error.error_type, @"Runtime.ExitError");
    let logs = environment.logs().join("\n");
    assert!(logs.contains("GENERATOR_ORGANIZATION: must be set"), "{logs}");
}
