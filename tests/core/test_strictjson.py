from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.core import strictjson
from ledger.core.strictjson import MAX_INTEGER, loads, loads_members
from ledger.errors import MalformedRecordError

REFUSED = {
    "invalid UTF-8": (b'"\xff"', "not-utf8"),
    "overlong UTF-8": (b'"\xc0\x80"', "not-utf8"),
    "surrogate as UTF-8": (b'"\xed\xa0\x80"', "not-utf8"),
    "beyond U+10FFFF": (b'"\xf4\x90\x80\x80"', "not-utf8"),
    "truncated UTF-8": (b'"\xe4\xb8', "not-utf8"),
    "UTF-16": ('{"a":1}'.encode("utf-16-le"), "not-json"),
    "byte order mark": (b'\xef\xbb\xbf{"a":1}', "bom"),
    "empty": (b"", "not-json"),
    "only white space": (b" \n", "not-json"),
    "two values": (b"1 2", "not-json"),
    "trailing comma in an object": (b'{"a":1,}', "not-json"),
    "trailing comma in an array": (b"[1,]", "not-json"),
    "leading comma": (b'{,"a":1}', "not-json"),
    "single quotes": (b"{'a':1}", "not-json"),
    "bare name": (b"{a:1}", "not-json"),
    "number as a name": (b"{1:1}", "not-json"),
    "comment": (b"/* */1", "not-json"),
    "unfinished object": (b'{"a":1', "not-json"),
    "unfinished string": (b'{"a":"', "not-json"),
    "missing colon": (b'{"a" 1}', "not-json"),
    "raw control character": (b'"a\x01b"', "not-json"),
    "raw tab": (b'"a\tb"', "not-json"),
    "raw U+0000": (b'"a\x00b"', "not-json"),
    "raw U+0000 after the value": (b"{}\x00", "not-json"),
    "vertical tab as white space": (b"\x0b1", "not-json"),
    "no-break space as white space": ("\u00a01".encode(), "not-json"),
    "unknown escape": (b'"\\x41"', "not-json"),
    "short escape": (b'"\\u12"', "not-json"),
    "escape with a sign": (b'"\\u+123"', "not-json"),
    "capital literal": (b"True", "not-json"),
    "plus sign": (b"+1", "not-json"),
    "leading zero": (b"01", "not-json"),
    "negative leading zero": (b"-01", "bad-number"),
    "bare minus": (b"-", "not-json"),
    "hexadecimal": (b"0x10", "not-json"),
    "full width digit": ("１".encode(), "not-json"),
    "NaN": (b"NaN", "bad-number"),
    "Infinity": (b"[Infinity]", "bad-number"),
    "-Infinity": (b'{"a":-Infinity}', "bad-number"),
    "fraction": (b"[1.5]", "bad-number"),
    "fraction that is whole": (b'{"a":1.0}', "bad-number"),
    "exponent": (b'{"a":1e3}', "bad-number"),
    "negative zero": (b"-0", "bad-number"),
    "negative zero in an object": (b'{"a":-0}', "bad-number"),
    "negative zero in an array": (b"[1,-0]", "bad-number"),
    "2^53": (b"[9007199254740992]", "bad-number"),
    "-2^53": (b'{"a":-9007199254740992}', "bad-number"),
    "2^64": (b"18446744073709551616", "bad-number"),
    "5000 digits": (b"1" * 5000, "bad-number"),
    "duplicate": (b'{"a":1,"a":1}', "duplicate-member"),
    "duplicate deep inside": (b'[{"x":[{"b":{"a":1,"c":2,"a":3}}]}]', "duplicate-member"),
    "duplicate by an escape": (b'{"a":1,"\\u0061":2}', "duplicate-member"),
    "duplicate by an escaped solidus": (b'{"a/b":1,"a\\/b":2}', "duplicate-member"),
    "duplicate before a gap": (b'{"a" :1,"a":2}', "duplicate-member"),
    "duplicate before a tab": (b'{"a":1,"a"\t:2}', "duplicate-member"),
    "duplicate before a line end": (b'{"a":1,"a"\r\n:2}', "duplicate-member"),
    "duplicate hidden by a gap and a string": (b'{"a" :":","a":1}', "duplicate-member"),
    "duplicate objects": (b'{"a":{"x":1,"y":2},"a":{}}', "duplicate-member"),
    "duplicate empty names": (b'{"":1,"":2}', "duplicate-member"),
    "escaped U+0000": (b'"\\u0000"', "bad-string"),
    "escaped U+0000 in a name": (b'{"a\\u0000b":1}', "bad-string"),
    "lone high surrogate": (b'["\\ud800"]', "bad-string"),
    "lone low surrogate": (b'{"a":{"b":"\\uDfFf"}}', "bad-string"),
    "surrogates in the wrong order": (b'"\\udc00\\ud800"', "bad-string"),
    "lone surrogate in a name": (b'{"\\udbff":1}', "bad-string"),
    "arrays 17 deep": (b"[" * 17 + b"]" * 17, "too-deep"),
    "objects 17 deep": (b'{"a":' * 16 + b"{}" + b"}" * 16, "too-deep"),
    "a number at depth 17": (b"[" * 16 + b"1" + b"]" * 16, "too-deep"),
    "a string at depth 17": (b'{"a":' * 16 + b'""' + b"}" * 16, "too-deep"),
    "17 deep beside brackets in a string": (b'["]]]",' + b"[" * 16 + b"]" * 17, "too-deep"),
    "arrays 100,000 deep": (b"[" * 100_000 + b"]" * 100_000, "too-deep"),
    "objects 100,000 deep": (b'{"a":' * 100_000, "too-deep"),
}


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_loads__refused_form__says_which(data: bytes, code: str) -> None:
    with pytest.raises(MalformedRecordError) as caught:
        loads(data)
    assert caught.value.code == code
    assert caught.value.check == 1


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_loads_members__refused_form_as_a_member__says_the_same(data: bytes, code: str) -> None:
    with pytest.raises(MalformedRecordError) as caught:
        loads_members(b'{"m":' + data + b"}")
    assert caught.value.code == code or code in ("bom", "not-json")


TAKEN = {
    "empty object": (b"{}", {}),
    "empty array": (b" [ ] ", []),
    "white space of each kind": (b' \t\r\n{ \t"a"\r\n: [ 1 , 2 ] }\n', {"a": [1, 2]}),
    "literals": (b"[true,false,null]", [True, False, None]),
    "largest integer": (b"9007199254740991", MAX_INTEGER),
    "smallest integer": (b"[-9007199254740991]", [-MAX_INTEGER]),
    "zero": (b'{"a":0}', {"a": 0}),
    "zero beside a date": (b'{"a":0,"d":"2026-01-05"}', {"a": 0, "d": "2026-01-05"}),
    "minus zero in a string": (b'["-0",0]', ["-0", 0]),
    "same name in two objects": (b'[{"a":1},{"a":{"a":2}}]', [{"a": 1}, {"a": {"a": 2}}]),
    "names that differ in case": (b'{"a":1,"A":2}', {"a": 1, "A": 2}),
    "names that differ in normal form": ('{"é":1,"e\u0301":2}'.encode(), {"é": 1, "e\u0301": 2}),
    "strings that look like members": (
        b'{"a":":","b":"\\":","c\\":":"{\\"a\\":1}"}',
        {"a": ":", "b": '":', 'c":': '{"a":1}'},
    ),
    "surrogate pair": (b'"\\ud83d\\ude00"', "😀"),
    "escaped backslash before u0000": (b'"\\\\u0000"', "\\u0000"),
    "escapes": (b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"', '"\\/\b\f\n\r\té'),
    "delete and noncharacters": ('"\x7f\ufffe"'.encode(), "\x7f\ufffe"),
    "Chinese": ('{"名":"硫酸"}'.encode(), {"名": "硫酸"}),
    "arrays 16 deep": (b"[" * 16 + b"]" * 16, json.loads("[" * 16 + "]" * 16)),
    "a number at depth 16": (b"[" * 15 + b"1" + b"]" * 15, json.loads("[" * 15 + "1" + "]" * 15)),
    "many brackets in a string": (b'["' + b"[{" * 50 + b'"]', ["[{" * 50]),
}


@pytest.mark.parametrize(("data", "value"), TAKEN.values(), ids=TAKEN.keys())
def test_loads__allowed_form__gives_the_value(data: bytes, value: Any) -> None:
    assert loads(data) == value
    assert json.dumps(loads(data)) == json.dumps(value)  # True is not 1, 1 is not 1.0, and the order is kept


def _either(reader: Any, data: bytes) -> Any:
    try:
        return repr(reader(data))
    except MalformedRecordError as error:
        return error.code


_SCRAPS = st.lists(
    st.sampled_from(
        [
            '"a"',
            '"b"',
            ":",
            ",",
            "{",
            "}",
            "[",
            "]",
            " ",
            "\t",
            "\n",
            "0",
            "-",
            "1",
            ".",
            "e",
            '"',
            "\\",
            "u0061",
            "true",
            "null",
        ]
        + [
            '"":',
            '"a":1',
            '{"a":',
            "-0",
            '":"',
            '"a" :',
            "é",
            "\x00",
            "\\ud800",
            "9007199254740991",
            "9007199254740992",
            "[[[[[[[",
            "]]]]]]]",
            '{"a":{"a":{"a":',
            "}}}",
            '"[]"',
            '"]"',
            '""',
        ]
    ),
    max_size=14,
).map("".join)


@given(_SCRAPS)
@example('{"a":1,"a":1}')
@example('{"a" :1,"a":1}')
@example('{"a":[-0]}')
def test_loads__scraps_of_json__quick_and_exact_reader_agree(text: str) -> None:
    data = text.encode()
    assert _either(loads, data) == _either(strictjson._loads_exactly, data)
    assert _either(loads_members, data) == _either(strictjson._loads_members_exactly, data)


_AROUND = st.sampled_from(
    ["[{}]", '["[",{}]', '["",[[]],{},"}}"]', '{{"a":{}}}', '{{"a":[],"]":{}}}', '{{"":"","b":{}}}']
)


@given(st.lists(_AROUND, min_size=5, max_size=18), st.sampled_from(["1", '""', '"["', "[]", "{}", '[1,"]"]']))
def test_loads__compact_and_about_as_deep_as_allowed__quick_and_exact_reader_agree(
    around: list[str], text: str
) -> None:
    for template in around:
        text = template.format(text)
    assert json.dumps(json.loads(text), separators=(",", ":")) == text  # else the quick way is not even tried
    assert _either(loads, text.encode()) == _either(strictjson._loads_exactly, text.encode())


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4), inner, max_size=4
        )
    ),
    max_leaves=20,
)
_STYLES = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: "), (",", " :")])


@given(_JSON, _STYLES, st.booleans())
def test_loads__any_document_in_any_spelling__comes_back(
    value: Any, separators: tuple[str, str], ascii_only: bool
) -> None:
    data = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
    assert json.dumps(loads(data)) == json.dumps(value)


@given(_JSON, _STYLES, st.booleans(), st.integers(0, 10**6), st.integers(0, 7))
def test_loads__one_bit_flipped__quick_and_exact_reader_agree(
    value: Any, separators: tuple[str, str], ascii_only: bool, at: int, bit: int
) -> None:
    data = bytearray(json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode())
    data[at % len(data)] ^= 1 << bit
    assert _either(loads, bytes(data)) == _either(strictjson._loads_exactly, bytes(data))


@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4), _JSON, max_size=5
    ),
    st.data(),
)
def test_loads_members__any_object__gives_each_value_with_its_exact_bytes(
    members: dict[str, Any], data: st.DataObject
) -> None:
    space = st.text(" \t\r\n", max_size=3)
    spelled = {}
    parts = []
    for name, value in members.items():
        separators, ascii_only = data.draw(_STYLES), data.draw(st.booleans())
        spelled[name] = json.dumps(value, separators=separators, ensure_ascii=ascii_only)
        key = json.dumps(name, ensure_ascii=data.draw(st.booleans()))
        parts.append(f"{data.draw(space)}{key}{data.draw(space)}:{data.draw(space)}{spelled[name]}{data.draw(space)}")
    text = f"{data.draw(space)}{{{','.join(parts) or data.draw(space)}}}{data.draw(space)}"
    got = loads_members(text.encode())
    assert list(got) == list(members)
    for name, (value, raw) in got.items():
        assert raw == spelled[name].encode()
        assert json.dumps(value) == json.dumps(members[name])


@pytest.mark.parametrize("data", [b"[]", b"1", b'"a"', b"null", b'[{"a":1}]'])
def test_loads_members__no_object__is_refused(data: bytes) -> None:
    with pytest.raises(MalformedRecordError) as caught:
        loads_members(data)
    assert caught.value.code == "not-an-object"


@pytest.mark.parametrize(
    "data", [b"[" * 60_000, b'{"a":' * 12_000, b'"' + b"\\u0041" * 10_000 + b'"', b"9" * 60_000, b"[" + b"0," * 30_000]
)
def test_loads__hostile_and_large__answers_at_once(data: bytes) -> None:
    start = time.process_time()
    try:
        loads(data)
    except MalformedRecordError:
        pass
    assert time.process_time() - start < 0.5


def test_loads__100_000_deep_where_a_library_has_raised_the_recursion_limit__refused_and_still_alive() -> None:
    """In a process of its own: what is tested is that it does not die of SIGSEGV."""
    import subprocess
    import sys

    program = (
        "import sys; sys.setrecursionlimit(10**6)\n"
        "from ledger.core.strictjson import loads, loads_members\n"
        "from ledger.errors import MalformedRecordError\n"
        "for data in (b'[' * 120_000, b'{\"a\":' * 20_000, b'[\"]]]]\",' * 15_000, b'{\"x\":' + b'[' * 90_000):\n"
        "    for read in (loads, loads_members):\n"
        "        try: read(data)\n"
        "        except MalformedRecordError as error: assert error.code == 'too-deep', error.code\n"
        "        else: raise SystemExit('taken')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
