"""The directory of enrolments: one file that nobody can use must not stop the others."""

from __future__ import annotations

import json
import logging

import pytest

from ledger.adapters.enrolments import EnrolmentDirectory, save_enrolment
from ledger.adapters.keystore.signing import create_key, public_key_of
from ledger.core.ids import credit_code_for
from ledger.core.keys import load_public_key
from ledger.model import Enrolment, Role

ORIGIN = "ledger.example/county"
HOLDER = credit_code_for("91320100MA1P77777")


@pytest.fixture
def spki(tmp_path):
    create_key(tmp_path / "a.key", "ES256", "a passphrase for this test")
    return public_key_of(tmp_path / "a.key")


def saved(directory, spki, *, holder=HOLDER, scope=""):
    keyid = load_public_key(spki).keyid
    return save_enrolment(directory, ORIGIN, Enrolment(keyid, spki, holder, scope, Role.ENTERPRISE))


@pytest.mark.parametrize("wrong", [{"scope": "S1 acid"}, {"scope": "S1"}, {"holder": "Wang Wei"}])
def test_all__words_that_the_log_cannot_carry__are_left_out_and_named_once(tmp_path, spki, caplog, wrong):
    directory = tmp_path / "enrolments"
    saved(directory, spki, scope="S1/")
    bad = saved(directory, spki, **wrong)
    enrolments = EnrolmentDirectory(directory)
    with caplog.at_level(logging.WARNING):
        assert [one.scope for one in enrolments.all()] == ["S1/"]
        assert [one.scope for one in enrolments.all()] == ["S1/"]
    assert caplog.text.count(bad.name) == 1


def test_all__file_mended__counts_from_then_on(tmp_path, spki):
    directory = tmp_path / "enrolments"
    path = saved(directory, spki, scope="S1/")
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    enrolments = EnrolmentDirectory(directory)
    assert enrolments.all() == []
    path.write_bytes(whole)
    assert [one.scope for one in enrolments.all()] == [json.loads(whole)["scope"]]
