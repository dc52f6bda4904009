//! Our documents describe at least what the outbound API's contract does: whoever speaks the contract is understood, and
//! understands what is answered. `contract.json` is the contract's facts in the form of an OpenAPI document.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::documents::documents;

/// Operations of the contract that are not built yet. It may only shrink: what is built has to leave it.
const NOT_BUILT: &[&str] = &[];

/// Bounds on what is accepted: whether the contract's is a lower one, which ours must not be above.
const BOUNDS: [(&str, bool); 6] = [
    ("minimum", true),
    ("minLength", true),
    ("minItems", true),
    ("maximum", false),
    ("maxLength", false),
    ("maxItems", false),
];

const METHODS: [&str; 6] = ["get", "put", "post", "delete", "patch", "head"];

fn contract() -> Value {
    serde_json::from_str(include_str!("contract.json")).unwrap()
}

/// A value of a document, and the document for what it refers to.
#[derive(Clone, Copy)]
struct Part<'a> {
    document: &'a Value,
    value: &'a Value,
}

/// Which way the data goes.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    In,
    Out,
}

impl<'a> Part<'a> {
    fn get(self, name: &str) -> Option<Self> {
        self.value.get(name).map(|value| Self { value, ..self })
    }

    fn list(self, name: &str) -> impl Iterator<Item = Self> {
        self.value[name].as_array().into_iter().flatten().map(move |value| Self { value, ..self })
    }

    fn texts(self, name: &str) -> BTreeSet<&'a str> {
        self.value[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// What it is, or refers to, null aside; several for a choice.
    fn variants(self) -> Vec<Self> {
        if let Some(reference) = self.value["$ref"].as_str() {
            let value = self.document.pointer(reference.strip_prefix('#').unwrap()).expect(reference);
            return Self { value, ..self }.variants();
        }
        let choice: Vec<_> = ["oneOf", "anyOf"].into_iter().flat_map(|name| self.list(name)).collect();
        if choice.is_empty() {
            return if self.value["type"] == "null" { Vec::new() } else { vec![self] };
        }
        choice.into_iter().flat_map(Self::variants).collect()
    }

    fn nullable(self) -> bool {
        let kind = &self.value["type"];
        let referred = self.value["$ref"].as_str().and_then(|reference| self.document.pointer(&reference[1..]));
        self.value["nullable"] == true
            || kind == "null"
            || kind.as_array().is_some_and(|kinds| kinds.contains(&json!("null")))
            || ["oneOf", "anyOf"].into_iter().flat_map(|name| self.list(name)).any(Self::nullable)
            || referred.is_some_and(|value| Self { value, ..self }.nullable())
    }

    /// What the first of its layers says that says anything.
    fn fact(self, name: &str) -> &'a Value {
        self.layers().into_iter().find_map(|layer| layer.value.get(name)).unwrap_or(&Value::Null)
    }

    /// Its type, null aside. A list of texts needs none to be one.
    fn kind(self) -> Option<&'a str> {
        let kind = self.fact("type");
        let first = || kind.as_array()?.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
        let listed = || self.fact("enum").as_array()?.iter().all(Value::is_string).then_some("string");
        kind.as_str().or_else(first).or_else(listed)
    }

    /// The objects that it is put together from, itself among them.
    fn layers(self) -> Vec<Self> {
        let below = self.list("allOf").flat_map(Self::variants).flat_map(Self::layers);
        std::iter::once(self).chain(below).collect()
    }

    fn property(self, name: &str) -> Option<Self> {
        self.layers().into_iter().find_map(|layer| layer.get("properties")?.get(name))
    }

    fn required(self) -> BTreeSet<&'a str> {
        self.layers().into_iter().flat_map(|layer| layer.texts("required")).collect()
    }
}

/// What keeps `ours` from standing where `theirs` is expected, a line each.
fn compare(way: Way, at: &str, theirs: Part<'_>, ours: Part<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    match way {
        Way::In if theirs.nullable() && !ours.nullable() => lines.push(format!("{at}: takes no null")),
        Way::Out if ours.nullable() && !theirs.nullable() => lines.push(format!("{at}: may be null")),
        Way::In | Way::Out => {}
    }
    let theirs = theirs.variants();
    let [theirs] = theirs[..] else { panic!("{at}: the contract has no choices") };
    let attempts = ours.variants().into_iter().map(|ours| compare_one(way, at, theirs, ours));
    let nearest = attempts.min_by_key(Vec::len);
    lines.extend(nearest.unwrap_or_else(|| vec![format!("{at}: is always null")]));
    lines
}

fn compare_one(way: Way, at: &str, theirs: Part<'_>, ours: Part<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut differ = |what: &str, theirs: &Value, ours: &Value| {
        lines.push(format!("{at}: {what} is {ours} and not {theirs}"));
    };
    if theirs.kind() != ours.kind() {
        differ("type", &json!(theirs.kind()), &json!(ours.kind()));
        return lines;
    }
    for name in ["format", "pattern", "default", "uniqueItems"] {
        let (theirs, ours) = (theirs.fact(name), ours.fact(name));
        // Ours may leave out what only narrows: it takes more then. A time must be called one.
        let told = !ours.is_null() || (name == "format" && theirs == "date-time");
        if !theirs.is_null() && told && theirs != ours {
            differ(name, theirs, ours);
        }
    }
    for (name, lower) in BOUNDS {
        let (theirs, ours) = (theirs.fact(name), ours.fact(name));
        let (Some(their), Some(our)) = (theirs.as_f64(), ours.as_f64()) else { continue };
        if way == Way::In && if lower { our > their } else { our < their } {
            differ(name, theirs, ours);
        }
    }
    if let (Some(their), Some(our)) = (theirs.fact("enum").as_array(), ours.fact("enum").as_array()) {
        let (all, of) = if way == Way::In { (their, our) } else { (our, their) };
        if !all.iter().filter(|value| !value.is_null()).all(|value| of.contains(value)) {
            differ("enum", theirs.fact("enum"), ours.fact("enum"));
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(theirs) = theirs.get(inner) {
            let inside = format!("{at}[]");
            lines.extend(match ours.get(inner) {
                Some(ours) if ours.value.is_object() => compare(way, &inside, theirs, ours),
                _ => vec![format!("{inside}: is not described")],
            });
        }
    }
    for (name, value) in theirs.value["properties"].as_object().into_iter().flatten() {
        let inside = format!("{at}.{name}");
        lines.extend(match ours.property(name) {
            Some(ours) => compare(way, &inside, Part { value, ..theirs }, ours),
            None => vec![format!("{inside}: is not there")],
        });
    }
    let (their, our) = (theirs.required(), ours.required());
    let (all, of) = if way == Way::In { (our, their) } else { (their, our) };
    let word = if way == Way::In { "is required" } else { "is not required" };
    lines.extend(all.difference(&of).map(|name| format!("{at}.{name}: {word}")));
    lines
}

fn schema(part: Part<'_>) -> Option<Part<'_>> {
    part.get("content")?.get("application/json")?.get("schema")
}

/// What keeps our operation from being the contract's, a line each.
fn compare_operations(at: &str, theirs: Part<'_>, ours: Part<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(id) = theirs.value["operationId"].as_str().filter(|id| ours.value["operationId"] != *id) {
        lines.push(format!("{at}: its id is {} and not {id}", ours.value["operationId"]));
    }
    let same = |left: &Value, right: &Value| {
        let name = |one: &Value| one["name"].as_str().unwrap().to_lowercase();
        left["in"] == right["in"] && name(left) == name(right)
    };
    for parameter in theirs.list("parameters") {
        let inside = format!("{at} {}", parameter.value["name"].as_str().unwrap());
        let Some(own) = ours.list("parameters").find(|own| same(own.value, parameter.value)) else {
            lines.push(format!("{inside}: is not there"));
            continue;
        };
        if own.value["required"] == true && parameter.value["required"] != true {
            lines.push(format!("{inside}: is required"));
        }
        // No query has a null: left out is all that there is.
        let their = parameter.get("schema").unwrap();
        let mut their_value = their.value.clone();
        their_value.as_object_mut().unwrap().remove("nullable");
        let their = Part { value: &their_value, ..their };
        lines.extend(compare(Way::In, &inside, their, own.get("schema").unwrap()));
    }
    if let Some(body) = theirs.get("requestBody") {
        let own = ours.get("requestBody").and_then(schema);
        let inside = format!("{at} body");
        lines.extend(match own {
            Some(own) => compare(Way::In, &inside, schema(body).unwrap(), own),
            None => vec![format!("{inside}: is not described")],
        });
    }
    for (status, response) in theirs.value["responses"].as_object().unwrap() {
        let inside = format!("{at} {status}");
        let Some(own) = ours.get("responses").unwrap().get(status) else {
            lines.push(format!("{inside}: is not described"));
            continue;
        };
        let Some(their) = schema(Part { value: response, ..theirs }) else { continue };
        lines.extend(match schema(own) {
            Some(own) => compare(Way::Out, &inside, their, own),
            None => vec![format!("{inside}: has no body")],
        });
    }
    // The contract lists all errors at every operation, those that take no credential too.
    if ours.value["security"].as_array().is_some_and(|schemes| !schemes.is_empty()) {
        let missing = theirs.texts("errors").into_iter().filter(|status| ours.value["responses"][*status].is_null());
        lines.extend(missing.map(|status| format!("{at} {status}: is not described")));
    }
    lines
}

fn operations(document: &Value) -> impl Iterator<Item = (String, Part<'_>)> {
    document["paths"].as_object().unwrap().iter().flat_map(move |(path, item)| {
        METHODS.into_iter().filter_map(move |method| {
            let value = item.get(method)?;
            Some((format!("{} {path}", method.to_uppercase()), Part { document, value }))
        })
    })
}

/// All differences, and the operations of the contract that no document has.
fn differences(contract: &Value, documents: &[Value]) -> (Vec<String>, BTreeSet<String>) {
    let (mut lines, mut missing) = (Vec::new(), BTreeSet::new());
    for (name, theirs) in operations(contract) {
        // Where GET is answered, HEAD is.
        let sought = name.replace("HEAD ", "GET ");
        match documents.iter().flat_map(operations).find(|(name, _)| *name == sought) {
            Some((_, ours)) if name == sought => lines.extend(compare_operations(&name, theirs, ours)),
            Some(_) => {}
            None => {
                missing.insert(name);
            }
        }
    }
    (lines, missing)
}

#[test]
fn what_the_contract_describes_is_described_by_us() {
    let (lines, missing) = differences(&contract(), &documents());
    let allowed: BTreeSet<String> = NOT_BUILT.iter().map(ToString::to_string).collect();
    let missing: Vec<_> = missing.difference(&allowed).map(|name| format!("{name}: is not there")).collect();
    assert!(lines.is_empty() && missing.is_empty(), "\n{}", [lines, missing].concat().join("\n"));
}

#[test]
fn the_list_of_what_is_not_built_only_shrinks() {
    let (_, missing) = differences(&contract(), &documents());
    let built: Vec<_> = NOT_BUILT.iter().filter(|name| !missing.contains(**name)).collect();
    assert!(built.is_empty(), "is built, or was never in the contract: {built:#?}");
}

#[test]
fn a_difference_is_found() {
    let contract = contract();
    assert_eq!(differences(&contract, std::slice::from_ref(&contract)), (Vec::new(), BTreeSet::new()));
    let application = "/components/schemas/ApplicationIn";
    let answer = "/components/schemas/ApplicationOut";
    let create = "/paths/~1api~1v1~1app/post";
    for (at, name, value, expected) in [
        (create, "operationId", json!("x"), "POST /api/v1/app: its id is \"x\" and not v1.application.create"),
        (create, "parameters", json!([]), "POST /api/v1/app get_if_exists: is not there"),
        (create, "requestBody", json!(null), "POST /api/v1/app body: is not described"),
        (create, "responses", json!({"200": {}}), "POST /api/v1/app 201: is not described"),
        (application, "required", json!(["name", "uid"]), "POST /api/v1/app body.uid: is required"),
        (application, "type", json!("array"), "POST /api/v1/app body: type is \"array\" and not \"object\""),
        (answer, "required", json!([]), "POST /api/v1/app 201.id: is not required"),
        (answer, "properties", json!({}), "GET /api/v1/app 200.data[].createdAt: is not there"),
        (answer, "nullable", json!(true), "POST /api/v1/app 201: may be null"),
    ] {
        let mut ours = contract.clone();
        ours.pointer_mut(at).unwrap()[name] = value;
        let (lines, _) = differences(&contract, &[ours]);
        assert!(lines.iter().any(|line| line == expected), "{expected}\n{}", lines.join("\n"));
    }
    let uid = "/components/schemas/ApplicationIn/properties/uid";
    for (name, value) in [("pattern", json!("^a$")), ("maxLength", json!(255)), ("nullable", json!(false))] {
        let mut ours = contract.clone();
        ours.pointer_mut(uid).unwrap()[name] = value;
        assert!(!differences(&contract, &[ours]).0.is_empty(), "{name}");
    }
}
