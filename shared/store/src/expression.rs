//! Writes with their conditions, in DynamoDB's expression language.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use serde::Serialize;

use crate::keys::{Key, PK};
use crate::{Store, StoreError};

/// An item as the SDK has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A text attribute.
pub(crate) fn s(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn n(value: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}

/// A stored shape as the SDK's item.
pub(crate) fn item<T: Serialize>(shape: &T) -> Item {
    serde_dynamo::to_item(shape).expect("stored shapes are structs of texts, numbers and lists")
}

impl Store {
    /// A write of an item that must not exist yet.
    pub(crate) fn create(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&*self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A deletion of an item that must exist.
    pub(crate) fn take(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// A change of an item that must exist.
    pub(crate) fn change(&self, key: &Key, change: Change) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .update_expression(change.update_expression())
            .condition_expression(change.condition)
            .set_expression_attribute_names(Some(change.names))
            .set_expression_attribute_values(Some(change.values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// What to change of an existing item.
#[derive(Debug)]
pub(crate) struct Change {
    sets: Vec<String>,
    removes: Vec<String>,
    condition: String,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Change {
    /// Nothing yet, of an item that exists.
    pub(crate) fn new() -> Self {
        Self {
            sets: Vec::new(),
            removes: Vec::new(),
            condition: "attribute_exists(#pk)".to_owned(),
            names: [("#pk".to_owned(), PK.to_owned())].into(),
            values: HashMap::new(),
        }
    }

    /// Gives an attribute a value.
    pub(crate) fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = :{name}"));
        self.values.insert(format!(":{name}"), value);
        self.name(name)
    }

    /// Gives an attribute a value, or takes it away.
    pub(crate) fn set_or_remove(self, name: &str, value: Option<AttributeValue>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self.remove(name),
        }
    }

    /// Takes an attribute away.
    pub(crate) fn remove(mut self, name: &str) -> Self {
        self.removes.push(format!("#{name}"));
        self.name(name)
    }

    /// Only if an attribute has this value before the change.
    pub(crate) fn only_if(mut self, name: &str, value: AttributeValue) -> Self {
        self.condition = format!("{} AND #{name} = :{name}_before", self.condition);
        self.values.insert(format!(":{name}_before"), value);
        self.name(name)
    }

    fn name(mut self, name: &str) -> Self {
        self.names.insert(format!("#{name}"), name.to_owned());
        self
    }

    /// The `SET` and `REMOVE` clauses.
    pub(crate) fn update_expression(&self) -> String {
        let clauses = [("SET", &self.sets), ("REMOVE", &self.removes)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect::<Vec<_>>().join(" ")
    }

    /// The condition, names and values, for a single update.
    pub(crate) fn into_parts(self) -> (String, HashMap<String, String>, HashMap<String, AttributeValue>) {
        (self.condition, self.names, self.values)
    }
}
