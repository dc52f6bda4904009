//! The table itself: what `template.yaml` declares for a stack, made by code for the local service and the tests. A test
//! holds the two equal.

use std::time::Duration;

use aws_sdk_dynamodb::error::ProvideErrorMetadata as _;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification,
};

use crate::keys::{INDEX, INDEX_PK, INDEX_SK, PK, SK, TTL};
use crate::{DecodeError, Store, StoreError};

/// Attributes that are keys; all are texts.
pub const KEY_ATTRIBUTES: [&str; 4] = [PK, SK, INDEX_PK, INDEX_SK];

/// What became of a request for the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was made.
    Created,
    /// It was there.
    Existed,
}

impl Store {
    /// Makes the table, if it is not there, and waits until it can be used. Streams and protection are the template's
    /// matter: locally changes come from the engine itself.
    pub async fn ensure_table(&self) -> Result<Ensured, StoreError> {
        if self.describe_table().await?.is_some() {
            return Ok(Ensured::Existed);
        }
        let created = self
            .client
            .create_table()
            .table_name(&*self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes()?))
            .set_key_schema(Some(key_schema(PK, SK)?))
            .global_secondary_indexes(
                GlobalSecondaryIndex::builder()
                    .index_name(INDEX)
                    .set_key_schema(Some(key_schema(INDEX_PK, INDEX_SK)?))
                    .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build())
                    .build()?,
            )
            .send()
            .await;
        match created {
            Err(error) if error.code() == Some("ResourceInUseException") => return Ok(Ensured::Existed),
            other => other?,
        };
        self.wait_until_active().await?;
        let ttl = TimeToLiveSpecification::builder().attribute_name(TTL).enabled(true).build()?;
        self.client.update_time_to_live().table_name(&*self.table).time_to_live_specification(ttl).send().await?;
        Ok(Ensured::Created)
    }

    /// What the engine says of the table; `None` if there is none.
    pub async fn describe_table(&self) -> Result<Option<TableDescription>, StoreError> {
        match self.client.describe_table().table_name(&*self.table).send().await {
            Ok(answer) => Ok(answer.table),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn wait_until_active(&self) -> Result<(), StoreError> {
        for _ in 0..120 {
            let status = self.describe_table().await?.and_then(|table| table.table_status);
            if status == Some(TableStatus::Active) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(DecodeError::new(&*self.table, "the table did not become active within a minute").into())
    }
}

fn attributes() -> Result<Vec<AttributeDefinition>, StoreError> {
    let definition =
        |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
    Ok(KEY_ATTRIBUTES.into_iter().map(definition).collect::<Result<_, _>>()?)
}

fn key_schema(hash: &str, range: &str) -> Result<Vec<KeySchemaElement>, StoreError> {
    let element = |name: &str, key_type| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build();
    Ok(vec![element(hash, KeyType::Hash)?, element(range, KeyType::Range)?])
}
