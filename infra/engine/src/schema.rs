//! Which attributes are the key of a table.

use std::collections::HashMap;
use std::sync::Arc;

use dynoxide::Database;
use dynoxide::actions::describe_table::DescribeTableRequest;
use dynoxide::types::{AttributeValue, Item, KeyType};

/// The names of a table's key attributes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Schema {
    pub(crate) partition: String,
    pub(crate) sort: Option<String>,
}

impl Schema {
    pub(crate) fn is_key(&self, attribute: &str) -> bool {
        self.partition == attribute || self.sort.as_deref() == Some(attribute)
    }

    /// The key attributes of an item.
    pub(crate) fn key_of(&self, item: &Item) -> HashMap<String, AttributeValue> {
        std::iter::once(&self.partition)
            .chain(&self.sort)
            .filter_map(|name| item.get_key_value(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }
}

/// The schemas of the tables that were written to, each asked for once.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    known: HashMap<String, Arc<Schema>>,
}

impl Schemas {
    /// `None` for a table that does not exist: the operation on it is going to say so.
    pub(crate) fn of(&mut self, database: &Database, table: &str) -> Option<Arc<Schema>> {
        if let Some(schema) = self.known.get(table) {
            return Some(Arc::clone(schema));
        }
        let request = DescribeTableRequest { table_name: table.to_owned() };
        let description = database.describe_table(request).ok()?.table;
        let attribute = |wanted: KeyType| {
            description
                .key_schema
                .iter()
                .find(|element| element.key_type == wanted)
                .map(|element| element.attribute_name.clone())
        };
        let schema = Arc::new(Schema { partition: attribute(KeyType::HASH)?, sort: attribute(KeyType::RANGE) });
        self.known.insert(table.to_owned(), Arc::clone(&schema));
        Some(schema)
    }

    /// Called when a table may have been replaced by another one of its name.
    pub(crate) fn forget(&mut self) {
        self.known.clear();
    }
}
