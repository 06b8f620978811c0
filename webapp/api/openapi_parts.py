"""What the description of the interfaces is put together from."""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string"}
INT: dict[str, Any] = {"type": "integer", "minimum": 0}
HEX32: dict[str, Any] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}


def call(
    summary: str,
    good: dict[str, Any],
    bad: tuple[int, ...],
    *,
    parameters: list[dict[str, Any]] | None = None,
    body: dict[str, Any] | None = None,
    roles: list[str] | None = None,
    optional: bool = False,
) -> dict[str, Any]:
    """One operation. `roles` are those of the token that may ask; `optional`: also without one."""
    made: dict[str, Any] = {
        "summary": summary,
        "responses": good | {str(s): {"$ref": "#/components/responses/Problem"} for s in bad},
    }
    if parameters:
        made["parameters"] = parameters
    if body:
        made["requestBody"] = body
    # An empty requirement means: also without.
    made["security"] = [{"token": roles}, {"session": []}] if roles else []
    if roles and optional:
        made["security"].append({})
    return made


def object_(**members: Any) -> dict[str, Any]:
    """An object that has these members, all of them."""
    return {"type": "object", "required": list(members), "properties": members}


def list_of(items: dict[str, Any]) -> dict[str, Any]:
    """A list of these."""
    return {"type": "array", "items": items}


def ref(name: str) -> dict[str, Any]:
    """A schema of the document, by name."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_of(schema: str, text: str) -> dict[str, Any]:
    """An answer in JSON, of this schema."""
    return {"description": text, "content": {"application/json": {"schema": ref(schema)}}}


def path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter in the path."""
    return {"name": name, "in": "path", "required": True, "schema": schema}


def query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter of the query, never required."""
    return {"name": name, "in": "query", "required": False, "schema": schema}
