"""The OpenAPI 3.1 document, made from the table of operations: ``python -m web.api.openapi`` prints it."""

from __future__ import annotations

import functools
import json
import re
import sys
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

import telemed
from web.accounts.permissions import ROLES
from web.api.operations import PREFIX, Operation
from web.problems import MEDIA_TYPE

REF = "#/components/schemas/{model}"
#: A part of a path, with or without a pattern of its own: ``{id}`` or ``{id:[0-9a-f]{32}}``.
_PART = re.compile(r"{(\w+)(?::(?:[^{}]|{[^{}]*})+)?}")

PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details; `detail` is a sentence for people, `code` a word for programs.",
    "required": ["type", "title", "status", "detail", "code", "instance"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "instance": {"type": "string"},
    },
}


@functools.cache
def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """Return the document of *operations*."""
    adapters = list(_adapters(operations))
    schemas, definitions = TypeAdapter.json_schemas(adapters, ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(PREFIX + _PART.sub(r"{\1}", operation.path), {})[operation.method.lower()] = _described(
            operation, schemas
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "telemed",
            "version": telemed.__version__,
            "description": "Errors are problem details (RFC 9457). Ids are opaque strings, times RFC 3339 in UTC. "
            "Unsafe methods of a cookie session need the header X-CSRF-Token; bearer tokens do not.",
        },
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Problem": PROBLEM},
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "telemed_session"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "security": [{"session": []}, {"token": []}],
    }


Key = tuple[str, str]


def _adapters(operations: tuple[Operation, ...]) -> list[tuple[Key, JsonSchemaMode, TypeAdapter[Any]]]:
    found: list[tuple[Key, JsonSchemaMode, TypeAdapter[Any]]] = []
    for operation in operations:
        _, body = operation.models
        if body is not None:
            found.append(((operation.name, "body"), "validation", TypeAdapter(body)))
        if operation.answer is not None:
            found.append(((operation.name, "answer"), "serialization", TypeAdapter(operation.answer)))
    return found


def _described(operation: Operation, schemas: dict[tuple[Key, JsonSchemaMode], Any]) -> dict[str, Any]:
    query, body = operation.models
    path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in _PART.findall(operation.path)
    ]
    answers: dict[str, Any] = {"default": {"description": "A problem", "content": {MEDIA_TYPE: {"schema": _ref("Problem")}}}}
    if operation.answer is not None:
        schema = schemas[(operation.name, "answer"), "serialization"]
        answers[str(operation.status)] = {"description": "Done", "content": {operation.produces: {"schema": schema}}}
    elif operation.produces == "application/json":
        answers["204"] = {"description": "Done"}
    else:
        schema = {"type": "string", "format": "binary"}
        answers[str(operation.status)] = {"description": "The content", "content": {operation.produces: {"schema": schema}}}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": [*path, *([] if query is None else _parameters(query))],
        "responses": answers,
    }
    if body is not None:
        schema = schemas[(operation.name, "body"), "validation"]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    elif operation.consumes:
        binary = {"schema": {"type": "string", "format": "binary"}}
        described["requestBody"] = {"required": True, "content": dict.fromkeys(operation.consumes, binary)}
    if operation.permission is None:
        described["security"] = []
    else:
        described["description"] = f"For the roles {', '.join(sorted(ROLES[operation.permission]))}."
    return described


def _parameters(query: type[BaseModel]) -> list[dict[str, Any]]:
    schema = query.model_json_schema(ref_template=REF)
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _inlined(property_, definitions)}
        for name, property_ in schema["properties"].items()
    ]


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Put what a schema refers to in its place: parameters stand outside the components."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {key: _inlined(value, definitions) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    return schema


def _ref(name: str) -> dict[str, str]:
    return {"$ref": REF.format(model=name)}


if __name__ == "__main__":
    from web.api.table import OPERATIONS

    json.dump(document(OPERATIONS), sys.stdout, ensure_ascii=False, indent=1)
