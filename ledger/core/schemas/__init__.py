"""The frozen JSON Schemas of record payloads, compiled (formats.md section 2; JSON Schema 2020-12).

One file per kind in `record/v1`, parts that several share in `_common.json`. No schema is ever fetched: references
resolve among these files only. Two annotations are ours: `x-check` names a test that no pattern can do (a check digit,
an amount), `x-disclosures` lists the pointers that a disclosure of this kind may name, `{n}` standing for an index.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import jsonschema_rs

from ledger.core import ids, quantity

VERSION = 1


def _check_quantity(value: dict[str, str]) -> None:
    quantity.to_base(value["value"], value["unit"])


def check_goods_code(value: str) -> None:
    """Raises ValueError for what looks like a CAS number and is none. Every other code is the catalogue's business."""
    if ids.looks_like_cas(value):
        ids.check_cas(value)


_CHECKS: dict[str, Callable[[Any], None]] = {
    "cas": check_goods_code,
    "credit-code": ids.check_credit_code,
    "quantity": _check_quantity,
}


class _XCheck:
    """The keyword `x-check`. What is not of the right type or form is left to the keywords beside it."""

    def __init__(self, _parent: dict[str, Any], value: str, _path: list[str | int]) -> None:
        self._check = _CHECKS[value]
        self._name = value

    def validate(self, instance: Any) -> None:
        try:
            self._check(instance)
        except (TypeError, KeyError):
            return
        except ValueError as error:
            raise ValueError(f"{self._name}: {error}") from None


def _folder() -> Traversable:
    return files(__package__).joinpath("record", f"v{VERSION}")


@cache
def schema(name: str) -> dict[str, Any]:
    """The schema file `record/v1/<name>.json` as parsed. KeyError when there is none."""
    if not name.replace("_", "").isalpha():
        raise KeyError(name)
    path = _folder().joinpath(f"{name}.json")
    try:
        parsed: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise KeyError(name) from None
    return parsed


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and not value.startswith("#"):
                yield value.partition("#")[0].removesuffix(".json")
            else:
                yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


@cache
def validator(kind: str) -> jsonschema_rs.Draft202012Validator:
    """The compiled validator of a kind. KeyError for an unknown one."""
    root = schema(kind)
    resources = {root["$id"]: root}
    waiting = set(_references(root))
    while waiting:
        part = schema(waiting.pop())
        if part["$id"] not in resources:
            resources[part["$id"]] = part
            waiting |= set(_references(part))
    return jsonschema_rs.Draft202012Validator(
        root,
        registry=jsonschema_rs.Registry(list(resources.items())),
        keywords={"x-check": _XCheck},
        pattern_options=jsonschema_rs.RegexOptions(),  # linear time: patterns meet hostile text
        validate_formats=False,
        offline=True,
    )


@dataclass(frozen=True, slots=True)
class Defect:
    """The first thing wrong: a stable word, an RFC 6901 pointer, a sentence. Never holds a value from the document."""

    code: str
    pointer: str
    detail: str


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def _branch_errors(error: jsonschema_rs.ValidationError) -> list[jsonschema_rs.ValidationError]:
    # The branch that was meant is the one whose discriminator (a const, an enum, or the value's type) holds; of those,
    # the nearest miss.
    def discriminated(branch: list[jsonschema_rs.ValidationError]) -> bool:
        return any(item.kind.name in {"const", "enum", "type"} for item in branch)

    branches = [branch for branch in getattr(error.kind, "context", ()) if branch]
    if not branches:
        return []
    return min(branches, key=lambda branch: (discriminated(branch), len(branch)))


def _leaf(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    while error.kind.name in {"anyOf", "oneOf"}:
        inner = _branch_errors(error)
        if not inner:
            break
        error = inner[0]
    return error


def _meaning(error: jsonschema_rs.ValidationError) -> str:
    """What a pattern asks for in words: the description that stands beside it in its schema file."""
    file, _, steps = str(error.absolute_keyword_location).partition("#")
    node: Any = schema(file.rsplit("/", 1)[-1].removesuffix(".json"))
    for step in steps.split("/")[1:-1]:
        node = node[int(step) if isinstance(node, list) else step.replace("~1", "/").replace("~0", "~")]
    return str(node["description"])


def _sentence(error: jsonschema_rs.ValidationError) -> tuple[str, str, str]:
    kind, value = error.kind.name, error.kind.value
    where = _pointer(error.instance_path)
    match kind:
        case "additionalProperties" | "unevaluatedProperties":
            name = str(value[0] if isinstance(value, list) else value)[:64]
            shown = where if ids.find_personal_data(name) else where + _pointer([name])
            return "unknown-member", shown, "This member is not known here."
        case "falseSchema":
            return "unknown-member", where, "This member may not stand here."
        case "required":
            return "missing-member", where + _pointer([str(value)]), "This member is required."
        case "x-check":
            code, _, detail = error.message.partition(": ")
            return code, where, f"{detail[:1].upper()}{detail[1:]}."
        case "pattern":
            return "schema", where, f"Expected: {_meaning(error)}"
        case "type":
            return "schema", where, f"Must be of type {' or '.join(value if isinstance(value, list) else [value])}."
        case "propertyNames":
            return "schema", where, "A member name here is not of the form allowed."
    return (
        "schema",
        where,
        _KEYWORDS.get(kind, "Must satisfy {kind} {value}.").format(
            kind=kind, value=json.dumps(value, default=str)[:200]
        ),
    )


_KEYWORDS = {
    "enum": "Must be one of {value}.",
    "const": "Must be {value}.",
    "minimum": "Must be at least {value}.",
    "maximum": "Must be at most {value}.",
    "minLength": "Must have at least {value} characters.",
    "maxLength": "Must have at most {value} characters.",
    "minItems": "Must have at least {value} items.",
    "maxItems": "Must have at most {value} items.",
    "minProperties": "Must have at least {value} members.",
    "maxProperties": "Must have at most {value} members.",
    "uniqueItems": "No item may stand twice.",
    "not": "This value is reserved.",
}


def first_defect(kind: str, document: Any) -> Defect | None:
    """What is wrong with `document` by the schema of `kind`, or None. Slow (some 100 us): for refusals only."""
    for error in validator(kind).iter_errors(document):
        return Defect(*_sentence(_leaf(error)))
    return None
