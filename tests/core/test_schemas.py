"""The schema files themselves: closed, complete, frozen."""

import hashlib
import json
from importlib.resources import files

import jsonschema_rs
import pytest

from ledger.core import record, schemas

FOLDER = files("ledger.core.schemas").joinpath("record", "v1")
NAMES = sorted(path.name.removesuffix(".json") for path in FOLDER.iterdir())


def nodes(schema, path=()):
    if isinstance(schema, dict):
        yield path, schema
        for key, value in schema.items():
            yield from nodes(value, (*path, key))
    elif isinstance(schema, list):
        for n, value in enumerate(schema):
            yield from nodes(value, (*path, n))


def test_schemas__files__are_exactly_the_kinds():
    assert set(NAMES) == record.KINDS | {"_common"}


@pytest.mark.parametrize("name", NAMES)
def test_schemas__every_file__is_a_valid_schema(name):
    jsonschema_rs.meta.validate({k: v for k, v in schemas.schema(name).items() if k != "$id"})


@pytest.mark.parametrize("name", NAMES)
def test_schemas__every_object__is_closed(name):
    open_objects = {("$defs", "ext"), ("$defs", "values"), ("$defs", "line", "properties", "attributes")}
    if name == "correction":
        open_objects = {("$defs", "body", "properties", "body")}  # closed by the anyOf beside it
    for path, node in nodes(schemas.schema(name)):
        if node.get("type") == "object" and path not in open_objects:
            assert node.get("additionalProperties") is False, path


@pytest.mark.parametrize("name", NAMES)
def test_schemas__every_text_number_and_list__is_bounded(name):
    for path, node in nodes(schemas.schema(name)):
        if node.get("type") == "string" and path[-2:] != ("quantity", "properties") and "value" not in path:
            assert "pattern" in node or "maxLength" in node, path
        if node.get("type") == "integer":
            assert "minimum" in node, path
            assert node["maximum"] <= 2**53 - 1, path
        if node.get("type") == "array":
            assert "maxItems" in node or "anyOf" in node, path
        if "pattern" in node and isinstance(node["pattern"], str) and "not" not in path:
            assert node["pattern"].startswith("^"), path
            assert node["pattern"].endswith("$"), path
            assert "\\d" not in node["pattern"], "\\d matches other scripts' digits in some engines"


@pytest.mark.parametrize("kind", sorted(record.KINDS))
def test_schemas__every_kind__names_itself_and_its_disclosures(kind):
    schema = schemas.schema(kind)
    assert schema["properties"]["kind"] == {"const": kind}
    assert schema["title"] == kind
    assert len(set(schema["x-disclosures"])) == len(schema["x-disclosures"])
    assert all(name.startswith("/body/") for name in schema["x-disclosures"])


@pytest.mark.parametrize("kind", sorted(record.KINDS))
def test_schemas__no_disclosure__is_also_a_plain_member_of_a_person(kind):
    # Names and numbers of persons have no place in the plain body at all.
    body = schemas.schema(kind)["$defs"]["body"]
    plain = set(body.get("properties", {}))
    own = {name.split("/")[2] for name in schemas.schema(kind)["x-disclosures"] if name.count("/") == 2}
    assert own & plain <= {"number"}, "only a licence's number may be either, depending on whom it was issued to"


@pytest.mark.parametrize("name", NAMES)
def test_schemas__every_pattern__says_in_words_what_it_asks(name):
    for path, node in nodes(schemas.schema(name)):
        if isinstance(node.get("pattern"), str):
            assert "description" in node, path


def test_first_defect__pattern__is_said_in_words():
    from tests.factories import payload

    defect = schemas.first_defect("tick", payload("tick", event_time="yesterday"))
    assert defect.pointer == "/event_time"
    assert "RFC 3339" in defect.detail
    assert "[0-9]" not in defect.detail


def test_schema__unknown_name__key_error():
    for name in ("gift", "../v1/tick", "", "Tick"):
        with pytest.raises(KeyError):
            schemas.schema(name)


def test_first_defect__valid_document__none():
    from tests.factories import payload

    assert schemas.first_defect("tick", payload("tick")) is None


def test_schemas__digest__is_the_frozen_one():
    """A changed schema is v2: whoever comes here to change this number makes `record/v2` instead."""
    everything = hashlib.sha256()
    for name in NAMES:
        everything.update(name.encode() + b"\n")
        everything.update(json.dumps(schemas.schema(name), sort_keys=True).encode() + b"\n")
    assert everything.hexdigest() == FROZEN


FROZEN = "bccc6bcf77f4b077cfd1dde6ee1c53fba549cd1220439a208b48abd280cef764"
