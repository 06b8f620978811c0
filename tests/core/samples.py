"""Valid things for the tests of the core to break: a key of each kind, an envelope, a log with its notes."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.core.dsse import PAYLOAD_TYPE, encode_envelope, pae
from ledger.core.keys import ED25519, ES256, PrivateKey
from ledger.core.note import NoteSigner
from ledger.model import Signature

ORIGIN = "ledger.example/county"
P256 = PrivateKey.generate(ES256)
ED = PrivateKey.generate(ED25519)
LOG_SIGNER = NoteSigner(ORIGIN, ED)
RECEIPT_SIGNER = NoteSigner(f"{ORIGIN}/receipt", PrivateKey.from_ed25519_seed(bytes(range(32))))
PAYLOAD = '{"v":1,"log":"ledger.example/county","body":{"name":"某化工 [a] {b} \\" , :"}}'.encode()


def signed(payload: bytes = PAYLOAD, keys: tuple[PrivateKey, ...] = (P256,)) -> bytes:
    """A compact envelope around `payload`, signed by `keys`."""
    message = pae(PAYLOAD_TYPE, payload)
    return encode_envelope(payload, [Signature(key.keyid, key.sign(message)) for key in keys])


def flips(data: bytes) -> Iterator[bytes]:
    """`data` with each one of its bits flipped."""
    for i in range(len(data)):
        for bit in range(8):
            yield data[:i] + bytes([data[i] ^ (1 << bit)]) + data[i + 1 :]
