from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.core import grants, ids
from ledger.core.grants import (
    MAX_SIZE,
    check_holder,
    check_scope,
    grant_id,
    holder_id,
    log_id,
    pack_word,
    scope_covers,
    scope_id,
    unpack_word,
)
from ledger.core.ids import credit_code_for
from ledger.model import NEVER, Role

ORIGIN, HOLDER, KEYID = "ledger.example/county", "91330100MA27XXXX3K", "0123456789abcdef" * 4


def h(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@pytest.mark.parametrize(("scope", "hashed"), [("S1/acid", h("S1/acid")), ("S1/", h("S1/")), ("", bytes(32))])
@pytest.mark.parametrize("role", list(Role))
def test_grant_id__five_values__are_hashed_in_the_order_of_the_contract(scope: str, hashed: bytes, role: Role) -> None:
    parts = h(ORIGIN) + bytes.fromhex(KEYID) + h(HOLDER) + hashed + bytes(31) + bytes([role])
    assert len(parts) == 160
    assert grant_id(ORIGIN, KEYID, HOLDER, scope, role) == hashlib.sha256(parts).digest()
    assert (log_id(ORIGIN), holder_id(HOLDER), scope_id(scope)) == (h(ORIGIN), h(HOLDER), hashed)


def test_grant_id__any_part_changed__is_another_grant() -> None:
    ids = {
        grant_id(ORIGIN, KEYID, HOLDER, "S1/acid", 1),
        grant_id(ORIGIN + "x", KEYID, HOLDER, "S1/acid", 1),
        grant_id(ORIGIN, "f" * 64, HOLDER, "S1/acid", 1),
        grant_id(ORIGIN, KEYID, HOLDER + "x", "S1/acid", 1),
        grant_id(ORIGIN, KEYID, HOLDER, "S1/", 1),
        grant_id(ORIGIN, KEYID, HOLDER, "S1", 1),
        grant_id(ORIGIN, KEYID, HOLDER, "", 1),
        grant_id(ORIGIN, KEYID, HOLDER, "S1/acid", 2),
    }
    assert len(ids) == 8


def test_grant_id__keyid_or_role_out_of_form__is_refused() -> None:
    for keyid, role in (("x", 1), (KEYID.upper(), 1), (KEYID[:-1], 1), (KEYID, 0), (KEYID, -1), (KEYID, 256)):
        with pytest.raises(ValueError, match="form"):
            grant_id(ORIGIN, keyid, HOLDER, "", role)


def test_grant_id__largest_role__is_taken() -> None:
    assert len(grant_id(ORIGIN, KEYID, HOLDER, "", 255)) == 32


def test_pack_word__parts__stand_as_in_the_contract() -> None:
    enroller = "0x" + "ab" * 20
    assert pack_word(enroller, 5, NEVER).hex() == "ab" * 20 + "000000000005" + "ffffffffffff"
    assert pack_word(enroller, 1, 2**40 + 7).hex() == "ab" * 20 + "000000000001" + "010000000007"


@given(st.binary(min_size=32, max_size=32))
def test_unpack_word__any_word__packs_again(word: bytes) -> None:
    assert pack_word(*unpack_word(word)) == word


def test_word__parts_out_of_form__are_refused() -> None:
    good = "0x" + "ab" * 20
    for enroller, enrolled_at, revoked_at in (
        (good[2:], 0, 0), (good.upper(), 0, 0), ("0x" + "AB" * 20, 0, 0), (good + "a", 0, 0), (good, -1, 0), (good, 0, -1), (good, MAX_SIZE + 1, 0), (good, 0, MAX_SIZE + 1),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="address|48 bits"):
            pack_word(enroller, enrolled_at, revoked_at)
    for length in (0, 31, 33):
        with pytest.raises(ValueError, match="32 bytes"):
            unpack_word(bytes(length))
    assert unpack_word(pack_word(good, MAX_SIZE, MAX_SIZE)) == (good, MAX_SIZE, MAX_SIZE)
    assert MAX_SIZE == NEVER


COVERS = [
    ("", "S1", "acid", True),
    ("S1/", "S1", "acid", True),
    ("S1/acid", "S1", "acid", True),
    ("S1/acid", "S1", "acid2", False),
    ("S1/acid", "S1", "base", False),
    ("S1/", "S10", "acid", False),
    ("S1", "S1", "acid", False),
    ("S1/ac", "S1", "acid", False),
    ("/", "S1", "acid", False),
    ("S1/*", "S1", "acid", False),
    ("s1/", "S1", "acid", False),
    ("S2/acid", "S1", "acid", False),
]


@pytest.mark.parametrize(("scope", "site", "book", "covered"), COVERS)
def test_scope_covers__all_site_or_book__and_nothing_like_it(scope: str, site: str, book: str, covered: bool) -> None:
    assert scope_covers(scope, site, book) is covered


@pytest.mark.parametrize("scope", ["", "S1/", "S1/acid", "a/" + "b" * 32])
def test_check_scope__what_the_schema_takes__passes(scope: str) -> None:
    check_scope(scope)


@pytest.mark.parametrize("scope", ["S1", "S1 acid", "/", "/acid", "S1/acid/", "S1/acid\n", "a/" + "b" * 33, "库/a"])
def test_check_scope__what_the_schema_refuses__is_refused(scope: str) -> None:
    with pytest.raises(ValueError, match="site/book"):
        check_scope(scope)


def test_check_scope__pattern__is_that_of_the_schema() -> None:
    path = Path(grants.__file__).parent / "schemas" / "record" / "v1"
    body = json.loads((path / "grant.json").read_text())["$defs"]["body"]["properties"]
    issuer = json.loads((path / "_common.json").read_text())["$defs"]["issuer"]
    assert rf"^{grants._SCOPE.pattern}$" == body["scope"]["pattern"]
    assert rf"^{ids._ISSUER.pattern}$" == issuer["pattern"]


def test_check_holder__credit_code_or_issuer__nothing_else() -> None:
    check_holder(credit_code_for("91320100MA1P77777"))
    check_holder("supervisor")
    for holder in ("Wang Wei", "", "91320100MA1P77777A", "x"):
        with pytest.raises(ValueError):
            check_holder(holder)
