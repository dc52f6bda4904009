//! The operations that a store uses, from `DynamoDB`'s JSON to the engine's typed calls and back.
//!
//! Reading and writing JSON happens on the caller's thread; the thread that owns the engine only executes.

use dynoxide::actions::{
    batch_get_item, batch_write_item, create_table, delete_item, delete_table, describe_table, describe_time_to_live,
    get_item, list_tables, put_item, query, scan, transact_get_items, transact_write_items, update_item, update_table,
    update_time_to_live,
};
use dynoxide::{Database, DynoxideError};
use serde::de::DeserializeOwned;

/// How an operation's answer relates to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Changes nothing and may see what is not on the disk yet: answered at once.
    Read,
    /// Changes nothing, and must show nothing that a power cut could take back.
    ConsistentRead,
    /// Is answered when it is on the disk.
    Write,
}

macro_rules! operations {
    ($($name:ident: $call:ident($request:ty) -> $response:ty;)*) => {
        /// A request, decoded.
        pub(crate) enum Operation {
            $($name(Box<$request>),)*
        }

        /// The answer to a request that succeeded.
        pub(crate) enum Outcome {
            $($name(Box<$response>),)*
        }

        impl Operation {
            /// Reads the request that `X-Amz-Target` and the body make up.
            pub(crate) fn decode(target: &str, body: &[u8]) -> Result<Self, Refusal> {
                match target.strip_prefix("DynamoDB_20120810.").unwrap_or_default() {
                    $(stringify!($name) => {
                        read(stringify!($name), body).map(|request| Self::$name(Box::new(request)))
                    })*
                    _ => Err(Refusal::UnknownOperation),
                }
            }

            /// Executes the operation in a transaction of its own.
            pub(crate) fn run(self, database: &Database) -> Result<Outcome, DynoxideError> {
                match self {
                    $(Self::$name(request) => {
                        database.$call(*request).map(|answer| Outcome::$name(Box::new(answer)))
                    })*
                }
            }
        }

        impl Outcome {
            /// The body of the answer.
            pub(crate) fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
                match self {
                    $(Self::$name(answer) => serde_json::to_vec(answer),)*
                }
            }
        }
    };
}

operations! {
    CreateTable: create_table(create_table::CreateTableRequest) -> create_table::CreateTableResponse;
    DeleteTable: delete_table(delete_table::DeleteTableRequest) -> delete_table::DeleteTableResponse;
    DescribeTable: describe_table(describe_table::DescribeTableRequest) -> describe_table::DescribeTableResponse;
    ListTables: list_tables(list_tables::ListTablesRequest) -> list_tables::ListTablesResponse;
    UpdateTable: update_table(update_table::UpdateTableRequest) -> update_table::UpdateTableResponse;
    UpdateTimeToLive: update_time_to_live(update_time_to_live::UpdateTimeToLiveRequest) -> update_time_to_live::UpdateTimeToLiveResponse;
    DescribeTimeToLive: describe_time_to_live(describe_time_to_live::DescribeTimeToLiveRequest) -> describe_time_to_live::DescribeTimeToLiveResponse;
    PutItem: put_item(put_item::PutItemRequest) -> put_item::PutItemResponse;
    GetItem: get_item(get_item::GetItemRequest) -> get_item::GetItemResponse;
    UpdateItem: update_item(update_item::UpdateItemRequest) -> update_item::UpdateItemResponse;
    DeleteItem: delete_item(delete_item::DeleteItemRequest) -> delete_item::DeleteItemResponse;
    Query: query(query::QueryRequest) -> query::QueryResponse;
    Scan: scan(scan::ScanRequest) -> scan::ScanResponse;
    BatchGetItem: batch_get_item(batch_get_item::BatchGetItemRequest) -> batch_get_item::BatchGetItemResponse;
    BatchWriteItem: batch_write_item(batch_write_item::BatchWriteItemRequest) -> batch_write_item::BatchWriteItemResponse;
    TransactWriteItems: transact_write_items(transact_write_items::TransactWriteItemsRequest) -> transact_write_items::TransactWriteItemsResponse;
    TransactGetItems: transact_get_items(transact_get_items::TransactGetItemsRequest) -> transact_get_items::TransactGetItemsResponse;
}

impl Operation {
    pub(crate) fn kind(&self) -> Kind {
        let consistent = match self {
            Self::GetItem(request) => request.consistent_read,
            Self::Query(request) => request.consistent_read,
            Self::Scan(request) => request.consistent_read,
            Self::BatchGetItem(request) => {
                Some(request.request_items.values().any(|keys| keys.consistent_read == Some(true)))
            }
            Self::TransactGetItems(_) => Some(true),
            Self::DescribeTable(_) | Self::ListTables(_) | Self::DescribeTimeToLive(_) => Some(false),
            Self::CreateTable(_)
            | Self::DeleteTable(_)
            | Self::UpdateTable(_)
            | Self::UpdateTimeToLive(_)
            | Self::PutItem(_)
            | Self::UpdateItem(_)
            | Self::DeleteItem(_)
            | Self::BatchWriteItem(_)
            | Self::TransactWriteItems(_) => return Kind::Write,
        };
        if consistent == Some(true) { Kind::ConsistentRead } else { Kind::Read }
    }

    /// Whether executing it can change which attributes are a table's key.
    pub(crate) fn changes_tables(&self) -> bool {
        matches!(self, Self::CreateTable(_) | Self::DeleteTable(_) | Self::UpdateTable(_))
    }
}

/// Why a request was not executed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Nothing that this engine offers through this door.
    UnknownOperation,
    /// What the engine itself said.
    Engine(DynoxideError),
}

impl From<DynoxideError> for Refusal {
    fn from(error: DynoxideError) -> Self {
        Self::Engine(error)
    }
}

impl Refusal {
    /// A 500 with this text: the caller's SDK tries again.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::Engine(DynoxideError::InternalServerError(message.into()))
    }

    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::UnknownOperation => 400,
            Self::Engine(error) => error.status_code(),
        }
    }

    pub(crate) fn body(&self) -> String {
        match self {
            Self::UnknownOperation => r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned(),
            Self::Engine(error) => error.to_json(),
        }
    }
}

const ENVELOPE: &str = "1 validation error detected: ";

/// Reads a request, and says what is wrong with it in the class that `DynamoDB` uses: the engine's decoders mark it by
/// a prefix of serde's message.
fn read<T: DeserializeOwned>(operation: &str, body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let raw = error.to_string();
        let error = if let Some(text) = raw.strip_prefix("VALIDATION_REQUEST:") {
            let text = without_position(text);
            match operation {
                "PutItem" | "UpdateItem" | "DeleteItem" if !text.starts_with(ENVELOPE) => {
                    DynoxideError::ValidationException(format!("{ENVELOPE}{text}"))
                }
                _ => DynoxideError::ValidationException(text.to_owned()),
            }
        } else if let Some(text) = raw.strip_prefix("VALIDATION:") {
            DynoxideError::ValidationException(without_position(text).to_owned())
        } else if let Some(text) = raw.strip_prefix("SERIALIZATION:") {
            DynoxideError::SerializationException(without_position(text).to_owned())
        } else if let Some(text) = raw.strip_prefix("VALIDATION_AS_READ:") {
            DynoxideError::ValidationException(text.to_owned())
        } else if let Some(text) = raw.strip_prefix("SERIALIZATION_AS_READ:") {
            DynoxideError::SerializationException(text.to_owned())
        } else if ["missing field", "unknown variant", "invalid type: null", "AttributeValue"]
            .iter()
            .any(|mark| raw.contains(mark))
        {
            DynoxideError::ValidationException(without_position(&raw).to_owned())
        } else {
            DynoxideError::SerializationException(without_position(&raw).to_owned())
        };
        Refusal::Engine(error)
    })
}

/// serde's message without its " at line N column N".
fn without_position(message: &str) -> &str {
    message.rfind(" at line ").and_then(|end| message.get(..end)).unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(target: &str, body: &str) -> (u16, String) {
        match Operation::decode(target, body.as_bytes()) {
            Ok(_) => panic!("accepted"),
            Err(refusal) => (refusal.status(), refusal.body()),
        }
    }

    #[test]
    fn an_operation_that_is_not_offered_is_unknown() {
        for target in ["", "DynamoDB_20120810.CreateBackup", "DynamoDBStreams_20120810.GetRecords"] {
            let (status, body) = refusal(target, "{}");
            assert_eq!(status, 400, "{target}");
            assert!(body.contains("#UnknownOperationException"), "{body}");
        }
    }

    #[test]
    fn a_request_that_cannot_be_read_is_refused_in_the_class_of_dynamodb() {
        let (status, body) = refusal("DynamoDB_20120810.PutItem", r#"{"TableName":"tab","Item":7}"#);
        assert_eq!(status, 400);
        assert!(body.contains("#SerializationException"), "{body}");

        let (status, body) = refusal("DynamoDB_20120810.PutItem", r#"{"TableName":"table"}"#);
        assert_eq!(status, 400);
        assert!(body.contains("#ValidationException"), "{body}");
        assert!(!body.contains("VALIDATION"), "{body}");
        assert!(!body.contains("at line"), "{body}");
    }
}
