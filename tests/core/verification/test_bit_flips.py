"""The promise behind the bundle: change any bit of the file, and a numbered check says so.

What may change without harm is documented here and is nothing but spelling: a bit that leaves the parsed content the same
(an equivalent JSON escape, white space). A header that nobody has pinned is not proven false by its hash alone; a flip
that only moves its block number ends as PENDING on check 10, never at the level of the honest bundle.
"""

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.core.bundle import parse_bundle
from ledger.core.verification import Level, verify_bundle
from ledger.core.verification.verdict import EXIT_FAILED, EXIT_PENDING, EXIT_USAGE
from ledger.errors import LedgerError
from tests.core.verification.test_bundle_checks import anchored_world

WORLD = anchored_world()
GOOD = WORLD.bundle_bytes(5)
TRUST = WORLD.trust()
VIEW = WORLD.view()


def same_content(data):
    try:
        one, two = parse_bundle(data), parse_bundle(GOOD)
    except LedgerError:
        return False
    from dataclasses import replace

    bare = lambda b: replace(b, envelope=msgspec.structs.replace(b.envelope, raw=b""))  # noqa: E731
    return bare(one) == bare(two)


def flipped(bit):
    data = bytearray(GOOD)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def assert_noticed(data, *, rpc):
    verdict = verify_bundle(data, TRUST, rpc=rpc, require=Level.ANCHORED_DEV)
    if same_content(data):
        assert verdict.exit_code == 0
        return
    assert verdict.exit_code in (EXIT_FAILED, EXIT_USAGE, EXIT_PENDING), verdict.lines()
    if verdict.exit_code == EXIT_PENDING:
        assert verdict.lift.number == 10
        assert verdict.level <= Level.RECEIVED
    else:
        assert verdict.failed
        assert all(1 <= check.number <= 13 and check.code and check.detail for check in verdict.failed)


@settings(max_examples=400, deadline=None)
@given(st.integers(min_value=0, max_value=len(GOOD) * 8 - 1))
@example(0)
@example(len(GOOD) * 8 - 1)
def test_verify_bundle__any_bit_flipped__a_numbered_failure_offline(bit):
    assert_noticed(flipped(bit), rpc=None)


@settings(max_examples=150, deadline=None)
@given(st.integers(min_value=0, max_value=len(GOOD) * 8 - 1))
def test_verify_bundle__any_bit_flipped__a_numbered_failure_with_an_endpoint(bit):
    data = flipped(bit)
    assert_noticed(data, rpc=VIEW)
    # With an endpoint nothing is left open: a header that is not the chain's is a failure.
    if not same_content(data):
        assert verify_bundle(data, TRUST, rpc=VIEW, require=Level.ANCHORED_DEV).failed


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(min_value=0, max_value=len(GOOD)), st.integers(min_value=0, max_value=60))
def test_verify_bundle__bytes_inserted_or_cut__never_an_exception(insert, at, cut):
    data = GOOD[:at] + insert + GOOD[at + cut :]
    assert_noticed(data, rpc=None)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400))
def test_verify_bundle__garbage__a_numbered_failure(data):
    assert verify_bundle(data, TRUST).failed


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=700), st.integers(min_value=0, max_value=40))
def test_verify_bundle__garbage_for_header_or_node__a_numbered_failure(raw, at):
    from dataclasses import replace

    from ledger.core.bundle import encode_bundle

    good = parse_bundle(GOOD)
    if raw:
        header = verify_bundle(encode_bundle(replace(good, header=raw)), TRUST)
        assert header.failed
        at %= len(good.nodes)
        nodes = (*good.nodes[:at], raw, *good.nodes[at + 1 :])
        assert verify_bundle(encode_bundle(replace(good, nodes=nodes)), TRUST).failed
