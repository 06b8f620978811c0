"""What the door says of a valid record: each finding with a case that has it and the nearest one that has not."""

import pytest

from ledger.catalogue import Catalogue
from ledger.core.record import parse_payload
from ledger.findings import findings
from ledger.model import UnixMs
from tests import factories

CATALOGUE = Catalogue.load()
NITRIC, CYANIDE, ETHANOL = "7697-37-2", "143-33-9", "64-17-5"
TWO = [{"ref": "w1"}, {"ref": "w2"}]


def found(body, *, kind="movement", received=None):
    payload = parse_payload(factories.encode(factories.payload(kind, body=body)))
    at = payload.event_time_ms if received is None else received
    return findings(payload, catalogue=CATALOGUE, received=UnixMs(at))


def sale(code, counterparty="person", **more):
    other = {"type": "person"} if counterparty == "person" else {"type": "enterprise", "uscc": factories.OTHER_HOLDER}
    line = {"goods": "chemical", "code": code, "quantity": {"value": "1", "unit": "KGM"}, "store": "R1"}
    line |= {"attributes": more.pop("attributes")} if "attributes" in more else {}
    return {"direction": "out", "reason": "sale", "lines": [line], "counterparty": other, "handlers": TWO} | more


@pytest.mark.parametrize("code", [NITRIC, CYANIDE])
def test_findings__sale_of_listed_goods_to_a_person__natural_person(code):
    (finding,) = found(sale(code))
    assert (finding.code, finding.severity, finding.pointer) == ("natural-person", "critical", "/body/counterparty")
    assert set(finding.detail) == {"zh", "en"} and "art. 40" in finding.detail["en"]


@pytest.mark.parametrize(
    "body",
    [
        sale(ETHANOL),
        sale(NITRIC, "enterprise"),
        sale(CYANIDE, attributes={"pesticide_registration": "PD20050001"}),
        sale(NITRIC) | {"direction": "in", "reason": "return"},
    ],
)
def test_findings__free_goods_enterprise_pesticide_or_a_return__nothing(body):
    assert found(body) == []


@pytest.mark.parametrize("handlers", [[{"ref": "w1"}], [{"ref": "w1"}, {"ref": "w1"}]])
def test_findings__highly_toxic_by_one_person__two_persons(handlers):
    assert [f.code for f in found(sale(CYANIDE, "enterprise", handlers=handlers))] == ["two-persons"]


def test_findings__precursor_by_one_person__nothing():
    assert found(sale(NITRIC, "enterprise", handlers=[{"ref": "w1"}])) == []


def test_findings__event_more_than_ten_minutes_ahead__event_in_future():
    payload = parse_payload(factories.encode(factories.payload("stocktake")))
    at = payload.event_time_ms
    limit = findings(payload, catalogue=CATALOGUE, received=UnixMs(at - 600_000))
    above = findings(payload, catalogue=CATALOGUE, received=UnixMs(at - 600_001))
    assert limit == [] and [f.code for f in above] == ["event-in-future"]


def test_findings__corrected_movement__points_into_the_correction():
    body = {"corrects": factories.ID_A, "kind": "movement", "body": sale(NITRIC)}
    (finding,) = found(body, kind="correction")
    assert finding.pointer == "/body/body/counterparty"


@pytest.mark.parametrize("kind", ["stocktake", "place", "licence", "incident", "profile", "close"])
def test_findings__other_kinds__nothing(kind):
    payload = parse_payload(factories.encode(factories.payload(kind)))
    assert findings(payload, catalogue=CATALOGUE, received=payload.event_time_ms) == []
