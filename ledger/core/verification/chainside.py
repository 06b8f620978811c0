"""What a named endpoint says about a whole log: its head, stored roots, and every grant (checks 2, 4, 9 and 10)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledger.core.grants import log_id
from ledger.core.slots import unpack_meta
from ledger.core.trust import TrustFile
from ledger.core.verification.granted import GrantBook
from ledger.core.verification.leaves import AuditFinding
from ledger.core.verification.log import ExpectedRoot
from ledger.core.verification.state import ChainState, ChainView, check_endpoint, open_proof, wanted_slots
from ledger.errors import VerificationError

_SLOTS_A_CALL = 200
"""eth_getProof answers of a few megabytes at most."""


class ChainSide:
    """One endpoint, its identity checked against the trust file (check 2)."""

    def __init__(self, rpc: ChainView, trust: TrustFile, *, size: int | None = None) -> None:
        """Take the chain for checkpoints of `size` (None: the newest).

        Raises:
            OtherChainError: the endpoint serves another chain.
            VerificationError: check 2, the trust file names no chain for this size.
            ChainError: it does not answer.
        """
        chain = trust.newest_chain() if size is None else trust.chain_for(size)
        if chain is None:
            raise VerificationError(f"the trust file names no chain for size {size}", check=2, code="no-chain")
        check_endpoint(rpc, chain)
        self._rpc = rpc
        self.chain = chain
        self._log = log_id(trust.origin)

    def head(self) -> tuple[int, bytes, ChainState]:
        """Size and root of the contract's head, under the newest final block."""
        state = self._state(head=True)
        size, root = state.head()
        return size, root, state

    def stored_roots(self, sizes: Iterable[int]) -> list[ExpectedRoot]:
        """The roots that the contract holds for these sizes, as roots that the log must have."""
        found = []
        wanted = sorted(set(sizes))
        for at in range(0, len(wanted), _SLOTS_A_CALL):
            part = wanted[at : at + _SLOTS_A_CALL]
            state = self._state(sizes=part)
            for size in part:
                stored = state.anchored_root(size)
                if stored.present:
                    block = unpack_meta(stored.meta).block
                    found.append(ExpectedRoot(size, stored.root, f"the contract's storage (block {block})", 9))
        return found

    def compare_grants(self, grants: GrantBook) -> tuple[list[AuditFinding], ChainState]:
        """Check 4 by the registry: every grant that the log states, against its word. And the block that answered."""
        found: list[AuditFinding] = []
        ids = grants.ids()
        state = self._state()
        for at in range(0, len(ids), _SLOTS_A_CALL):
            part = ids[at : at + _SLOTS_A_CALL]
            state = self._state(gs=part)
            for g in part:
                found += grants.compare(g, state.grant_word(g))
        return found, state

    def _state(self, *, gs: Sequence[bytes] = (), sizes: Sequence[int] = (), head: bool = False) -> ChainState:
        wanted = wanted_slots(self.chain, log=self._log, gs=gs, sizes=sizes, head=head)
        state = open_proof(self._rpc.state_proof(wanted), self.chain, self._log)
        state.check_chain()
        state.check_registry()
        state.check_log()
        return state
