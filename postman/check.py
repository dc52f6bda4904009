"""Compares the Postman collection with the OpenAPI document: every operation has a request, and every environment the
variables that the collection uses. Prints what is missing."""

import json
import pathlib
import re
import sys

POSTMAN = pathlib.Path(__file__).resolve().parent
COLLECTION = POSTMAN / "tidings.postman_collection.json"
DOCUMENT = POSTMAN.parent / "docs" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")


def requests(items: list):
    for item in items:
        if "request" in item:
            yield item
        yield from requests(item.get("item", []))


def shape(path: str) -> str:
    """A path with every parameter blanked: `/webhook/{jobId}` and `/webhook/{{jobId}}` are the same."""
    return re.sub(r"\{+[^{}]*\}+|job_\w+", "{}", path)


def main() -> int:
    collection = json.loads(COLLECTION.read_text())
    operations = json.loads(DOCUMENT.read_text()).get("paths", {})
    faults = []
    if not operations:
        faults.append("docs/openapi.json has no paths: cargo run -- openapi > docs/openapi.json")
    asked = set()
    for item in requests(collection["item"]):
        request = item["request"]
        asked.add((request["method"], "/" + shape("/".join(request["url"]["path"]))))
        if not any(event["listen"] == "test" for event in item.get("event", [])):
            faults.append(f"the request `{item['name']}` has no test")
    # A literal segment is tried as one before it is taken for a parameter: /providers/gas is /providers/{id}.
    for path, item in operations.items():
        pattern = re.compile(re.sub(r"\\\{\\\}", "[^/]+", re.escape(shape(path))))
        for method in (method.upper() for method in METHODS if method in item):
            if not any(verb == method and pattern.fullmatch(known) for verb, known in asked):
                faults.append(f"no request for {method} {path}: add one, with tests")
    used = set(re.findall(r"\{\{(\w+)\}\}", json.dumps(collection))) - {v["key"] for v in collection["variable"]}
    for path in sorted((POSTMAN / "environments").glob("*.json")):
        environment = {value["key"]: value["value"] for value in json.loads(path.read_text())["values"]}
        missing = (used | {"waitSeconds"}) - {"large"} - environment.keys()
        faults += [f"environments/{path.name} lacks the variable {name}" for name in sorted(missing)]
        if environment.get("token"):
            faults.append(f"environments/{path.name} holds a token; give it with newman --env-var token=...")
    for fault in faults:
        print(f"postman: {fault}")
    if not faults:
        print(f"postman: {len(asked)} routes asked, every operation of docs/openapi.json among them")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
