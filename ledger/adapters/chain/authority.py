"""EvmAuthority: grants and revocations by the authority's own account (ports.Authority)."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.adapters.chain.contracts import KeyRegistry
from ledger.adapters.chain.evm import EvmChain
from ledger.adapters.chain.transactions import Call
from ledger.core.grants import grant_id, holder_id, log_id, scope_id, unpack_word
from ledger.errors import ChainReorgError
from ledger.model import Enrolment, TreeSize

# 64 enrolments are about 5 million gas: they fit into one block of any network.
_BATCH = 64


class EvmAuthority:
    """`chain` is an EvmChain of its own, whose account is the authority's and whose journal is the common one."""

    def __init__(self, chain: EvmChain) -> None:
        self._chain = chain
        self._registry = KeyRegistry()
        self._address = chain.trusted.key_registry.address

    def enrol(self, keyid: str, holder: str, scope: str, role: int) -> tuple[bytes, TreeSize]:
        """ports.Authority.enrol.

        Raises:
            ChainRevertedError: `reason` is GrantExists, or AccessControlUnauthorizedAccount.
        """
        return self._enrol([(keyid, holder, scope, role)])[0]

    def enrol_many(self, enrolments: Sequence[Enrolment]) -> list[tuple[bytes, TreeSize]]:
        """As `enrol`, many in a block: (g, enrolledAt) of each, in order, once all are final.

        A batch is tried as a whole before any of it is sent; what went through before a failure stays.
        """
        wanted = [(e.keyid, e.holder, e.scope, int(e.role)) for e in enrolments]
        return [done for at in range(0, len(wanted), _BATCH) for done in self._enrol(wanted[at : at + _BATCH])]

    def revoke(self, g: bytes, at: TreeSize) -> None:
        """ports.Authority.revoke.

        Raises:
            ChainRevertedError: `reason` is NotEarlier: no such grant, or it ends no later than `at` already.
        """
        self._send([Call("revoke", self._registry, self._address, self._registry.revoke(g, at))], [g], at)

    def _enrol(self, wanted: Sequence[tuple[str, str, str, int]]) -> list[tuple[bytes, TreeSize]]:
        origin, registry = self._chain.origin, self._registry
        gs = [grant_id(origin, *words) for words in wanted]
        calls = [
            Call(
                "enrol",
                registry,
                self._address,
                registry.enrol(log_id(origin), bytes.fromhex(keyid), holder_id(holder), scope_id(scope), role),
            )
            for keyid, holder, scope, role in wanted
        ]
        words = self._send(calls, gs, None)
        return [(g, TreeSize(unpack_word(word)[1])) for g, word in zip(gs, words, strict=True)]

    def _send(self, calls: Sequence[Call], gs: Sequence[bytes], revoked_at: int | None) -> list[bytes]:
        """Send and wait until final; the words of `gs` then."""
        sender = self._chain.sender()

        def is_done() -> bool:
            words = self._chain.grant_words(gs)
            return all(any(w) and (revoked_at is None or unpack_word(w)[2] == revoked_at) for w in words)

        with sender.turn():
            self._chain.recover(in_turn=True)
            self._chain.check_identity()
            mined = self._chain.send_once_more(sender, calls, is_done)
        for transaction in mined or ():
            sender.wait_final(transaction)
        words = self._chain.grant_words(gs)
        if not all(any(word) for word in words):
            raise ChainReorgError("a grant was mined and is not in the final state")
        return words
