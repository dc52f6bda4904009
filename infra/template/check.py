"""What no linter knows about template.yaml: the project's own rules. Prints every fault, and how to mend it."""

import hashlib
import json
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (!Ref, !Sub, ...) as their long ones."""


def _intrinsic(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


class Template:
    def __init__(self, path: pathlib.Path):
        self.document = yaml.load(path.read_text(), _Loader)
        self.resources = self.document["Resources"]

    def of_type(self, kind: str) -> dict:
        return {name: item for name, item in self.resources.items() if item["Type"] == kind}

    def properties(self, name: str) -> dict:
        return self.resources.get(name, {}).get("Properties", {})


def functions(template: Template):
    """One name everywhere: folder, binary, logical id; and all that belongs to a function is there."""
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/Cargo.toml")}
    declared = template.of_type("AWS::Serverless::Function")
    for folder in sorted(folders):
        if f"{folder.capitalize()}Function" not in declared:
            yield f"functions/{folder} is not in the template: add {folder.capitalize()}Function"
    for name, item in declared.items():
        stem = name.removesuffix("Function")
        folder, own = stem.lower(), item["Properties"]
        expected = {
            "folder": (folder in folders, f"there is no functions/{folder}"),
            "code": (own["CodeUri"] == f"functions/{folder}", f"CodeUri is not functions/{folder}"),
            "binary": (item["Metadata"] == {"BuildMethod": "rust-cargolambda", "BuildProperties": {"Binary": folder}},
                       f"is not built by rust-cargolambda from the binary {folder}"),
            "role": (own["Role"] == {"Fn::GetAtt": [f"{stem}Role", "Arn"]}, f"does not run as {stem}Role"),
            "logs": (own["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": f"{stem}LogGroup"}},
                     f"does not log JSON to {stem}LogGroup"),
            "retention": ("RetentionInDays" in template.properties(f"{stem}LogGroup"),
                          f"{stem}LogGroup keeps its logs for ever"),
            "alarms": (all(f"{stem}{metric}Alarm" in template.resources for metric in ("Errors", "Throttles")),
                       f"lacks {stem}ErrorsAlarm or {stem}ThrottlesAlarm"),
        }
        yield from (f"{name}: {fault}" for holds, fault in expected.values() if not holds)


def secrets(template: Template):
    """A secret comes from Secrets Manager, never from a parameter."""
    for name, item in template.of_type("AWS::Serverless::Function").items():
        variables = item["Properties"]["Environment"]["Variables"]
        for secret in ("TIDINGS_JWT_SECRET", "TIDINGS_ENCRYPTION_KEY"):
            value = variables.get(secret)
            if value and json.dumps(value).count("{{resolve:secretsmanager:") != 2:
                yield f"{name}: {secret} is not a dynamic reference"
        # The stack cannot make this one: without it, it is not set.
        value = variables.get("SVIX_AUTH_TOKEN")
        if value and not (json.dumps(value).count("{{resolve:secretsmanager:") == 1 and "AWS::NoValue" in json.dumps(value)):
            yield f"{name}: SVIX_AUTH_TOKEN is neither a dynamic reference nor left out"
        # A function that links the vault opens what is sealed, and no other gets the key.
        folder = name.removesuffix("Function").lower()
        manifest = (ROOT / "functions" / folder / "Cargo.toml").read_text()
        dependencies = manifest.partition("[dependencies]")[2].partition("\n[")[0]
        if ("tidings-vault" in dependencies) != ("TIDINGS_ENCRYPTION_KEY" in variables):
            yield f"{name}: TIDINGS_ENCRYPTION_KEY is for those who open what is sealed, and for nobody else"


def permissions(template: Template):
    """Nobody may do everything, nor anything to everything."""
    for name, item in template.of_type("AWS::IAM::Role").items():
        if "ManagedPolicyArns" in item["Properties"]:
            yield f"{name}: managed policies grant more than is needed; write what the function does"
        for statement in _statements(item):
            actions, resource = statement["Action"], statement["Resource"]
            if resource == "*" or any("*" in action for action in actions):
                yield f"{name}: {actions} on {resource} is too wide"


def _statements(role: dict):
    for policy in role["Properties"]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            # One that stands under a condition.
            yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def durability(template: Template):
    table = template.resources["Table"]
    own = table["Properties"]
    kept = table.get("DeletionPolicy") == table.get("UpdateReplacePolicy") == "Retain"
    if not (kept and own.get("DeletionProtectionEnabled")):
        yield "Table: can be deleted with the stack"
    if not own.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
        yield "Table: cannot be recovered to a point in time"


def lanes(template: Template):
    mappings = template.of_type("AWS::Lambda::EventSourceMapping")
    for name, item in mappings.items():
        mapping = item["Properties"]
        if mapping.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
            yield f"{name}: one bad record would fail its whole batch: ReportBatchItemFailures"
        if mapping.get("BisectBatchOnFunctionError") is not True:
            yield f"{name}: one record that crashes the function would take its batch along: BisectBatchOnFunctionError"
        if "OnFailure" not in mapping.get("DestinationConfig", {}) or mapping.get("MaximumRetryAttempts", -1) < 0:
            yield f"{name}: a failing batch would block its shard for a day: MaximumRetryAttempts, OnFailure"
        if not mapping.get("FilterCriteria", {}).get("Filters"):
            yield f"{name}: every write would start the function, and be paid for: FilterCriteria"
    if len(mappings) > 2:
        yield f"a shard of the stream takes two readers, and there are {len(mappings)}: {' '.join(mappings)}"
    inputs = [json.loads(target["Input"]) for target in template.properties("Schedule")["Targets"]]
    if inputs != [{"share": share, "of": len(inputs)} for share in range(len(inputs))]:
        yield f"Schedule: the shares of its targets do not cover the agenda exactly once: {inputs}"
    if template.document["Parameters"]["GeneratorState"]["Default"] != "DISABLED":
        yield "GeneratorState: nobody asked for made-up orders yet"


def hygiene(template: Template):
    """Senders' bodies and credentials are not logged, and what an alarm watches is told by somebody."""
    for name, item in template.resources.items():
        if '"DataTraceEnabled": true' in json.dumps(item.get("Properties", {})):
            yield f"{name}: DataTraceEnabled logs whole requests, credentials and bodies among them"
    sources = "".join(path.read_text() for path in (ROOT / "functions").glob("*/src/**/*.rs"))
    for name, item in template.of_type("AWS::CloudWatch::Alarm").items():
        own = item["Properties"]
        if own.get("Namespace") == "Tidings" and f'"{own["MetricName"]}"' not in sources:
            yield f"{name}: no function emits {own['MetricName']}"


def doors(template: Template):
    """Both front doors lead to the same functions."""
    for http_api, rest_api in (("HttpApi", "RestApi"), ("ProvidersHttpApi", "ProvidersRestApi")):
        http, rest = _http_routes(template, http_api), _rest_routes(template, rest_api)
        fallback = http.pop("$default", None)
        if missing := set(http.items()) - set(rest.items()):
            yield f"{rest_api} lacks routes of {http_api}: {sorted(missing)}"
        if extra := {(route, name) for route, name in rest.items() if route not in http and name != fallback}:
            yield f"{http_api} lacks routes of {rest_api}: {sorted(extra)}"
        if rest.get("ANY /{proxy+}") != fallback:
            yield f"{rest_api}: ANY /{{proxy+}} does not lead to {fallback}, as $default of {http_api} does"
        # A resource hides the {proxy+} beside it from its own path.
        with_any = {route.removeprefix("ANY ") for route in rest if route.startswith("ANY ")}
        if dead := _rest_paths(template, rest_api) - with_any:
            yield f"{rest_api}: only some methods of {sorted(dead)} lead anywhere: add ANY"
        yield from _deployment(template, rest_api)


def owners(template: Template):
    """The front door brings each route to the function that has it; what is nobody else's is api's."""
    routes = _http_routes(template, "HttpApi")
    for name in sorted(set(routes.values()) - {routes["$default"]}):
        folder = ROOT / "functions" / name.removesuffix("Function").lower() / "src"
        source = "".join(path.read_text() for path in sorted(folder.glob("**/*.rs")))
        described = {_shape(f"{method.upper()} {path}") for method, path in re.findall(r'(\w+),\s*path = "([^"]+)"', source)}
        declared = {_shape(route) for route, function in routes.items() if function == name}
        yield from (f"{name}: {route} is described in its code and leads to api" for route in sorted(described - declared))
        yield from (f"{name}: {route} leads to it, and is not described in its code" for route in sorted(declared - described))


def live(template: Template):
    """Live updates: all that starts their function is there, or nothing; it takes every frame, and what it wants."""
    for name, item in template.resources.items():
        starts = json.dumps(item["Properties"]).count("WebSocketApi") or item["Type"] == "AWS::Lambda::EventSourceMapping"
        own = name.startswith("WebSocket") or (name.startswith("Realtime") and starts)
        kept = item["Type"] in ("AWS::Serverless::Function", "AWS::IAM::Role")
        if (own and not kept) != (item.get("Condition") == "IsLive"):
            yield f"{name}: is a part of live updates without their condition, IsLive; or has it and is none"
    filters = template.properties("RealtimeMapping")["FilterCriteria"]["Filters"]
    changes = [json.loads(one["Pattern"])["dynamodb"] for one in filters]
    keys = {(key, rule["prefix"]) for change in changes for key, value in change.get("Keys", {}).items() for rule in value["S"]}
    source = (ROOT / "functions/realtime/src/announcement.rs").read_text()
    wanted = set(re.findall(r'starts_with\(&record\.change\.keys, "(\w+)", "([^"]+)"\)', source))
    if keys != wanted:
        yield f"RealtimeMapping: its filter is for keys that begin with {sorted(keys)}, and realtime wants {sorted(wanted)}"
    routes = _http_routes(template, "WebSocketApi")
    if routes != dict.fromkeys(("$connect", "$disconnect", "$default"), "RealtimeFunction"):
        yield f"WebSocketApi: its routes are {routes}"
    for name, item in template.of_type("AWS::IAM::Role").items():
        for statement in _statements(item):
            scoped = "${WebSocketApi}/live/*/@connections/*" in json.dumps(statement["Resource"])
            if ("execute-api:ManageConnections" in statement["Action"]) != scoped or (scoped and name != "RealtimeRole"):
                yield f"{name}: only realtime may post to connections, and only to those of WebSocketApi"


def _shape(route: str) -> str:
    """A route, whatever its parameters are called."""
    return re.sub(r"\{\w+\}", "{}", route)


def _http_routes(template: Template, api: str) -> dict:
    routes = {}
    for item in template.of_type("AWS::ApiGatewayV2::Route").values():
        own = item["Properties"]
        if own["ApiId"] == {"Ref": api}:
            integration = own["Target"]["Fn::Join"][1][1]["Ref"]
            # An ARN by itself, or within the one that a WebSocket API asks for.
            uri = json.dumps(template.properties(integration)["IntegrationUri"])
            routes[own["RouteKey"]] = re.search(r"\w+Function", uri)[0]
    return routes


def _rest_path(template: Template, resource: dict) -> str:
    if "Fn::GetAtt" in resource:
        return ""  # the API's root
    own = template.properties(resource["Ref"])
    return f"{_rest_path(template, own['ParentId'])}/{own['PathPart']}"


def _rest_paths(template: Template, api: str) -> set:
    return {_rest_path(template, {"Ref": name}) for name, item in template.of_type("AWS::ApiGateway::Resource").items()
            if item["Properties"]["RestApiId"] == {"Ref": api}}


def _rest_routes(template: Template, api: str) -> dict:
    routes = {}
    for item in template.of_type("AWS::ApiGateway::Method").values():
        own = item["Properties"]
        if own["RestApiId"] == {"Ref": api}:
            function = re.search(r"\$\{(\w+)\.Arn\}", own["Integration"]["Uri"]["Fn::Sub"])[1]
            routes[f"{own['HttpMethod']} {_rest_path(template, own['ResourceId']) or '/'}"] = function
    return routes


def _deployment(template: Template, api: str):
    """The deployment is a new one whenever the routes are, and copies all of them."""
    kinds = ("AWS::ApiGateway::Resource", "AWS::ApiGateway::Method")
    routes = {name: item["Properties"] for kind in kinds for name, item in template.of_type(kind).items()
              if item["Properties"]["RestApiId"] == {"Ref": api}}
    digest = hashlib.sha256(json.dumps(routes, sort_keys=True).encode()).hexdigest()[:8]
    name = f"{api.removesuffix('Api')}Deployment{digest}"
    if name not in template.resources:
        found = [known for known, item in template.of_type("AWS::ApiGateway::Deployment").items()
                 if item["Properties"]["RestApiId"] == {"Ref": api}]
        yield f"{api}: its routes have changed; write {name} in place of {' '.join(found)} throughout template.yaml"
        return
    methods = {known for known in routes if template.resources[known]["Type"] == kinds[1]}
    if set(template.resources[name]["DependsOn"]) != methods:
        yield f"{name}: DependsOn must be {sorted(methods)}, or it may copy the API before they are there"


def main() -> int:
    template = Template(ROOT / "template.yaml")
    rules = (functions, secrets, permissions, durability, lanes, hygiene, doors, owners, live)
    faults = [fault for rule in rules for fault in rule(template)]
    for fault in faults:
        print(f"template.yaml: {fault}")
    if not faults:
        print(f"template.yaml: {len(template.resources)} resources keep the project's rules")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
