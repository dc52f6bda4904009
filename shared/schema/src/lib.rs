//! Payloads checked against the JSON schema of their event type.
//!
//! A schema is its organization's own text, and must not make this service do more than compare: nothing is fetched
//! (a reference leads somewhere in the same schema, or the schema is refused), patterns run on an engine that takes
//! linear time, and what is wrong with a payload is said without repeating it.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;
use tidings_http::{Fault, FaultKind, MAX_FAULTS};

/// Most bytes of a compiled pattern: `(a{1000}){1000}` is short to write.
const MAX_PATTERN_BYTES: usize = 1024 * 1024;

/// Longest part of the library's text that is given on, in characters.
const MAX_TEXT_CHARS: usize = 500;

/// A schema that payloads can be checked against. Compiling costs more than checking: who checks often keeps it.
#[derive(Debug)]
pub struct PayloadSchema(Validator);

/// A JSON value is no schema. The text is fit for the one who gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a JSON schema that can be checked against: {0}")]
pub struct SchemaError(String);

impl PayloadSchema {
    /// A schema of the draft that its `$schema` names, or of the newest.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        let patterns = PatternOptions::regex().size_limit(MAX_PATTERN_BYTES);
        let options = jsonschema::options().offline().with_pattern_options(patterns);
        options.build(schema).map(Self).map_err(|error| SchemaError(shortened(error.masked().to_string())))
    }

    /// Everything that is wrong with a payload, each with its way from the payload.
    pub fn faults(&self, payload: &Value) -> Vec<Fault> {
        let errors = self.0.iter_errors(payload).take(MAX_FAULTS);
        let fault = |error: jsonschema::ValidationError<'_>| {
            let way: Vec<String> = error.instance_path().segments().map(|segment| segment.to_string()).collect();
            let fault = Fault::new(FaultKind::Value, shortened(error.masked().to_string()));
            way.into_iter().rev().fold(fault, Fault::within)
        };
        errors.map(fault).collect()
    }
}

/// Everything that is wrong with a payload by a schema.
pub fn validate(schema: &Value, payload: &Value) -> Result<Vec<Fault>, SchemaError> {
    Ok(PayloadSchema::compile(schema)?.faults(payload))
}

fn shortened(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(schema: &Value, payload: &Value) -> Vec<Value> {
        let faults = validate(schema, payload).unwrap_or_else(|error| panic!("{error}"));
        faults.iter().map(|fault| serde_json::to_value(fault).unwrap()).collect()
    }

    #[test]
    fn every_fault_is_told_with_its_way_and_without_the_payload() {
        let schema = json!({
            "type": "object",
            "properties": {"id": {"type": "integer"}, "lines": {"items": {"required": ["sku"]}}},
            "required": ["id"],
        });
        assert_eq!(faults(&schema, &json!({"id": 1, "lines": [{"sku": "a"}]})), Vec::<Value>::new());
        let told = faults(&schema, &json!({"id": "hunter2", "lines": [{"sku": 1}, {"name": "hunter2"}]}));
        let ways: Vec<_> = told.iter().map(|fault| fault["loc"].clone()).collect();
        assert_eq!(ways, [json!(["id"]), json!(["lines", "1"])]);
        assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
    }

    #[test]
    fn a_schema_that_is_none_or_leads_elsewhere_is_refused() {
        for schema in [
            json!({"type": "strng"}),
            json!({"properties": 7}),
            json!({"$ref": "https://example.com/schema.json"}),
            json!({"$ref": "file:///etc/passwd"}),
            json!({"$ref": "#/$defs/nowhere"}),
            json!({"$schema": "https://example.com/a-draft-of-mine"}),
            json!({"pattern": "("}),
            json!({"pattern": "(a{1000}){1000}"}),
        ] {
            let error = PayloadSchema::compile(&schema).expect_err(&schema.to_string());
            assert!(error.to_string().len() < 700, "{error}");
        }
    }

    #[test]
    fn a_schema_that_leads_back_to_itself_ends() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
            json!({"properties": {"inner": {"$ref": "#"}}}),
        ] {
            // Refused or not, it must come back.
            let _ = validate(&schema, &json!({"inner": {"inner": {}}}));
        }
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        let schema = json!({"properties": {"name": {"pattern": "^(a+)+$"}}});
        assert_eq!(faults(&schema, &json!({"name": format!("{}!", "a".repeat(100_000))})).len(), 1);
    }

    #[test]
    fn no_more_faults_are_told_than_an_answer_lists() {
        let payload = json!(vec![1; 10 * MAX_FAULTS]);
        assert_eq!(faults(&json!({"items": {"type": "string"}}), &payload).len(), MAX_FAULTS);
    }
}
