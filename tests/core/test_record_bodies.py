"""parse_payload: the bodies of every kind, one refusal for every rule."""

import pytest

from ledger.core import record
from ledger.core.record import parse_payload
from ledger.errors import MalformedRecordError
from tests import factories
from tests.core.refused import refusal
from tests.factories import ABSENT, body, encode, payload

BODY_DEFECTS = [
    ("movement", {"direction": "up"}, "/body/direction", "unknown-direction"),
    ("movement", {"reason": "gift"}, "/body/reason", "unknown-reason"),
    ("movement", {"direction": "in"}, "/body/reason", "sale-coming-in"),
    ("movement", {"reason": "loss"}, "/body/loss_cause", "loss-without-cause"),
    ("movement", {"loss_cause": "spill"}, "/body/loss_cause", "cause-without-loss"),
    ("movement", {"counterparty": {"type": "enterprise"}}, "/body/counterparty/uscc", "enterprise-without-code"),
    ("movement", {"counterparty": {"type": "foreign"}}, "/body/counterparty/country", "foreign-without-country"),
    (
        "movement",
        {"counterparty": {"type": "person", "name": "Zhang San"}},
        "/body/counterparty/name",
        "person-named-outside-sd",
    ),
    (
        "movement",
        {"counterparty": {"type": "enterprise", "uscc": factories.OTHER_HOLDER[:-1] + "0"}},
        "/body/counterparty/uscc",
        "counterparty-check-character",
    ),
    ("movement", {"handlers": [{"ref": "H1", "name": "Li"}]}, "/body/handlers/0/name", "handler-named-outside-sd"),
    ("movement", {"handlers": []}, "/body/handlers", "no-handlers"),
    ("movement", {"vehicle": {"plate": "苏A12345"}}, "/body/vehicle", "plate-outside-sd"),
    ("movement", {"agent": {"name": "Li"}}, "/body/agent", "agent-outside-sd"),
    ("movement", {"purpose": "to make something"}, "/body/purpose", "purpose-as-free-text"),
    ("movement", {"payment_method": "gold"}, "/body/payment_method", "unknown-payment"),
    ("movement", {"expected_arrival": "tomorrow"}, "/body/expected_arrival", "arrival-no-time"),
    ("movement", {"confirmed": [{"keyid": "x", "at": factories.TIME}]}, "/body/confirmed/0/keyid", "bad-keyid"),
    ("movement", {"measurement": {"method": "scale", "random_ppm": 0.5}}, None, "float-error"),
    (
        "movement",
        {"identity_checks": [{"subject": "agent", "doc_type": "resident_id", "match_permille": 1001}]},
        "/body/identity_checks/0/match_permille",
        "match-above-1000",
    ),
    (
        "movement",
        {"evidence": [{"sha256": factories.DIGEST, "media_type": "image", "bytes": 1, "role": "photo"}]},
        "/body/evidence/0/media_type",
        "media-type-without-slash",
    ),
    ("stocktake", {"complete": "yes"}, "/body/complete", "complete-as-text"),
    ("stocktake", {"cut_off": ABSENT}, "/body/cut_off", "no-cut-off"),
    ("stocktake", {"continues": "S1/old"}, "/body/continues", "continues-as-text"),
    ("close", {"day": "2026-03-02T00:00:00Z"}, "/body/day", "day-as-instant"),
    ("close", {"final": ABSENT}, "/body/final", "final-not-said"),
    ("incident", {"type": "explosion"}, "/body/type", "unknown-incident"),
    ("rental", {"due_at": ABSENT}, "/body/due_at", "out-without-due"),
    ("rental", {"vehicle": {"ref": "V7", "plate": "苏A12345"}}, "/body/vehicle/plate", "rental-plate-outside-sd"),
    ("person", {"role": ABSENT}, "/body/role", "enrol-without-role"),
    ("person", {"name": "Li"}, "/body/name", "person-named-outside-sd"),
    ("profile", {"industry": "chemistry"}, "/body/industry", "industry-no-code"),
    ("profile", {"phone": "81234567"}, "/body/phone", "phone-outside-sd"),
    ("profile", {"upload_windows": [{"days": [8], "from": "08:00", "to": "18:00"}]}, None, "eighth-day"),
    ("licence", {"status": "fine"}, "/body/status", "unknown-status"),
    ("licence", {"person": "H1"}, "/body/number", "number-of-a-persons-licence"),
    ("licence", {"valid_to": "2026-02-30"}, "/body/valid_to", "valid-to-no-day"),
    ("place", {"sites": []}, "/body/sites", "no-sites"),
    ("filing", {"date": ABSENT}, "/body/date", "filing-without-date"),
    ("reply", {"order": "1"}, "/body/order", "order-no-record-id"),
    ("reply", {"text": "done"}, "/body/text", "reply-free-text"),
    ("correction", {"kind": "correction"}, "/body/kind", "correction-of-a-correction"),
    ("correction", {"kind": "tick"}, "/body/kind", "correction-of-an-authority-kind"),
    ("correction", {"body": {}}, None, "correction-with-an-empty-body"),
    ("alert", {"rule": "a01"}, "/body/rule", "rule-in-lower-case"),
    ("alert", {"severity": "fatal"}, "/body/severity", "unknown-severity"),
    ("alert", {"inputs": {"x": {"y": [1.5]}}}, None, "float-input"),
    ("alert_transition", {"to": "closed"}, "/body/outcome", "closed-without-outcome"),
    ("alert_transition", {"outcome": "no_violation"}, "/body/outcome", "outcome-without-closing"),
    (
        "alert_transition",
        {"to": "closed", "outcome": "referred"},
        "/body/referred_to",
        "referred-to-nobody",
    ),
    ("alert_transition", {"to": "snoozed"}, "/body/until", "snoozed-for-ever"),
    ("alert_transition", {"to": "deleted"}, "/body/to", "unknown-state"),
    ("order", {"type": "spot_check"}, "/body/challenge", "spot-check-without-challenge"),
    ("order", {"holder": factories.HOLDER[:-1] + "0"}, "/body/holder", "holder-check-character"),
    ("order", {"findings": [{"code": "A02", "text": "free"}]}, "/body/findings/0/text", "finding-as-free-text"),
    ("inspection", {"inspectors": []}, "/body/inspectors", "nobody-inspected"),
    ("report", {"action": "assign"}, "/body/report", "assigns-no-report"),
    ("report", {"report": factories.ID_A}, "/body/report", "intake-of-a-report"),
    ("endorse", {"record_id": ABSENT}, "/body/record_id", "endorses-nothing"),
    ("ruleset", {"digest": factories.DIGEST.upper()}, "/body/digest", "digest-in-capitals"),
    ("grant", {"role": 5}, "/body/role", "role-5"),
    ("grant", {"scope": "/acid"}, "/body/scope", "scope-without-site"),
    ("grant", {"spki": factories.ZERO_32}, None, "spki-of-another-encoding"),
    ("grant", {"enroller": "0X" + "12" * 20}, "/body/enroller", "address-in-capitals"),
    ("grant", {"revoked_at": ABSENT}, "/body/revoked_at", "revocation-not-said"),
    ("refusal", {"code": "Fork!"}, "/body/code", "code-no-word"),
    ("access", {"digest": ABSENT}, "/body/digest", "no-digest"),
    ("scrub", {"missing": ["x"]}, "/body/missing/0", "missing-no-digest"),
    ("erasure", {"digests": []}, None, "erases-nothing"),
    ("erasure", {"basis": "because the person asked"}, "/body/basis", "basis-as-free-text"),
    ("tick", {"now": "1"}, "/body/now", "now-as-text"),
    ("tick", {"facts": ABSENT}, "/body/facts", "no-facts"),
]


@pytest.mark.parametrize(
    ("kind", "overrides", "pointer"), [pytest.param(*d[:3], id=f"{d[0]}-{d[3]}") for d in BODY_DEFECTS]
)
def test_parse_payload__bad_body__refused(kind, overrides, pointer):
    try:
        error = refusal(payload(kind, body=body(kind, **overrides)))
    except MalformedRecordError as malformed:
        assert malformed.code == "bad-number"
        return
    if pointer is not None:
        assert error.pointer == pointer


@pytest.mark.parametrize("kind", sorted(record.KINDS))
def test_parse_payload__unknown_member_in_any_body__refused(kind):
    error = refusal(payload(kind, body=body(kind, surprise=1)))
    assert (error.code, error.pointer) == ("unknown-member", "/body/surprise")


def test_parse_payload__place_with_one_store_twice__refused():
    sites = body("place")["sites"]
    sites[0]["stores"] *= 2
    error = refusal(payload("place", body={"sites": sites}))
    assert (error.code, error.pointer) == ("duplicate-store", "/body/sites/0")
    inner = {"corrects": factories.ID_A, "kind": "place", "body": {"sites": sites}}
    assert refusal(payload("correction", book="office", body=inner)).pointer == "/body/body/sites/0"


def test_parse_payload__refusal_of_an_unreadable_record__may_be_null():
    unreadable = body("refusal", holder=None, site=None, book=None, seq=None, code="credit-code")
    assert parse_payload(encode(payload("refusal", body=unreadable))).body["holder"] is None
