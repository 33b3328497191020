"""The document as a judge of answers."""

import json
import re

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

METHODS = {"get", "put", "post", "patch", "delete"}


class Contract:
    """An OpenAPI document that is valid."""

    def __init__(self, document):
        OpenAPIV31SpecValidator(document).validate()
        self.document = document
        resource = Resource(contents=document, specification=DRAFT202012)
        self.registry = Registry().with_resource("", resource)
        self.operations = {}
        for path, item in document["paths"].items():
            for method in METHODS & item.keys():
                self.operations[(method.upper(), path)] = item[method]
        self.seen = {operation: set() for operation in self.operations}

    def of(self, method, path):
        """The operation of a path; one without names counts before one with names."""
        path = path.split("?")[0]
        matching = []
        for known_method, template in self.operations:
            pattern = re.sub(r"\\\{[a-z]+\\\}", "[^/]+", re.escape(template))
            if known_method == method and re.fullmatch(pattern, path):
                matching.append((template.count("{"), template))
        return (method, min(matching)[1]) if matching else None

    def resolved(self, value):
        """Follows a reference."""
        while "$ref" in value:
            found = self.document
            for part in value["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            value = found
        return value

    def judge(self, method, path, answer):
        """Holds one answer against the document; returns its JSON, if it is some."""
        operation = self.of(method, path)
        kind = (answer.getheader("content-type") or "").split(";")[0]
        if operation is None:
            # Nothing is said of it but that it is a problem.
            wanted = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        else:
            answers = self.operations[operation]["responses"]
            assert str(answer.status) in answers, f"{method} {path}: {answer.status} is not documented: {answer.content!r}"
            wanted = self.resolved(answers[str(answer.status)])
            self.seen[operation].add(answer.status)
        content = wanted.get("content")
        if content is None:
            assert not answer.content, f"{method} {path}: {answer.status} has a body"
            return None
        media = content.get(kind, content.get("*/*"))
        assert media is not None, f"{method} {path}: {answer.status} is of the type {kind!r}, and not of {list(content)}"
        if not kind.endswith("json"):
            return None
        body = json.loads(answer.content)
        self.check(media.get("schema", {}), body, f"{method} {path}: {answer.status}")
        if kind == "application/problem+json":
            assert body["status"] == answer.status and body["type"].endswith(body["error"]), body
        return body

    def check(self, schema, value, what):
        """Holds a value against a schema of the document."""
        whole = {"$id": "urn:openapi:check", **schema} if "$ref" not in schema else schema
        rebased = json.loads(json.dumps(whole).replace('"#/', '"urn:openapi:document#/'))
        registry = self.registry.with_resource(
            "urn:openapi:document",
            Resource(contents=self.document, specification=DRAFT202012),
        )
        errors = list(Draft202012Validator(rebased, registry=registry).iter_errors(value))
        assert not errors, f"{what}: {errors[0].message} at {list(errors[0].absolute_path)}"
