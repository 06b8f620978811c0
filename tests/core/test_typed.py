"""The quick way of reading stock records beside the exact one: whatever it takes, the exact reader takes too, and reads the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.core import record
from ledger.core.personal import suspicious
from ledger.core.record import check_payload, parse_payload
from ledger.core.schemas import typed
from ledger.errors import LedgerError
from ledger.model import PayloadHeader
from tests.factories import ABSENT, ID_A, KEY_A, KEY_B, OTHER_HOLDER, SD, TIME, body, encode, line, payload


def movement(**members: Any) -> dict[str, Any]:
    return payload("movement", body={k: v for k, v in {**body("movement"), **members}.items() if v is not ABSENT})


def quantities() -> list[dict[str, str]]:
    return [
        {"value": value, "unit": unit}
        for unit in ("MGM", "GRM", "KGM", "TNE", "MLT", "LTR", "MTQ")
        for value in ("0", "1234567")
    ]


SAMPLES: dict[str, dict[str, Any]] = {
    "movement": payload("movement"),
    "stocktake": payload("stocktake"),
    "close": payload("close"),
    "second of its book": payload("movement", seq=2, prev=ID_A),
    "two signers": payload("movement", signers=[KEY_A, KEY_B]),
    "disclosures": payload("movement", _sd=list(SD), _sd_alg="sha-256"),
    "a person buys": movement(counterparty={"type": "person"}),
    "from abroad": movement(counterparty={"type": "foreign", "country": "DE", "name": "Müller GmbH", "licence": "L-1"}),
    "a loss": movement(reason="loss", loss_cause="spill"),
    "comes in": movement(direction="in", reason="purchase", expected_arrival=ABSENT),
    "a run": movement(reason="consumption", process={"id": "RUN-1", "inputs": [{"record": ID_A, "line": 3}]}),
    "confirmed": movement(confirmed=[{"keyid": KEY_A, "at": TIME}, {"keyid": KEY_B, "at": "2026-03-02T01:30:00.250Z"}]),
    "sealed": movement(lines=[line(packaging="sealed", pieces=3, batch="批 7", trace="T", container="C", expires="2028-02-29")]),
    "explosive": movement(lines=[line(goods="explosive", code="det-8", quantity={"value": "5", "unit": "H87"}, store=ABSENT)]),
    "knives": movement(lines=[line(goods="knife", code="dagger", quantity={"value": "5", "unit": "H87"})]),
    "each unit": movement(lines=[line(quantity=item) for item in quantities()]),
    "decimals": movement(lines=[line(value="0.123456"), line(value="1.123", unit="GRM"), line(value="9.1", unit="TNE")]),
    "spot check": payload("stocktake", body={**body("stocktake"), "challenge": "abcdefgh", "continues": {"site": "S2", "book": "old"}}),
    "nothing there": payload("stocktake", body={**body("stocktake"), "lines": []}),
}  # fmt: skip

ODD: list[Any] = [
    None, True, False, 0, 1, -1, 2**53 - 1, 2**53, -(2**53), [], {}, [None], [{}], {"a": 1}, "", " ", "0", "1", "x", "X", "é", "Ａ",
    "٣", "1.", ".5", "00", "01", "-1", "1e3", "1.0000000", "10000000", "99999999.999999", "10000001", "100000000000", "1000000000000",
    "A" * 31, "A" * 32, "A" * 33, "a" * 32, "a" * 33, "a" * 63, "a" * 64, "a" * 65, "a" * 128, "a" * 129, "é" * 256, "é" * 257,
    "0" * 64, "f" * 64, "F" * 64, "\x7f", "a\x7f", "\u0085", "\u2028", "a b", "a/b", "a:b", "-a", ".a", "_a", "7697-37-2", "7697-37-3",
    "64-17-5", "0064-17-5", "13800138000", "a 13800138000", "in", "out", "loss", "sale", "found", "sealed", "bulk", "H87", "KGM", "MLT",
    "chemical", "explosive", "vehicle", "enterprise", "person", "foreign", OTHER_HOLDER, OTHER_HOLDER[:-1] + "0", "office", "hazledger/x",
    "2026-02-29", "2028-02-29", "9999-12-31", "2026-03-02T09:30:60+08:00", "2026-03-02T09:30:00-00:00", "2026-03-02T09:30:00.5Z",
    "2026-03-02T09:30:00Z", "100", "100.000", "100.001", "068.5", "handlers/0", "handlers/00", "agent", "image/png", "image", "DE", "DEU",
]  # fmt: skip


def paths(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of every member, and of the first two items of every list."""
    for step, value in (
        node.items() if isinstance(node, dict) else enumerate(node[:2]) if isinstance(node, list) else ()
    ):
        yield (*at, step)
        yield from paths(value, (*at, step))


def bent(document: dict[str, Any]) -> Iterator[bytes]:
    """Each member taken away, named otherwise, repeated, and replaced by each odd value; one member more everywhere."""
    document = copy.deepcopy(document)
    for path in [(), *paths(document)]:
        holder: Any = document
        for step in path[:-1]:
            holder = holder[step]
        held = holder[path[-1]] if path else document
        if isinstance(held, dict):
            held["more"] = 1
            yield encode(document)
            del held["more"]
        if isinstance(held, list):
            held += [held[0] if held else 1] * 65
            yield encode(document)
            del held[-65:]
        if not path:
            continue
        for value in ODD:
            holder[path[-1]] = value
            yield encode(document)
        holder[path[-1]] = held
        if isinstance(holder, dict):
            members = list(holder.items())
            holder.pop(path[-1])
            yield encode(document)
            holder[f"{path[-1]}x"] = held
            yield encode(document)
            holder.clear()
            holder.update(members)
    assert parse_payload(encode(document))


def exact(raw: bytes) -> PayloadHeader | LedgerError:
    """By the validator, which `parse_payload` asks where the quick way says nothing."""
    with patch.object(typed, "read", lambda _: None):
        try:
            return parse_payload(raw)
        except LedgerError as error:
            return error


def place(header: PayloadHeader) -> tuple[Any, ...]:
    return tuple(getattr(header, name) for name in PayloadHeader.__struct_fields__)


def same(raw: bytes) -> bool:
    """Compare the two ways; True when the quick one took it."""
    wanted = exact(raw)
    found = typed.read(raw)
    try:
        checked = check_payload(raw)
    except LedgerError as error:
        assert isinstance(wanted, LedgerError), (raw, error)
        assert (error.code, error.detail) == (wanted.code, wanted.detail)
    else:
        assert not isinstance(wanted, LedgerError), (raw, wanted)
        assert place(checked) == place(wanted)
        assert parse_payload(raw) == wanted
    if found is None:
        return False
    head, rest, _ = found
    text = b"{" + raw[raw.index(typed._CUT) + 1 :]
    if head.matches(text) is not None:  # else written again, and then matched
        assert msgspec.json.encode(rest) == text
    if isinstance(wanted, LedgerError):
        # Free text is the caller's to look through, and nothing else.
        assert wanted.code == "personal-data", (raw, wanted)
        assert suspicious(found[2])
    return True


@pytest.mark.parametrize("name", SAMPLES)
def test_read__valid_stock_records__are_taken(name: str) -> None:
    assert same(encode(SAMPLES[name]))


@pytest.mark.parametrize("name", SAMPLES)
def test_read__every_member_bent__takes_nothing_that_the_exact_reader_refuses(name: str) -> None:
    every = list(bent(SAMPLES[name]))
    taken = [raw for raw in every if typed.read(raw) is not None]
    assert len(every) / 4 > len(taken) > 50
    for raw in taken:
        assert same(raw)


def test_read__what_it_does_not_take__is_mostly_refused() -> None:
    """What it leaves to the exact reader although it is valid: long amounts, members without a type."""
    left = [raw for raw in bent(SAMPLES["movement"]) if typed.read(raw) is None][::10]
    assert sum(not isinstance(exact(raw), LedgerError) for raw in left) < len(left) / 50


def test_read__members_in_any_order__are_taken() -> None:
    document = SAMPLES["movement"]
    head = {name: document[name] for name in ("book", "site", "enterprise", "kind", "log", "v")}
    rest = {name: document[name] for name in ("seq", "body", "event_time", "nonce", "signers", "prev")}
    rest["body"] = dict(reversed(document["body"].items()))
    assert same(encode({**head, **rest}))
    assert not same(encode({"seq": 1, **head, **rest}))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"seq":1,', b'"seq":1, '),
        (b'"seq":1,', b'"seq" :1,'),
        (b'"seq":1,', b'"seq":1,"seq":1,'),
        (b'"seq":1,', b'"seq":2,"seq":1,'),
        (b'"seq":1,', b'"seq":1.0,'),
        (b'"seq":1,', b'"seq":1e0,'),
        (b'"seq":1,', b'"seq":-0,'),
        (b'"seq":1,', b'"seq":01,'),
        (b'"seq":1,', b'"seq":"1",'),
        (b'"v":1,', b'"v":1.0,'),
        (b'"v":1,', b'"v":true,'),
        (b'"v":1,', b'"v":1,"v":1,'),
        (b'"v":1,', b'"v": 1,'),
        (b'"site":"S1",', b'"site":"S1","site":"S1",'),
        (b'"site":"S1",', b'"site":"S1","seq":1,'),
        (b'"random_ppm":500', b'"random_ppm":500.0'),
        (b'"random_ppm":500', b'"random_ppm":-0'),
        (b'"random_ppm":500', b'"random_ppm":500,"random_ppm":500'),
        (b'"ref":"H001"', b'"ref":"H001","ref":"H001"'),
        (b'"ref":"H001"', b'"ref":"\\u0048001"'),
        (b"Example", b"E\x01ample"),
        (b"Example", b"E\x00ample"),
        (b"Example", b"E\xffample"),
        (b"Example", b"E\xed\xa0\x80mple"),
        (b"Example", b"E\x7fample"),
        (b"Example", b'Ex"ample'),
        (b"Example", "Exémple".encode()),
        (b"Example", "\U00020000".encode()),
        (b"Example", b"13800138000"),
        (b"Example", "１３８００１３８０００".encode()),
        (b"}}", b"}}\n"),
        (b"}}", b"}} {}"),
        (b'{"v"', b'\xef\xbb\xbf{"v"'),
        (b'{"v"', b' {"v"'),
        (b'{"v"', b'[{"v"'),
    ],
)
def test_read__other_spellings__as_the_exact_reader_says(old: bytes, new: bytes) -> None:
    raw = encode(SAMPLES["movement"])
    assert old in raw
    same(raw[: raw.rindex(old)] + new + raw[raw.rindex(old) + len(old) :])


def test_written_again__every_character_that_may_stand_in_a_string__keeps_its_length() -> None:
    """What the comparison of lengths rests on: what is read without a backslash is never written with one, nor shorter."""
    for first in range(0x20, 0x110000, 0x1000):
        text = "".join(
            chr(c)
            for c in range(first, min(first + 0x1000, 0x110000))
            if not 0xD800 <= c < 0xE000 and chr(c) not in '"\\'
        )
        raw = b'"' + text.encode() + b'"'
        assert msgspec.json.encode(msgspec.json.decode(raw)) == raw


def test_read__numbers_of_persons_in_the_head__are_left_to_the_exact_reader() -> None:
    for name in ("site", "book"):
        assert not same(encode(payload("movement", **{name: "13800138000"})))


def test_made__kinds_that_the_schemas_say_more_of__have_no_type() -> None:
    with pytest.raises(typed.UntypedError):
        typed._made("licence", typed._REST)
    for kind in sorted(record.KINDS - typed.KINDS):
        assert not same(encode(payload(kind)))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_read__any_bytes_spliced_in__agrees_with_the_exact_reader(data: st.DataObject) -> None:
    good = encode(SAMPLES[data.draw(st.sampled_from(sorted(SAMPLES)))])
    at = data.draw(st.integers(0, len(good)))
    word = st.one_of(
        st.binary(max_size=4), st.sampled_from([b'"', b",", b"}", b"]", b'":', b"0", b"null", b'"seq":1,', b"\xc3\xa9"])
    )
    same(good[:at] + data.draw(word) + good[at + data.draw(st.integers(0, 6)) :])


def test_samples__all_members_that_have_a_type__stand_in_one_of_them() -> None:
    """A member that no sample has would be compared nowhere."""
    seen = {step for document in SAMPLES.values() for path in paths(document) for step in path if isinstance(step, str)}
    for kind in typed.KINDS:
        for members in (typed._HEAD, typed._REST):
            waiting, names = [msgspec.inspect.type_info(typed._members(kind, members).type)], set()
            while waiting:
                node = waiting.pop()
                if isinstance(node, msgspec.inspect.StructType):
                    names |= {field.encode_name for field in node.fields}
                    waiting += [field.type for field in node.fields]
                elif isinstance(node, msgspec.inspect.UnionType):
                    waiting += node.types
                elif isinstance(node, msgspec.inspect.ListType):
                    waiting.append(node.item_type)
            assert names - seen == set()
