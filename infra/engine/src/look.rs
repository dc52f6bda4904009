//! Looking at an operation before it is executed.

use std::sync::Arc;

use dynoxide::Database;
use dynoxide::actions::batch_write_item::BatchWriteItemRequest;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::transact_write_items::{TransactDelete, TransactPut, TransactUpdate, TransactWriteItemsRequest};
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::types::Item;

use crate::capture::{After, Before, Capture, Key, Seen, lookup};
use crate::existence;
use crate::feeds::{Change, Subscriber};
use crate::operation::Operation;
use crate::record::{INSERT, MODIFY, REMOVE};
use crate::schema::{Schema, Schemas};

/// What is needed to look at an operation.
pub(crate) struct View<'a> {
    database: &'a Database,
    schemas: &'a mut Schemas,
    subscribers: &'a [Arc<Subscriber>],
}

impl<'a> View<'a> {
    pub(crate) fn new(database: &'a Database, schemas: &'a mut Schemas, subscribers: &'a [Arc<Subscriber>]) -> Self {
        Self { database, schemas, subscribers }
    }

    /// `None` when nothing that a feed wants is going to change.
    pub(crate) fn look(&mut self, operation: &mut Operation) -> Option<Capture> {
        match operation {
            Operation::PutItem(request) => self.put_item(request),
            Operation::DeleteItem(request) => self.delete_item(request),
            Operation::UpdateItem(request) => self.update_item(request),
            Operation::BatchWriteItem(request) => self.batch(request),
            Operation::TransactWriteItems(request) => Some(self.transaction(request)),
            Operation::CreateTable(_)
            | Operation::DeleteTable(_)
            | Operation::DescribeTable(_)
            | Operation::ListTables(_)
            | Operation::UpdateTable(_)
            | Operation::UpdateTimeToLive(_)
            | Operation::DescribeTimeToLive(_)
            | Operation::GetItem(_)
            | Operation::Query(_)
            | Operation::Scan(_)
            | Operation::BatchGetItem(_)
            | Operation::TransactGetItems(_) => None,
        }
    }

    fn put_item(&mut self, request: &mut PutItemRequest) -> Option<Capture> {
        let schema = self.schema(&request.table_name)?;
        let change = self.put_change(&request.table_name, &schema, &request.item)?;
        let implied = existence::implied(
            request.condition_expression.as_deref(),
            request.expression_attribute_names.as_ref(),
            &schema,
        );
        let (before, strip) = match implied {
            Some(existed) => (Before::Known(existed), false),
            None => (Before::Answer, ask(&mut request.return_values, "ALL_OLD")),
        };
        Some(Capture { seen: vec![Seen { change, before, after: After::Known }], strip })
    }

    fn delete_item(&mut self, request: &mut DeleteItemRequest) -> Option<Capture> {
        let schema = self.schema(&request.table_name)?;
        let change = self.removal(&request.table_name, &schema, &request.key)?;
        let strip = ask(&mut request.return_values, "ALL_OLD");
        Some(Capture { seen: vec![Seen { change, before: Before::Answer, after: After::Known }], strip })
    }

    fn update_item(&mut self, request: &mut UpdateItemRequest) -> Option<Capture> {
        let schema = self.schema(&request.table_name)?;
        let change = Change::of(&request.table_name, &schema, MODIFY, &request.key)?;
        let condition = request.condition_expression.as_deref();
        let names = request.expression_attribute_names.as_ref();
        let existed = existence::implied(condition, names, &schema)
            .unwrap_or_else(|| self.exists(&request.table_name, &request.key));
        let strip = ask(&mut request.return_values, "ALL_NEW");
        let after = if request.return_values.as_deref() == Some("ALL_NEW") {
            After::Answer
        } else {
            After::Table { table: request.table_name.clone(), key: request.key.clone() }
        };
        Some(Capture { seen: vec![Seen { change, before: Before::Known(existed), after }], strip })
    }

    fn batch(&mut self, request: &BatchWriteItemRequest) -> Option<Capture> {
        let mut seen = Vec::new();
        for (table, writes) in &request.request_items {
            let schema = self.schema(table)?;
            for write in writes {
                if let Some(put) = &write.put_request {
                    seen.extend(self.put(table, &schema, &put.item, None));
                }
                if let Some(delete) = &write.delete_request {
                    seen.extend(self.delete(table, &schema, &delete.key, None));
                }
            }
        }
        Some(Capture { seen, strip: false })
    }

    fn transaction(&mut self, request: &TransactWriteItemsRequest) -> Capture {
        let mut seen = Vec::new();
        for item in &request.transact_items {
            if let Some(put) = &item.put {
                seen.extend(self.transact_put(put));
            }
            if let Some(update) = &item.update {
                seen.extend(self.transact_update(update));
            }
            if let Some(delete) = &item.delete {
                seen.extend(self.transact_delete(delete));
            }
        }
        Capture { seen, strip: false }
    }

    fn transact_put(&mut self, put: &TransactPut) -> Option<Seen> {
        let schema = self.schema(&put.table_name)?;
        let implied =
            existence::implied(put.condition_expression.as_deref(), put.expression_attribute_names.as_ref(), &schema);
        self.put(&put.table_name, &schema, &put.item, implied)
    }

    fn transact_update(&mut self, update: &TransactUpdate) -> Option<Seen> {
        let (table, key) = (&update.table_name, &update.key);
        let schema = self.schema(table)?;
        let existed = existence::implied(
            update.condition_expression.as_deref(),
            update.expression_attribute_names.as_ref(),
            &schema,
        )
        .unwrap_or_else(|| self.exists(table, key));
        let after = After::Table { table: table.clone(), key: key.clone() };
        let change = Change::of(table, &schema, MODIFY, key)?;
        Some(Seen { change, before: Before::Known(existed), after })
    }

    fn transact_delete(&mut self, delete: &TransactDelete) -> Option<Seen> {
        let schema = self.schema(&delete.table_name)?;
        let implied = existence::implied(
            delete.condition_expression.as_deref(),
            delete.expression_attribute_names.as_ref(),
            &schema,
        );
        self.delete(&delete.table_name, &schema, &delete.key, implied)
    }

    /// `None` for a table that does not exist: the operation is going to fail.
    fn schema(&mut self, table: &str) -> Option<Arc<Schema>> {
        self.schemas.of(self.database, table)
    }

    fn wanted(&self, change: &Change) -> bool {
        self.subscribers.iter().any(|subscriber| subscriber.wants(&change.record))
    }

    fn exists(&self, table: &str, key: &Key) -> bool {
        lookup(self.database, table, key.clone()).is_some()
    }

    /// The change that a put makes, unless nobody wants it under either name.
    fn put_change(&self, table: &str, schema: &Schema, item: &Item) -> Option<Change> {
        let mut change = Change::of(table, schema, INSERT, &schema.key_of(item))?;
        change.set_image(item.clone());
        if self.wanted(&change) {
            return Some(change);
        }
        change.rename(MODIFY);
        self.wanted(&change).then_some(change)
    }

    fn removal(&self, table: &str, schema: &Schema, key: &Key) -> Option<Change> {
        Change::of(table, schema, REMOVE, key).filter(|change| self.wanted(change))
    }

    fn put(&self, table: &str, schema: &Schema, item: &Item, implied: Option<bool>) -> Option<Seen> {
        let change = self.put_change(table, schema, item)?;
        let existed = implied.unwrap_or_else(|| self.exists(table, &schema.key_of(item)));
        Some(Seen { change, before: Before::Known(existed), after: After::Known })
    }

    fn delete(&self, table: &str, schema: &Schema, key: &Key, implied: Option<bool>) -> Option<Seen> {
        let change = self.removal(table, schema, key)?;
        let existed = implied.unwrap_or_else(|| self.exists(table, key));
        Some(Seen { change, before: Before::Known(existed), after: After::Known })
    }
}

/// Asks for attributes in the answer where the caller asked for none; `true` when they have to be taken out again.
fn ask(return_values: &mut Option<String>, wanted: &str) -> bool {
    if matches!(return_values.as_deref(), None | Some("NONE")) {
        *return_values = Some(wanted.to_owned());
        true
    } else {
        false
    }
}
