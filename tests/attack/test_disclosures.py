"""Disclosures travel unsigned beside the envelope: what can somebody do with them who is not the signer, or lies?"""

import json
import os

import pytest

from ledger.core import schemas
from ledger.core.disclosure import make_disclosure, make_sd
from ledger.errors import DisclosureError
from ledger.flow import submit, submit_batch
from tests import kit

NAME, ID = (template.replace("{n}", "0") for template in schemas.schema("movement")["x-disclosures"][:2])


@pytest.fixture
def log(tmp_path):
    log = kit.Log(tmp_path)
    yield log
    log.close()


def disclose(pointer, value):
    return make_disclosure(pointer, value, os.urandom(16))


def submission(envelope, *disclosures):
    texts = json.dumps([d.text for d in disclosures]).encode()
    return b'{"envelope":' + envelope + b',"disclosures":' + texts + b"}"


def movement(log, *disclosures):
    book = log.enterprise()
    log.submit(book.next("stocktake"))
    return book.next("movement", _sd=make_sd(disclosures, os.urandom), _sd_alg="sha-256")


def refusals(log):
    return [r for r in log.stores.log.records(0, 1000) if r.kind == "refusal"]


def test_repeat__a_second_disclosure_of_the_same_name__refused_and_the_bundle_still_verifies(log):
    one, two = disclose(NAME, "one"), disclose(NAME, "two")
    envelope = movement(log, one, two)
    record_id = submit(submission(envelope, one), kit.SUBMISSION, log.door).receipt.record_id
    for tries in ([two], [one, two], [two]):
        with pytest.raises(DisclosureError) as refused:
            submit(submission(envelope, *tries), kit.SUBMISSION, log.door)
        assert refused.value.code == "disclosure-repeated" and refused.value.refusal is None
    assert list(log.stores.log.disclosures(record_id)) == [one.text]
    assert not refusals(log)


def test_repeat__in_the_same_commit__disclosures_are_not_lost(log):
    one, two = disclose(NAME, "one"), disclose(ID, "two")
    envelope = movement(log, one, two)
    batch = [submission(envelope, one), submission(envelope, two), submission(envelope, two), submission(envelope)]
    answers = submit_batch(batch, log.door)
    assert [answer.repeat for answer in answers] == [False, True, True, True]
    assert set(log.stores.log.disclosures(answers[0].receipt.record_id)) == {one.text, two.text}


def test_repeat__in_the_same_commit_a_name_twice__refused(log):
    one, two = disclose(NAME, "one"), disclose(NAME, "two")
    envelope = movement(log, one, two)
    first, second = submit_batch([submission(envelope, one), submission(envelope, two)], log.door)
    assert isinstance(second, DisclosureError) and second.code == "disclosure-repeated"
    assert list(log.stores.log.disclosures(first.receipt.record_id)) == [one.text]


def test_repeat__a_stranger_with_wrong_disclosures__no_refusal_in_the_signers_name(log):
    envelope = movement(log)
    receipt = submit(submission(envelope), kit.SUBMISSION, log.door).receipt
    with pytest.raises(DisclosureError) as refused:
        submit(submission(envelope, disclose(NAME, "a stranger's")), kit.SUBMISSION, log.door)
    assert refused.value.refusal is None and not refusals(log)
    assert submit(submission(envelope), kit.SUBMISSION, log.door).receipt == receipt
