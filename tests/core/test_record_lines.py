"""parse_payload: goods lines, one refusal for every rule, and what they amount to."""

import pytest

from ledger.core.record import Line, concentration_to_ppm, lines_of, parse_payload
from tests import factories
from tests.core.refused import refusal, with_line
from tests.factories import ABSENT, body, encode, knife_line, line, payload

LINE_DEFECTS = [
    pytest.param({"store": ABSENT}, "missing-member", "/store", id="chemical-without-store"),
    pytest.param({"packaging": "sealed"}, "missing-member", "/pieces", id="sealed-without-pieces"),
    pytest.param({"packaging": "box"}, "schema", "/packaging", id="unknown-packaging"),
    pytest.param({"code": "7697-37-3"}, "cas", "/code", id="cas-check-digit"),
    pytest.param({"code": ""}, "schema", "/code", id="empty-code"),
    pytest.param({"code": "硝酸"}, "schema", "/code", id="name-for-code"),
    pytest.param({"goods": "gas"}, "schema", "/goods", id="unknown-goods"),
    pytest.param({"quantity": {"value": "1", "unit": "LBR"}}, "schema", "/quantity/unit", id="unit-pound"),
    pytest.param({"quantity": {"value": "1.0000001", "unit": "KGM"}}, "schema", "/quantity/value", id="seven-decimals"),
    pytest.param({"quantity": {"value": "1.0001", "unit": "GRM"}}, "schema", "/quantity/value", id="grams-4-decimals"),
    pytest.param({"quantity": {"value": "1.5", "unit": "MGM"}}, "schema", "/quantity/value", id="milligram-decimal"),
    pytest.param({"quantity": {"value": "01", "unit": "KGM"}}, "schema", "/quantity/value", id="leading-zero"),
    pytest.param({"quantity": {"value": "-1", "unit": "KGM"}}, "schema", "/quantity/value", id="negative"),
    pytest.param({"quantity": {"value": 1, "unit": "KGM"}}, "schema", "/quantity/value", id="value-as-number"),
    pytest.param({"quantity": {"value": "10000000.1", "unit": "TNE"}}, "quantity", "/quantity", id="too-much"),
    pytest.param({"quantity": {"value": "1", "unit": "H87"}}, "schema", "/quantity/unit", id="chemical-in-pieces"),
    pytest.param({"quantity": {"value": "1"}}, "missing-member", "/quantity/unit", id="no-unit"),
    pytest.param({"concentration": "100.1"}, "schema", "/concentration", id="above-100-percent"),
    pytest.param({"concentration": "68.1234"}, "schema", "/concentration", id="concentration-4-decimals"),
    pytest.param({"concentration": 68}, "schema", "/concentration", id="concentration-as-number"),
    pytest.param({"form": "Liquid form"}, "schema", "/form", id="form-as-free-text"),
    pytest.param({"expires": "2026-02-30"}, "schema", "/expires", id="no-such-day"),
    pytest.param({"pieces": -1}, "schema", "/pieces", id="negative-pieces"),
    pytest.param({"batch": ""}, "schema", "/batch", id="empty-batch"),
    pytest.param({"batch": "a\tb"}, "schema", "/batch", id="control-character"),
    pytest.param({"attributes": {"seats": 5}}, "unknown-member", "/attributes/seats", id="seats-of-a-chemical"),
    pytest.param({"attributes": {"empty": "yes"}}, "schema", "/attributes/empty", id="empty-as-text"),
    pytest.param({"colour": "red"}, "unknown-member", "/colour", id="unknown-member"),
]


@pytest.mark.parametrize(("members", "code", "pointer"), LINE_DEFECTS)
def test_parse_payload__bad_line__refused(members, code, pointer):
    error = refusal(with_line(**members))
    assert (error.code, error.pointer) == (code, "/body/lines/0" + pointer)


@pytest.mark.parametrize("kind", ["stocktake", "close", "incident"])
def test_parse_payload__bad_line_of_another_kind__refused(kind):
    error = refusal(payload(kind, body=body(kind, lines=[line(), line(code="7697-37-3")])))
    assert (error.code, error.pointer) == ("cas", "/body/lines/1/code")


def test_parse_payload__bad_line_inside_a_correction__refused():
    inner = {"corrects": factories.ID_A, "kind": "movement", "body": body("movement", lines=[line(code="7697-37-3")])}
    error = refusal(payload("correction", body=inner))
    assert (error.code, error.pointer) == ("cas", "/body/body/lines/0/code")


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(knife_line(quantity={"value": "1", "unit": "KGM"}), id="knives-by-weight"),
        pytest.param(knife_line(attributes={"seats": 4}), id="knife-with-seats"),
        pytest.param(knife_line(attributes={"tip_angle_deg": 181}), id="tip-angle-181"),
        pytest.param(knife_line(goods="explosive"), id="explosive-with-attributes"),
        pytest.param(knife_line(goods="vehicle"), id="vehicle-with-a-blade"),
    ],
)
def test_parse_payload__attributes_of_other_goods__refused(bad):
    assert refusal(payload(body=body("movement", lines=[bad]))).pointer.startswith("/body/lines/0")


def test_parse_payload__number_of_lines__1_to_64():
    assert refusal(payload(body=body("movement", lines=[]))).pointer == "/body/lines"
    assert refusal(payload(body=body("movement", lines=[line()] * 65))).pointer == "/body/lines"
    assert len(parse_payload(encode(payload(body=body("movement", lines=[line()] * 64)))).body["lines"]) == 64


def test_lines_of__movement__base_units():
    sealed = line(packaging="sealed", pieces=40, concentration="68.125", batch="B1", trace="T1", expires="2027-01-31")
    liquid = line(code="67-56-1", value="1.5", unit="LTR", concentration=ABSENT, form=ABSENT)
    parsed = parse_payload(encode(payload(body=body("movement", lines=[sealed, liquid, knife_line()]))))
    first, second, third = lines_of(parsed)
    assert first == Line(
        pointer="/body/lines/0",
        goods="chemical",
        code="7697-37-2",
        mass_mg=25_500_000,
        volume_ul=None,
        count=None,
        store="R1",
        packaging="sealed",
        pieces=40,
        concentration_ppm=681_250,
        form="liquid",
        batch="B1",
        trace="T1",
        container=None,
        expires="2027-01-31",
        direction="out",
        attributes={},
    )
    assert (second.mass_mg, second.volume_ul, second.concentration_ppm) == (None, 1_500_000, None)
    assert (third.count, third.pieces, third.attributes["blade_mm"]) == (1, 1, 180)


def test_lines_of__correction__are_the_corrected_ones():
    (only,) = lines_of(parse_payload(encode(payload("correction"))))
    assert (only.pointer, only.direction) == ("/body/body/lines/0", "out")


def test_lines_of__kind_without_lines__none():
    assert lines_of(parse_payload(encode(payload("tick")))) == []


@pytest.mark.parametrize(
    ("percent", "ppm"), [("0", 0), ("8", 80_000), ("68.5", 685_000), ("0.001", 10), ("100.000", 1_000_000)]
)
def test_concentration_to_ppm__exact(percent, ppm):
    assert concentration_to_ppm(percent) == ppm
