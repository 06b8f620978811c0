"""Records as an enterprise signs them."""

import json

import pytest

from ledger.client.book import Book, Head
from ledger.core.disclosure import match_disclosures
from ledger.core.dsse import PAYLOAD_TYPE, pae
from ledger.core.keys import PrivateKey
from ledger.core.record import disclosable_pointers, parse_payload, record_id_of
from ledger.core.submission import parse_submission
from ledger.errors import DisclosureError, PayloadError, TooLargeError
from tests import factories
from tests.kit import ORIGIN


def book(*keys, holder=factories.HOLDER, name="acid", head=None):
    return Book(log=ORIGIN, holder=holder, site="S1", book=name, signers=keys, head=head)


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_build__movement__parses_and_verifies(algorithm):
    key = PrivateKey.generate(algorithm)
    made = book(key).build("stocktake", factories.body("stocktake"), event_time=factories.TIME)
    envelope, disclosures = parse_submission(made.submission)
    assert disclosures == () and b"\n" not in made.submission
    key.public.verify(envelope.signatures[0].sig, pae(PAYLOAD_TYPE, envelope.payload))
    assert envelope.raw == made.envelope and record_id_of(envelope.payload) == made.record_id
    payload = parse_payload(envelope.payload)
    assert (payload.seq, payload.prev, payload.log) == (1, None, ORIGIN)


def test_build__two_in_a_row__are_chained_and_have_fresh_nonces(key):
    one = book(key)
    first = one.build("stocktake", factories.body("stocktake"), event_time=factories.TIME)
    again = one.build("stocktake", factories.body("stocktake"), event_time=factories.TIME)
    assert first.payload.seq == again.payload.seq == 1, "build alone does not move the book"
    assert first.payload.nonce != again.payload.nonce
    one.took(first)
    second = one.build("movement", factories.body("movement"), event_time=factories.TIME)
    assert (second.payload.seq, second.payload.prev) == (2, first.record_id)


def test_build__two_signers__stand_in_ascending_order_and_both_sign():
    keys = [PrivateKey.generate("ES256"), PrivateKey.generate("Ed25519")]
    for order in (keys, keys[::-1]):
        made = book(*order).build("stocktake", factories.body("stocktake"), event_time=factories.TIME)
        envelope, _ = parse_submission(made.submission)
        assert list(made.payload.signers) == sorted(k.keyid for k in keys)
        assert [s.keyid for s in envelope.signatures] == list(made.payload.signers)


def test_build__disclosures__only_digests_enter_the_payload(key):
    made = book(key, head=Head(1, "aa" * 32)).build(
        "movement",
        factories.body("movement"),
        event_time=factories.TIME,
        disclosures={"/body/agent/name": "王五", "/body/agent/id_number": factories.RESIDENT_ID},
    )
    envelope, disclosures = parse_submission(made.submission)
    payload = parse_payload(envelope.payload)
    match_disclosures(disclosures, payload, disclosable_pointers("movement"))
    assert {d.name: d.value for d in disclosures}["/body/agent/name"] == "王五"
    assert len(payload.sd) == 8
    assert "王五".encode() not in envelope.payload and factories.RESIDENT_ID.encode() not in envelope.payload


def test_build__issuer__signs_authority_kinds():
    key = PrivateKey.generate("Ed25519")
    made = book(key, holder="licensing.county", name="endorsements").build(
        "endorse", {"record_id": "aa" * 32}, event_time=factories.TIME
    )
    assert made.payload.is_authority and made.payload.holder == "licensing.county"


def test_build__personal_data_in_the_clear__is_refused_before_it_is_signed():
    class Watched:
        keyid, signed = "0" * 64, 0

        def sign(self, message):
            self.signed += 1
            return b""

    signer = Watched()
    body = factories.body("movement", counterparty={"type": "foreign", "country": "DE", "name": factories.RESIDENT_ID})
    with pytest.raises(PayloadError) as refused:
        book(signer).build("movement", body, event_time=factories.TIME)
    assert refused.value.code == "personal-data" and signer.signed == 0


def test_build__name_that_may_not_be_disclosed__is_refused(key):
    with pytest.raises(DisclosureError):
        book(key).build(
            "stocktake", factories.body("stocktake"), event_time=factories.TIME, disclosures={"/body/agent/name": "x"}
        )


def test_build__payload_too_large__is_refused(key):
    line = factories.line(batch="x" * 64, trace="y" * 128, container="z" * 64)
    with pytest.raises(TooLargeError):
        book(key).build("stocktake", factories.body("stocktake", lines=[line] * 200), event_time=factories.TIME)


def test_submission__is_strict_json_of_two_members(key):
    made = book(key).build(
        "stocktake", factories.body("stocktake"), event_time=factories.TIME, disclosures={"/body/text": "ok"}
    )
    assert json.loads(made.submission).keys() == {"envelope", "disclosures"}
