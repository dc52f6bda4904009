//! The table that a stack has, and the one that the local service and the tests make for themselves, are the same.

use std::path::Path;

use aws_sdk_dynamodb::types::KeySchemaElement;
use saphyr::{LoadableYamlNode as _, Yaml};
use tidings_store::keys::TTL;

use crate::support::store;

/// What makes a table the same: names, types and order of its keys, indexes with what they hold, billing, expiry.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    billing: String,
    attributes: Vec<Vec<String>>,
    keys: Vec<Vec<String>>,
    indexes: Vec<(String, Vec<Vec<String>>, String)>,
    expiry: String,
}

#[tokio::test]
async fn the_template_declares_the_table_that_the_code_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let template = std::fs::read_to_string(path).unwrap();
    let template = Yaml::load_from_str(&template).unwrap();
    let declared = &template[0]["Resources"]["Table"]["Properties"];
    assert_eq!(from_template(declared), from_code().await);
}

#[test]
fn the_template_protects_the_table_and_streams_its_new_images() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
    let template = std::fs::read_to_string(path).unwrap();
    let template = Yaml::load_from_str(&template).unwrap();
    let table = &template[0]["Resources"]["Table"];
    let own = &table["Properties"];
    assert_eq!((text(&table["DeletionPolicy"]), text(&table["UpdateReplacePolicy"])), ("Retain", "Retain"));
    assert_eq!(text(&own["StreamSpecification"]["StreamViewType"]), "NEW_IMAGE");
    assert_eq!(own["DeletionProtectionEnabled"].as_bool(), Some(true));
    assert_eq!(own["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"].as_bool(), Some(true));
    assert_eq!(own["TimeToLiveSpecification"]["Enabled"].as_bool(), Some(true));
}

fn from_template(own: &Yaml<'_>) -> Shape {
    let rows = |list: &Yaml<'_>, names: [&str; 2]| -> Vec<Vec<String>> {
        list.as_vec().unwrap().iter().map(|row| names.map(|name| text(&row[name]).to_owned()).to_vec()).collect()
    };
    let keys = |list: &Yaml<'_>| rows(list, ["AttributeName", "KeyType"]);
    let indexes = own["GlobalSecondaryIndexes"].as_vec().unwrap().iter().map(|index| {
        let projection = text(&index["Projection"]["ProjectionType"]).to_owned();
        (text(&index["IndexName"]).to_owned(), keys(&index["KeySchema"]), projection)
    });
    Shape {
        billing: text(&own["BillingMode"]).to_owned(),
        attributes: sorted(rows(&own["AttributeDefinitions"], ["AttributeName", "AttributeType"])),
        keys: keys(&own["KeySchema"]),
        indexes: indexes.collect(),
        expiry: text(&own["TimeToLiveSpecification"]["AttributeName"]).to_owned(),
    }
}

async fn from_code() -> Shape {
    let table = store().await.describe_table().await.unwrap().unwrap();
    let keys = |schema: &[KeySchemaElement]| -> Vec<Vec<String>> {
        schema.iter().map(|key| vec![key.attribute_name.clone(), key.key_type.as_str().to_owned()]).collect()
    };
    let attributes = table.attribute_definitions().iter();
    let attributes = attributes
        .map(|attribute| vec![attribute.attribute_name.clone(), attribute.attribute_type.as_str().to_owned()])
        .collect();
    let indexes = table.global_secondary_indexes().iter().map(|index| {
        let projection = index.projection().unwrap().projection_type().unwrap().as_str().to_owned();
        (index.index_name().unwrap().to_owned(), keys(index.key_schema()), projection)
    });
    Shape {
        billing: table.billing_mode_summary().unwrap().billing_mode().unwrap().as_str().to_owned(),
        attributes: sorted(attributes),
        keys: keys(table.key_schema()),
        indexes: indexes.collect(),
        expiry: TTL.to_owned(),
    }
}

fn text<'a>(node: &'a Yaml<'_>) -> &'a str {
    node.as_str().unwrap()
}

fn sorted(mut rows: Vec<Vec<String>>) -> Vec<Vec<String>> {
    rows.sort();
    rows
}
