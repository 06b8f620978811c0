"""Is this the chain and are these the contracts that the trust file names?"""

from __future__ import annotations

from ledger.adapters.chain.artefacts import Artefact
from ledger.adapters.chain.rpc import Rpc, from_hex
from ledger.core.trie import keccak256
from ledger.core.trust import TrustedChain
from ledger.errors import ChainMismatchError


def check_identity(rpc: Rpc, trusted: TrustedChain, artefacts: tuple[Artefact, Artefact]) -> None:
    """Chain id and genesis (by `rpc`, at each endpoint it uses), then code and slots.

    Raises:
        ChainMismatchError: All that differs, in one message.
    """
    log, registry = trusted.checkpoint_log, trusted.key_registry
    wrong = []
    for artefact, address, code_hash in zip(
        artefacts, (log.address, registry.address), (log.code_hash, registry.code_hash), strict=True
    ):
        code = from_hex(rpc.call("eth_getCode", "0x" + address.hex(), "latest"))
        if not code:
            wrong.append(f"no contract at 0x{address.hex()} ({artefact.name})")
        elif keccak256(code) != code_hash:
            wrong.append(
                f"{artefact.name}: code hash 0x{keccak256(code).hex()}, the trust file names 0x{code_hash.hex()}"
            )
        elif not artefact.at_address(code):
            wrong.append(f"{artefact.name}: the trust file's code is not the contract this program was built with")
    named = (
        ("head", log.head_slot, artefacts[0].slots),
        ("rootAt", log.root_at_slot, artefacts[0].slots),
        ("metaAt", log.meta_at_slot, artefacts[0].slots),
        ("grants", registry.grants_slot, artefacts[1].slots),
    )
    wrong += [
        f"slot of {name} is {slots[name]}, the trust file names {slot}"
        for name, slot, slots in named
        if slots[name] != slot
    ]
    if wrong:
        raise ChainMismatchError("; ".join(wrong))
