"""What an operator may set about a chain, in one place, with the reason beside each default."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """How to wait, pay and mine. Seconds unless the name says otherwise."""

    confirmations: int | None = 1
    """Blocks from a transaction's own to the newest, both counted, until it is final; 1 trusts the newest block (a
    chain with immediate finality such as QBFT, or a development chain). None: the node's `finalized` tag, which only
    proof-of-stake networks have; Besu answers "Unknown block" for it on QBFT."""

    program_mines: bool = False
    """The program calls evm_mine: the embedded Anvil, which mines nothing by itself."""

    free_gas: bool = False
    """Gas costs nothing here: fees of 0, so accounts need no funds. Replacing a transaction is then impossible."""

    resend_after_s: float = 30.0
    resend_after_blocks: int = 6
    """A transaction that waits this long, or this many blocks, is sent again at a higher fee: whichever is first."""

    give_up_s: float = 180.0
    """Then ChainTimeoutError; the transaction may still be mined, which the next round finds on the chain."""

    poll_s: float = 0.5
    max_time_off_s: int = 60
    """metaAt is evidence of when a root existed, so nothing is anchored into a block whose time is wrong."""

    lock: Path | None = None
    """A file that all processes using this chain's accounts lock while they send: nonces are theirs in common, and on
    an embedded chain the journal's order then is the chain's order."""
