"""The trust file, strictly: what a verifier believes must have exactly one reading."""

import json

import pytest

from ledger.core.encoding import sha256
from ledger.core.note import NoteSigner
from ledger.core.trust import MAX_TRUST_BYTES, Span, TrustFileError, encode_trust, parse_trust
from tests.world import ORIGIN, World, seeded


@pytest.fixture(scope="module")
def document():
    world = World()
    world.pin()
    return json.loads(world.trust_bytes())


def parsed(document):
    return parse_trust(json.dumps(document).encode())


def changed(document, pointer, value):
    """A deep copy of `document` with the member at `pointer` replaced, or removed when `value` is ..."""
    copy = json.loads(json.dumps(document))
    at = copy
    *path, last = pointer.strip("/").split("/")
    for token in path:
        at = at[int(token) if isinstance(at, list) else token]
    if value is ...:
        del at[last]
    else:
        at[int(last) if isinstance(at, list) else last] = value
    return copy


def test_parse_trust__a_good_file__every_member_read(document):
    trust = parsed(document)
    chain = trust.chains[0]
    assert trust.origin == ORIGIN
    assert (chain.kind, chain.chain_id, chain.genesis) == ("development", 31337, sha256(b"genesis"))
    assert (chain.checkpoint_log.head_slot, chain.checkpoint_log.root_at_slot) == (1, 2)
    assert (chain.checkpoint_log.meta_at_slot, chain.key_registry.grants_slot) == (3, 1)
    assert chain.authorities == (b"\xa1" * 20,)
    assert len(chain.pinned) == 1


def test_parse_trust__digest__of_the_exact_bytes(document):
    raw = json.dumps(document).encode()
    assert parse_trust(raw).digest == sha256(raw)
    assert parse_trust(raw + b"\n").digest == sha256(raw + b"\n")


def test_encode_trust__parsed_again__same(document):
    trust = parsed(document)
    again = parse_trust(encode_trust(trust))
    assert (again.origin, again.log_keys, again.receipt_keys, again.chains) == (
        trust.origin,
        trust.log_keys,
        trust.receipt_keys,
        trust.chains,
    )


OTHER_KEY = NoteSigner("other.example", seeded("log")).verifier.to_vkey()

BAD = {
    "log-key-under-another-name": ("/logKeys/0/vkey", OTHER_KEY),
    "receipt-key-under-another-name": ("/receiptKeys/0/vkey", OTHER_KEY),
    "vkey-with-wrong-id": ("/logKeys/0/vkey", ORIGIN + "+00000000+AQ=="),
    "no-log-key": ("/logKeys", []),
    "no-chain": ("/chains", []),
    "origin-missing": ("/origin", ...),
    "origin-out-of-form": ("/origin", "Upper.example"),
    "unknown-member": ("/chains/0/extra", 1),
    "pinned-missing": ("/chains/0/pinned", ...),
    "kind-unknown": ("/chains/0/kind", "clique"),
    "chain-id-zero": ("/chains/0/chainId", 0),
    "chain-id-true": ("/chains/0/chainId", True),
    "address-too-short": ("/chains/0/checkpointLog/address", "0x" + "11" * 19),
    "address-without-0x": ("/chains/0/checkpointLog/address", "11" * 20),
    "address-not-hex": ("/chains/0/checkpointLog/address", "0x" + "zz" * 20),
    "address-with-line-end": ("/chains/0/checkpointLog/address", "0x" + "11" * 20 + "\n"),
    "code-hash-too-long": ("/chains/0/keyRegistry/codeHash", "0x" + "11" * 33),
    "slot-negative": ("/chains/0/checkpointLog/headSlot", -1),
    "slot-huge": ("/chains/0/checkpointLog/headSlot", 256),
    "no-authority": ("/chains/0/authorities", []),
    "empty-range": ("/chains/0/toSize", 0),
    "negative-from": ("/chains/0/fromSize", -1),
    "from-null": ("/logKeys/0/fromSize", None),
    "validator-twice": (
        "/chains/0/validators",
        [{"fromBlock": 0, "toBlock": None, "addresses": ["0x" + "11" * 20] * 2}],
    ),
    "pinned-hash-too-short": ("/chains/0/pinned/0/hash", "0x11"),
    "pinned-number-a-string": ("/chains/0/pinned/0/number", "1"),
    "chains-an-object": ("/chains", {}),
}


@pytest.mark.parametrize("defect", BAD)
def test_parse_trust__defect__refused_as_check_2(document, defect):
    pointer, value = BAD[defect]
    with pytest.raises(TrustFileError) as caught:
        parsed(changed(document, pointer, value))
    assert caught.value.check == 2
    assert caught.value.code == "trust-file"


def test_parse_trust__two_chains_for_one_size__refused(document):
    two = changed(document, "/chains", [document["chains"][0], changed(document, "/chains/0/fromSize", 9)["chains"][0]])
    with pytest.raises(TrustFileError, match="two chains"):
        parsed(two)


def test_parse_trust__another_version__refused_by_name(document):
    with pytest.raises(TrustFileError, match=r"trust\.v2") as caught:
        parsed(changed(document, "/mediaType", "application/vnd.hazledger.trust.v2+json"))
    assert caught.value.code == "unknown-format"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"\xef\xbb\xbf{}", "bom"),
        (b'{"a":1,"a":2}', "duplicate-member"),
        (b"{}{}", "not-json"),
        (b'{"mediaType":1.5}', "bad-number"),
        (b"[]", "unknown-format"),
        (b"null", "unknown-format"),
    ],
)
def test_parse_trust__not_strict_json__refused(raw, code):
    with pytest.raises(TrustFileError) as caught:
        parse_trust(raw)
    assert caught.value.code == code


def test_parse_trust__larger_than_any_trust_file__refused():
    with pytest.raises(TrustFileError, match="at most"):
        parse_trust(b" " * (MAX_TRUST_BYTES + 1))


def test_span__half_open__ends_outside():
    assert 5 in Span(5, 7)
    assert 6 in Span(5, 7)
    assert 7 not in Span(5, 7)
    assert 4 not in Span(5, 7)
    assert 10**9 in Span(5, None)


def test_trust__ranges__chain_and_keys_of_a_size(document):
    second = NoteSigner(ORIGIN, seeded("second log key")).verifier.to_vkey()
    chains = [
        changed(document, "/chains/0/toSize", 100)["chains"][0],
        changed(changed(document, "/chains/0/fromSize", 100), "/chains/0/chainId", 7)["chains"][0],
    ]
    keys = [{**document["logKeys"][0], "toSize": 50}, {"vkey": second, "fromSize": 40, "toSize": None}]
    trust = parsed(changed(changed(document, "/chains", chains), "/logKeys", keys))
    assert [trust.chain_for(size).chain_id for size in (0, 99, 100, 10**9)] == [31337, 31337, 7, 7]
    in_force = [[key.in_force(size) for key in trust.log_keys] for size in (0, 39, 40, 49, 50)]
    assert in_force == [[True, False], [True, False], [True, True], [True, True], [False, True]]
    assert trust.newest_chain().chain_id == 7


def test_chain_for__no_range_holds_the_size__none(document):
    assert parsed(changed(document, "/chains/0/toSize", 10)).chain_for(10) is None


def test_with_pinned__new_block__pinned_once_with_a_new_digest(document):
    trust = parsed(document)
    more = trust.with_pinned(77, b"\7" * 32)
    assert more.chains[0].pinned_hashes(77) == (b"\7" * 32,)
    assert more.digest != trust.digest
    assert more.with_pinned(77, b"\7" * 32) is more
    assert trust.chains[0].pinned_hashes(77) == ()


def test_with_pinned__size_without_chain__refused(document):
    with pytest.raises(TrustFileError):
        parsed(changed(document, "/chains/0/toSize", 10)).with_pinned(1, bytes(32), size=10)


def test_parse_trust__mixed_case_address__same_account(document):
    mixed = changed(document, "/chains/0/authorities/0", "0x" + "A1a1" * 10)
    assert parsed(mixed).chains[0].authorities == parsed(document).chains[0].authorities


def test_parse_trust__validators__read_and_written(document):
    entry = {"fromBlock": 5, "toBlock": None, "addresses": ["0x" + "11" * 20, "0x" + "22" * 20]}
    trust = parsed(changed(document, "/chains/0/validators", [entry]))
    (validators,) = trust.chains[0].validators
    assert 5 in validators.blocks
    assert 4 not in validators.blocks
    assert validators.addresses == (b"\x11" * 20, b"\x22" * 20)
    assert json.loads(encode_trust(trust))["chains"][0]["validators"] == [entry]
