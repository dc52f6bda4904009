//! Writes with their conditions, in DynamoDB's expression language.

use std::collections::HashMap;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use bytes::Bytes;
use serde::Serialize;
use tidings_domain::Timestamp;

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

/// Bytes as an attribute.
pub(crate) fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

/// Moves bytes out of an item; none if the attribute is not there.
pub(crate) fn take_binary(item: &mut Item, name: &str) -> Bytes {
    match item.remove(name) {
        Some(AttributeValue::B(bytes)) => Bytes::from(bytes.into_inner()),
        _ => Bytes::new(),
    }
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

    /// A write of an item, whatever stands there.
    pub(crate) fn put(&self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&*self.table).set_item(Some(item)).build()?;
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

    /// A write over an item that must be as the condition says. A refusal shows the item.
    pub(crate) fn replace(&self, item: Item, condition: Condition) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&*self.table)
            .set_item(Some(item))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// A deletion of an item that must be as the condition says. A refusal shows the item.
    pub(crate) fn take_when(&self, key: &Key, condition: Condition) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .condition_expression(condition.text)
            .set_expression_attribute_names(Some(condition.names))
            .set_expression_attribute_values(condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Nothing but that an item must be there.
    pub(crate) fn must_stand(&self, key: &Key) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .build()?;
        Ok(TransactWriteItem::builder().condition_check(check).build())
    }

    /// A change of an item that must exist.
    pub(crate) fn change(&self, key: &Key, change: Change) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&*self.table)
            .set_key(Some(key.attributes()))
            .update_expression(change.update_expression())
            .condition_expression(change.condition.text)
            .set_expression_attribute_names(Some(change.condition.names))
            .set_expression_attribute_values(change.condition.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }
}

/// What an item must be like before it is written.
#[derive(Debug)]
pub(crate) struct Condition {
    text: String,
    names: HashMap<String, String>,
    /// `None` rather than empty, which DynamoDB refuses.
    values: Option<HashMap<String, AttributeValue>>,
}

impl Condition {
    /// It exists.
    pub(crate) fn exists() -> Self {
        let names = [("#pk".to_owned(), PK.to_owned())].into();
        Self { text: "attribute_exists(#pk)".to_owned(), names, values: None }
    }

    /// And an attribute has this value, or is not there.
    pub(crate) fn and(mut self, name: &str, value: Option<AttributeValue>) -> Self {
        self.text = match value {
            Some(value) => {
                self.value(format!(":{name}_before"), value);
                format!("{} AND #{name} = :{name}_before", self.text)
            }
            None => format!("{} AND attribute_not_exists(#{name})", self.text),
        };
        self.name(name);
        self
    }

    /// And an attribute has a lower value than this.
    pub(crate) fn and_below(mut self, name: &str, value: AttributeValue) -> Self {
        self.value(format!(":{name}_limit"), value);
        self.text = format!("{} AND #{name} < :{name}_limit", self.text);
        self.name(name);
        self
    }

    /// And an attribute has a higher value than this.
    pub(crate) fn and_above(mut self, name: &str, value: AttributeValue) -> Self {
        self.value(format!(":{name}_least"), value);
        self.text = format!("{} AND #{name} > :{name}_least", self.text);
        self.name(name);
        self
    }

    /// And nobody changed it since `before`. A change that is no later is refused: two could not be told apart.
    pub(crate) fn and_unchanged(self, before: Timestamp, after: Timestamp) -> Self {
        self.and("updated_at", Some(n(before.as_millis()))).and_below("updated_at", n(after.as_millis()))
    }

    fn name(&mut self, name: &str) {
        self.names.insert(format!("#{name}"), name.to_owned());
    }

    fn value(&mut self, name: String, value: AttributeValue) {
        self.values.get_or_insert_default().insert(name, value);
    }
}

/// What to change of an existing item.
#[derive(Debug)]
pub(crate) struct Change {
    adds: Vec<String>,
    sets: Vec<String>,
    removes: Vec<String>,
    condition: Condition,
}

impl Change {
    /// Nothing yet, of an item that exists.
    pub(crate) fn new() -> Self {
        Self { adds: Vec::new(), sets: Vec::new(), removes: Vec::new(), condition: Condition::exists() }
    }

    /// Adds to a number.
    pub(crate) fn add(mut self, name: &str, number: i64) -> Self {
        self.adds.push(format!("#{name} :{name}"));
        self.condition.value(format!(":{name}"), n(number));
        self.condition.name(name);
        self
    }

    /// Gives an attribute a value.
    pub(crate) fn set(mut self, name: &str, value: AttributeValue) -> Self {
        self.sets.push(format!("#{name} = :{name}"));
        self.condition.value(format!(":{name}"), value);
        self.condition.name(name);
        self
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
        self.condition.name(name);
        self
    }

    /// Only if an attribute has this value before the change.
    pub(crate) fn only_if(mut self, name: &str, value: AttributeValue) -> Self {
        self.condition = self.condition.and(name, Some(value));
        self
    }

    /// Only if an attribute has a higher value than this before the change.
    pub(crate) fn only_above(mut self, name: &str, number: i64) -> Self {
        self.condition = self.condition.and_above(name, n(number));
        self
    }

    /// Only if an attribute is not there before the change.
    pub(crate) fn only_without(mut self, name: &str) -> Self {
        self.condition = self.condition.and(name, None);
        self
    }

    /// The `ADD`, `SET` and `REMOVE` clauses.
    pub(crate) fn update_expression(&self) -> String {
        let clauses = [("ADD", &self.adds), ("SET", &self.sets), ("REMOVE", &self.removes)];
        let clauses = clauses.iter().filter(|(_, parts)| !parts.is_empty());
        clauses.map(|(verb, parts)| format!("{verb} {}", parts.join(", "))).collect::<Vec<_>>().join(" ")
    }

    /// The condition, names and values, for a single update.
    pub(crate) fn into_parts(self) -> (String, HashMap<String, String>, HashMap<String, AttributeValue>) {
        let Condition { text, names, values } = self.condition;
        (text, names, values.unwrap_or_default())
    }
}
