"""parse_payload: one accepted payload of every kind, who may sign it, what of it may be disclosed, and garbage."""

import copy
import hashlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core import record
from ledger.core.record import lines_of, may_sign, parse_payload
from ledger.errors import MalformedRecordError, PayloadError
from ledger.model import Role
from tests import factories
from tests.factories import body, encode, issued_licence, knife_line, payload

CORRECTABLE = sorted(record.CORRECTABLE_KINDS)


# --- what is accepted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(record.KINDS))
def test_parse_payload__every_kind__gives_its_members(kind):
    document = payload(kind)
    parsed = parse_payload(encode(document))
    assert parsed.kind == kind
    assert parsed.is_authority is (kind in record.AUTHORITY_KINDS)
    assert parsed.holder == document.get("enterprise", document.get("issuer"))
    assert (parsed.site, parsed.book, parsed.seq, parsed.prev) == (document["site"], document["book"], 1, None)
    assert parsed.signers == tuple(document["signers"])
    assert parsed.body == document["body"]
    assert parsed.document == document
    assert parsed.sd == ()


@pytest.mark.parametrize("kind", CORRECTABLE)
def test_parse_payload__correction_of_every_kind__accepted(kind):
    book = factories.STOCK_BOOK if kind in record.STOCK_KINDS else factories.OFFICE_BOOK
    inner = {"corrects": factories.ID_A, "kind": kind, "body": body(kind)}
    assert parse_payload(encode(payload("correction", book=book, body=inner))).body["kind"] == kind


def test_parse_payload__licence_by_an_authority__names_its_holder():
    parsed = parse_payload(encode(issued_licence()))
    assert parsed.is_authority
    assert parsed.body["holder"] == factories.HOLDER


def test_parse_payload__second_record_with_sd_seen_and_ext__accepted():
    document = payload(
        seq=2,
        prev=factories.ID_A,
        signers=[factories.KEY_A, factories.KEY_B],
        seen={"size": 9, "root": factories.ZERO_32},
        _sd=list(factories.SD),
        _sd_alg="sha-256",
        ext={"erp": {"batch": [1, True, None]}},
    )
    parsed = parse_payload(encode(document))
    assert parsed.sd == factories.SD
    assert parsed.prev == factories.ID_A


def test_record_id_of__payload__is_sha256_of_the_exact_bytes():
    data = encode(payload())
    assert record.record_id_of(data) == hashlib.sha256(data).hexdigest()
    assert record.record_id_of(data + b" ") != record.record_id_of(data)


def test_parse_payload__white_space_and_member_order__are_the_senders():
    document = dict(reversed(payload().items()))
    assert parse_payload(json.dumps(document, indent=3).encode()).kind == "movement"


def test_parse_payload__knife_and_vehicle__need_no_store():
    vehicle = {"goods": "vehicle", "code": "van", "quantity": {"value": "1", "unit": "H87"}, "attributes": {"seats": 7}}
    parsed = parse_payload(encode(payload(body=body("movement", lines=[knife_line(), vehicle]))))
    assert [item.count for item in lines_of(parsed)] == [1, 1]


# --- roles and disclosures -----------------------------------------------------------------------------------------


def test_may_sign__table_of_roles__is_formats_md():
    supervisor = {"alert_transition", "order", "inspection", "report", "endorse", "licence", "erasure"}
    platform = {"alert", "ruleset", "grant", "refusal", "access", "scrub", "tick", "erasure"}
    allowed = {role: {kind for kind in record.KINDS if may_sign(role, kind)} for role in Role}
    assert allowed == {
        Role.ENTERPRISE: set(record.ENTERPRISE_KINDS),
        Role.SUPERVISOR: supervisor,
        Role.PLATFORM: platform,
        Role.AUTHORITY: supervisor,
    }
    assert not may_sign(Role.PLATFORM, "unknown")


def test_may_sign__licence__under_the_name_of_its_role_only():
    assert may_sign(Role.ENTERPRISE, "licence", is_authority=False)
    assert not may_sign(Role.ENTERPRISE, "licence", is_authority=True)
    assert may_sign(Role.SUPERVISOR, "licence", is_authority=True)
    assert not may_sign(Role.SUPERVISOR, "licence", is_authority=False)


def allows(kind, name, corrected=None):
    return any(pattern.fullmatch(name) for pattern in record.disclosable_pointers(kind, corrected))


def test_disclosable_pointers__movement__names_of_the_list_only():
    assert allows("movement", "/body/handlers/0/id_number")
    assert allows("movement", "/body/handlers/15/name")
    assert allows("movement", "/body/vehicle/driver/phone")
    assert not allows("movement", "/body/handlers/00/id_number")
    assert not allows("movement", "/body/handlers/0/id_number/x")
    assert not allows("movement", "/body/handlers//name")
    assert not allows("movement", "/body/reason")
    assert not allows("movement", "/body/handlersX0/name")


def test_disclosable_pointers__correction__those_of_the_corrected_kind_one_level_down():
    assert allows("correction", "/body/reason", "movement")
    assert allows("correction", "/body/body/handlers/0/name", "movement")
    assert not allows("correction", "/body/handlers/0/name", "movement")
    assert not allows("correction", "/body/body/legal_person/name", "movement")
    assert allows("correction", "/body/body/legal_person/name")


# --- garbage -------------------------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def only_refusals(data):
    try:
        parse_payload(data)
    except (PayloadError, MalformedRecordError) as error:
        assert error.code
        assert error.detail


@given(st.binary(max_size=300))
def test_parse_payload__garbage_bytes__only_refusals(data):
    only_refusals(data)


def places(node, path=()):
    if path:
        yield path
    if isinstance(node, dict | list):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from places(node[key], (*path, key))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_parse_payload__one_member_replaced_by_anything__only_refusals(data):
    kind = data.draw(st.sampled_from(sorted(record.KINDS)))
    document = copy.deepcopy(payload(kind, _sd=list(factories.SD), _sd_alg="sha-256", ext={"a": 1}))
    path = data.draw(st.sampled_from(list(places(document))))
    node = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = data.draw(JSON_VALUES)
    try:
        raw = encode(document)
    except UnicodeEncodeError:
        raw = json.dumps(document).encode()
    only_refusals(raw)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 7), st.sampled_from(sorted(record.KINDS)))
def test_parse_payload__one_bit_flipped__only_refusals(place, bit, kind):
    data = bytearray(encode(payload(kind)))
    data[place % len(data)] ^= 1 << bit
    only_refusals(bytes(data))
