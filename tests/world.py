"""A small world in memory: keys, grants, a log, a chain, and whoever makes a bundle out of them.

Everything is made by the product's own encoders, except the trie (tests/trie_builder.py), so that a test can break any
one part and see which numbered check notices. No network, no clock: block n has the time T0 + 12 n.
"""

import json
from dataclasses import dataclass, field, replace

from ledger.core import slots
from ledger.core.bundle import Bundle, BundleKey, encode_bundle
from ledger.core.checkpoint import Checkpoint, sign_checkpoint
from ledger.core.disclosure import make_disclosure, make_sd
from ledger.core.dsse import PAYLOAD_TYPE, encode_envelope, pae, parse_envelope
from ledger.core.encoding import b64_encode, sha256
from ledger.core.entry import entry_of
from ledger.core.grants import grant_id, log_id, pack_word
from ledger.core.ids import credit_code_for
from ledger.core.keys import PrivateKey
from ledger.core.merkle import EMPTY_ROOT, Frontier, inclusion_proof, leaf_hash, node_hash
from ledger.core.note import NoteSigner
from ledger.core.receipt import build_receipt
from ledger.core.record import parse_payload, record_id_of
from ledger.core.tiles import encode_entry_bundle, encode_record_bundle, tile_path
from ledger.core.trie import keccak256
from ledger.core.trust import (
    CheckpointLogContract,
    KeyRegistryContract,
    PinnedBlock,
    Span,
    TrustedChain,
    make_trust,
    parse_trust,
)
from ledger.core.verification.state import select_nodes
from ledger.errors import ChainUnreachableError
from ledger.model import NEVER, BlockRef, Role, Signature, StateProof
from tests.trie_builder import Trie, account_rlp, header_rlp, storage_trie

ORIGIN = "log.example.cn/county"
T0_S = 1_790_000_000
MERGE_MS = 60 * 60 * 1000
HOLDER = credit_code_for("91310000MA1FL0001")
OTHER_HOLDER = credit_code_for("91310000MA1FL0002")
AUTHORITY = "0x" + "a1" * 20
STRANGER = "0x" + "b2" * 20


def seeded(name):
    return PrivateKey.from_ed25519_seed(sha256(name.encode()))


@dataclass
class Grantee:
    """A key with its grant. `spki` may be swapped by a test."""

    key: PrivateKey
    holder: str
    scope: str
    role: Role
    enroller: str = AUTHORITY
    enrolled_at: int = 0
    revoked_at: int = NEVER

    @property
    def g(self):
        return grant_id(ORIGIN, self.key.keyid, self.holder, self.scope, self.role)

    @property
    def word(self):
        return pack_word(self.enroller, self.enrolled_at, self.revoked_at)


@dataclass
class Logged:
    envelope: bytes
    payload: bytes
    received: int
    entry: bytes
    receipt: bytes
    signers: list
    disclosures: list = field(default_factory=list)


class Book:
    """Next seq and prev of one book."""

    def __init__(self, holder, site, book):
        self.holder, self.site, self.book = holder, site, book
        self.seq, self.prev = 0, None


class World:
    def __init__(self, *, kind="development", chain_id=31337, es256=False):
        self.kind = kind
        self.chain_id = chain_id
        self.log_signer = NoteSigner(ORIGIN, seeded("log"))
        self.receipt_signer = NoteSigner(ORIGIN + "/receipt", seeded("receipt"))
        self.grants = {}
        self.logged = []
        self.books = {}
        self.checkpoints = []  # (size, root, note)
        self.anchored = {}  # size -> (root, block, time)
        self.block = 100
        self.roots = {}
        self.extra_storage = 0
        self.code = {"log": sha256(b"CheckpointLog code"), "registry": sha256(b"KeyRegistry code")}
        self.addresses = {"log": b"\x11" * 20, "registry": b"\x22" * 20}
        self.pinned = []
        self.headers = {}
        self.enterprise = self.enrol("enterprise", HOLDER, "S1/acid", Role.ENTERPRISE, es256=es256)

    # --- grants ----------------------------------------------------------------------------------------------------

    def enrol(self, name, holder, scope, role, *, es256=False, **more):
        key = PrivateKey.generate("ES256") if es256 else seeded(name)
        grantee = Grantee(key, holder, scope, role, **more)
        self.grants[name] = grantee
        return grantee

    # --- the log ---------------------------------------------------------------------------------------------------

    def payload(self, *, signers=None, kind="stocktake", body=None, holder=None, site="S1", book="acid", **members):
        signers = signers or [self.enterprise]
        holder = holder or signers[0].holder
        place = self.books.setdefault((holder, site, book), Book(holder, site, book))
        document = {
            "v": 1,
            "log": ORIGIN,
            "kind": kind,
            "enterprise" if signers[0].role is Role.ENTERPRISE else "issuer": holder,
            "site": site,
            "book": book,
            "seq": place.seq + 1,
            "prev": place.prev,
            "signers": sorted(s.key.keyid for s in signers),
            "nonce": sha256(f"{holder}{site}{book}{place.seq}".encode()).hex()[:24],
            "event_time": "2026-09-21T08:00:00+08:00",
            "body": body if body is not None else stocktake_body(),
            **members,
        }
        return json.dumps({k: v for k, v in document.items() if v is not ...}, ensure_ascii=False).encode()

    def envelope(self, payload, signers):
        signers = sorted(signers, key=lambda s: s.key.keyid)
        message = pae(PAYLOAD_TYPE, payload)
        return encode_envelope(payload, [Signature(s.key.keyid, s.key.sign(message)) for s in signers])

    def append(self, *, signers=None, disclosures=(), payload=None, envelope=None, received=None, **members):
        signers = signers or [self.enterprise]
        if disclosures and "_sd" not in members:
            members |= {"_sd": make_sd(disclosures, counting_bytes()), "_sd_alg": "sha-256"}
        payload = payload or self.payload(signers=signers, **members)
        envelope = envelope or self.envelope(payload, signers)
        parsed = parse_payload(payload)
        record_id = record_id_of(payload)
        received = received or T0_S * 1000 + 1000 * len(self.logged)
        keys = {g.key.keyid: g.key for g in self.grants.values()}
        algorithms = [keys[keyid].algorithm for keyid in parsed.signers]
        entry = entry_of(parse_envelope(envelope), parsed, record_id, received, algorithms)
        receipt = build_receipt(
            origin=ORIGIN,
            record_id=record_id,
            leaf_hash=leaf_hash(entry),
            index=len(self.logged),
            received=received,
            merge_by=received + MERGE_MS,
            signer=self.receipt_signer,
        )
        place = self.books.setdefault(
            (parsed.holder, parsed.site, parsed.book), Book(parsed.holder, parsed.site, parsed.book)
        )
        place.seq, place.prev = parsed.seq, record_id
        texts = [d.text for d in disclosures]
        self.logged.append(Logged(envelope, payload, received, entry, receipt, list(signers), texts))
        return len(self.logged) - 1

    def platform(self):
        """The platform's own key; the log's first entry is its grant, which it signs itself."""
        if "platform" not in self.grants:
            self.enrol("platform", "platform.example", "", Role.PLATFORM)
            self.state_grant(self.grants["platform"])
        return self.grants["platform"]

    def state_grant(self, grantee, **changes):
        """Append the `grant` entry that mirrors this grant; `changes` make it say something else."""
        body = {
            "g": grantee.g.hex(),
            "keyid": grantee.key.keyid,
            "spki": b64_encode(grantee.key.public.spki),
            "holder": grantee.holder,
            "scope": grantee.scope,
            "role": int(grantee.role),
            "enroller": grantee.enroller,
            "enrolled_at": grantee.enrolled_at,
            "revoked_at": None if grantee.revoked_at == NEVER else grantee.revoked_at,
            "block": {"number": self.block, "hash": "0x" + "00" * 32, "time": T0_S},
        }
        return self.append(
            signers=[self.grants["platform"]], kind="grant", site="main", book="grants", body=body | changes
        )

    def open(self):
        """Both grants stated: now an audit knows every key."""
        self.platform()
        self.state_grant(self.enterprise)
        return self

    def fill(self, count):
        for _ in range(count):
            self.append()
        return self

    def leaves(self):
        return [leaf_hash(item.entry) for item in self.logged]

    def reader(self):
        leaves = self.leaves()

        def read(level, index):
            if level == 0:
                return leaves[index]
            return node_hash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))

        return read

    def root(self, size=None):
        frontier = Frontier()
        for leaf in self.leaves()[: len(self.logged) if size is None else size]:
            frontier.append(leaf)
        return frontier.root() if frontier.size else EMPTY_ROOT

    def checkpoint(self, *, size=None, root=None, signer=None, origin=ORIGIN):
        size = len(self.logged) if size is None else size
        root = root or self.root(size)
        note = sign_checkpoint(Checkpoint(origin, size, root), signer or self.log_signer)
        self.checkpoints.append((size, root, note))
        return note

    def anchor(self, size=None, root=None):
        size = len(self.logged) if size is None else size
        self.block += 1
        self.anchored[size] = (root or self.root(size), self.block, T0_S + 12 * self.block)
        self.block += 1
        return size

    # --- the chain -------------------------------------------------------------------------------------------------

    def log_words(self):
        log = log_id(ORIGIN)
        words = {}
        for size, (root, block, time) in self.anchored.items():
            words[slots.sized_slot(2, log, size)] = root
            words[slots.sized_slot(3, log, size)] = slots.pack_meta(slots.Meta(time, block))
        if self.anchored:
            head = slots.head_slot(1, log)
            size = max(self.anchored)
            words[head] = slots.word(size)
            words[slots.next_slot(head)] = self.anchored[size][0]
        for n in range(self.extra_storage):
            words[sha256(b"filler%d" % n)] = sha256(b"word%d" % n)
        return words

    def registry_words(self):
        words = {slots.grant_slot(1, g.g): g.word for g in self.grants.values()}
        for n in range(self.extra_storage):
            words[sha256(b"grant filler%d" % n)] = sha256(b"word%d" % n)
        return words

    def state(self):
        """(state trie, log's storage trie, registry's storage trie, header RLP) as of now."""
        log_trie, registry_trie = storage_trie(self.log_words()), storage_trie(self.registry_words())
        accounts = {
            self.addresses["log"]: account_rlp(log_trie.root, self.code["log"]),
            self.addresses["registry"]: account_rlp(registry_trie.root, self.code["registry"]),
        }
        for n in range(40):
            accounts[sha256(b"account%d" % n)[:20]] = account_rlp(Trie({}).root, keccak256(b""), balance=n + 1)
        state = Trie(accounts)
        header = header_rlp(state_root=state.root, number=self.block, timestamp_s=T0_S + 12 * self.block)
        self.headers[self.block] = header
        return state, log_trie, registry_trie, header

    def state_proof(self, wanted=None):
        state, log_trie, registry_trie, header = self.state()
        # As a node does, also for an account that is not there.
        nodes = dict.fromkeys(node for address, _ in wanted or [] for node in state.prove(address))
        for address, trie in ((self.addresses["log"], log_trie), (self.addresses["registry"], registry_trie)):
            nodes |= dict.fromkeys(state.prove(address))
            for slot in dict(wanted or []).get(address, ()):
                nodes |= dict.fromkeys(trie.prove(slot))
            if wanted is None:
                nodes |= dict.fromkeys(trie.nodes.values())
        block = BlockRef(self.block, keccak256(header), T0_S + 12 * self.block)
        return StateProof(block=block, header=header, nodes=tuple(nodes))

    # --- what is handed out ----------------------------------------------------------------------------------------

    def chain(self, **changes):
        chain = TrustedChain(
            sizes=Span(0, None),
            kind=self.kind,
            chain_id=self.chain_id,
            genesis=sha256(b"genesis"),
            checkpoint_log=CheckpointLogContract(self.addresses["log"], sha256(b"CheckpointLog code"), 1, 2, 3),
            key_registry=KeyRegistryContract(self.addresses["registry"], sha256(b"KeyRegistry code"), 1),
            authorities=(bytes.fromhex(AUTHORITY[2:]),),
            validators=(),
            pinned=tuple(self.pinned),
        )
        return replace(chain, **changes)

    def trust(self, **changes):
        return parse_trust(self.trust_bytes(**changes))

    def trust_bytes(self, **changes):
        return make_trust(
            origin=ORIGIN,
            log_vkeys=[self.log_signer.verifier.to_vkey()],
            receipt_vkeys=[self.receipt_signer.verifier.to_vkey()],
            chains=[self.chain(**changes)],
        )

    def pin(self):
        """Pin the current block, as the authority would by hand."""
        header = self.state()[3]
        self.pinned.append(PinnedBlock(self.block, keccak256(header)))

    def bundle(self, index=0, *, anchored=True, size=None, receipt=True, note=None):
        """The bundle object of record `index` under the newest anchored checkpoint (or the newest checkpoint)."""
        item = self.logged[index]
        if size is None:
            size = max(self.anchored) if anchored and self.anchored else len(self.logged)
        note = (
            note or next((n for s, _, n in reversed(self.checkpoints) if s == size), None) or self.checkpoint(size=size)
        )
        signers = sorted(item.signers, key=lambda s: s.key.keyid)
        proof = self.state_proof()
        nodes = select_nodes(
            proof.header,
            proof.nodes,
            self.chain(),
            log=log_id(ORIGIN),
            gs=[s.g for s in signers],
            size=size if anchored else None,
        )
        return Bundle(
            envelope=parse_envelope(item.envelope),
            disclosures=tuple(item.disclosures),
            received=item.received,
            index=index,
            hashes=tuple(inclusion_proof(index, size, self.reader())),
            checkpoint=note,
            keys=tuple(BundleKey(s.key.keyid, s.key.public.spki, s.role, s.scope) for s in signers),
            header=proof.header,
            anchored=anchored,
            nodes=nodes,
            receipt=item.receipt if receipt else None,
        )

    def bundle_bytes(self, index=0, **options):
        return encode_bundle(self.bundle(index, **options))

    def view(self):
        return WorldChain(self)

    def mirror(self):
        """{path: bytes} of checkpoint, hash tiles, entry and record bundles, as served and as `--tiles DIR` reads."""
        files = {}
        size = len(self.logged)
        if self.checkpoints:
            files["checkpoint"] = self.checkpoints[-1][2]
            size = self.checkpoints[-1][0]
        for n in range((size + 255) // 256):
            part = self.logged[n * 256 : min(size, (n + 1) * 256)]
            files[tile_path("entries", n, len(part))] = encode_entry_bundle([item.entry for item in part])
            files[tile_path("records", n, len(part))] = encode_record_bundle([item.envelope for item in part])
        hashes, level = self.leaves()[:size], 0
        while hashes:
            for n in range((len(hashes) + 255) // 256):
                part = hashes[n * 256 : (n + 1) * 256]
                files[tile_path(level, n, len(part))] = b"".join(part)
            whole = len(hashes) // 256
            above = []
            for n in range(whole):
                frontier = Frontier()
                for item in hashes[n * 256 : (n + 1) * 256]:
                    frontier.append(item)
                above.append(frontier.root())
            hashes, level = above, level + 1
        return files


class WorldChain:
    """ChainView over a World: `lie` lets a test replace any one answer."""

    def __init__(self, world):
        self.world = world
        self.lie = {}

    def _answer(self, name, value):
        answer = self.lie.get(name, value)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def chain_id(self):
        return self._answer("chain_id", self.world.chain_id)

    def genesis_hash(self):
        return self._answer("genesis_hash", sha256(b"genesis"))

    def block_hash(self, number):
        header = self.world.headers.get(number)
        return self._answer("block_hash", None if header is None else keccak256(header))

    def state_proof(self, wanted):
        return self._answer("state_proof", None) or self.world.state_proof(wanted)


def unreachable():
    return ChainUnreachableError("no endpoint answered")


def counting_bytes():
    """n -> n bytes, different each time, the same in every run."""
    count = 0

    def draw(n):
        nonlocal count
        count += 1
        return sha256(b"draw %d" % count)[:n]

    return draw


def disclosure(name, value):
    return make_disclosure(name, value, sha256(f"{name}{value}".encode())[:16])


def stocktake_body(amount="12.5", *, code="7664-93-9", store="A1", complete=True):
    return {
        "cut_off": "2026-09-21T08:00:00+08:00",
        "complete": complete,
        "lines": [line(amount, code=code, store=store)],
    }


def line(amount, *, code="7664-93-9", store="A1", unit="KGM", **more):
    return {
        "goods": "chemical",
        "code": code,
        "quantity": {"value": amount, "unit": unit},
        "store": store,
        "packaging": "bulk",
        **more,
    }
