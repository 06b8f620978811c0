"""The compiled contracts, as the build script wrote them. Installing hazledger needs no compiler.

Made by `scripts/build-contracts`; a test compiles again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Artefact:
    """One compiled contract."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    """Init code; constructor arguments are appended to it."""
    deployed_bytecode: bytes
    """Run-time code. Immutables are zero in it: the code at an address is compared by `at_address`."""
    immutables: tuple[tuple[int, int], ...]
    """(start, length) of each place in `deployed_bytecode` that the constructor fills in."""
    slots: Mapping[str, int]
    """State variable -> storage slot, for the trust file (formats.md section 8) and for eth_getProof."""
    compiler: str
    """For example "0.8.34+commit.80d5c536"."""

    def at_address(self, code: bytes) -> bool:
        """Whether `code` (from eth_getCode) is this contract's, whatever the constructor's arguments were."""
        if len(code) != len(self.deployed_bytecode):
            return False
        masked = bytearray(code)
        for start, length in self.immutables:
            masked[start : start + length] = bytes(length)
        return bytes(masked) == self.deployed_bytecode


@cache
def load_artefact(name: str) -> Artefact:
    """The artefact of `name`: "CheckpointLog" or "KeyRegistry".

    Raises:
        FileNotFoundError: No contract has this name; a mistake in the program.
    """
    text = resources.files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    document = json.loads(text)
    places = (place for found in document["immutableReferences"].values() for place in found)
    return Artefact(
        name=document["contractName"],
        abi=document["abi"],
        bytecode=bytes.fromhex(document["bytecode"][2:]),
        deployed_bytecode=bytes.fromhex(document["deployedBytecode"][2:]),
        immutables=tuple(sorted((place["start"], place["length"]) for place in places)),
        slots={variable["label"]: int(variable["slot"]) for variable in document["storageLayout"]["storage"]},
        compiler=document["compiler"],
    )
