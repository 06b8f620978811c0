"""Compiles the contracts through py-solc-x and writes the artefacts. Not needed at run time.

The compiler is the native solc where it can be had, else npm's solc in Node.js behind `contracts/solc`; both give the
same bytes, which `--check` relies on. Nothing is written outside the checkout: py-solc-x's own default is the home
directory. What is not checked: the native compiler's digest against a list of ours; a wrong one shows as a difference
from the committed artefacts.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import posixpath
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import solcx
from solcx.exceptions import SolcError

from ledger.errors import LedgerError

CONTRACTS = ("CheckpointLog", "KeyRegistry")
ARTEFACTS = Path(__file__).parent / "artefacts"
CHECKOUT = Path(__file__).parents[3]

# A machine without the internet must not wait longer than this for a download that cannot succeed.
NATIVE_TIMEOUT_S = 90

# London: runs on Anvil, Ganache and older permissioned chains alike. Paths in `sources` are relative to contracts/,
# so the metadata hash at the end of the bytecode is the same in every checkout.
SETTINGS: dict[str, Any] = {
    "evmVersion": "london",
    "optimizer": {"enabled": True, "runs": 10_000},
    "remappings": [],
    "outputSelection": {
        "*": {
            "*": [
                "abi",
                "evm.bytecode.object",
                "evm.deployedBytecode.object",
                "evm.deployedBytecode.immutableReferences",
                "storageLayout",
            ]
        }
    },
}

_IMPORT = re.compile(r'^\s*import\s[^;"]*"([^"]+)"\s*;', re.MULTILINE)


class CompileError(LedgerError):
    """No compiler runs, a source is missing, or the compiler refuses one. Install, or correct the source."""

    default_code = "compile"


def compile_contracts(contracts: Path, cache: Path) -> dict[str, dict[str, Any]]:
    """Compiles every contract afresh.

    Args:
        contracts: The folder with `src/` and an installed `node_modules/`.
        cache: Where a native compiler is kept, or downloaded to.

    Returns:
        Contract name -> artefact document, in the form that `load_artefact` reads.

    Raises:
        CompileError: see there.
    """
    sources = _sources(contracts)
    solc = find_solc(contracts, cache)
    standard = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in sources.items()},
        "settings": SETTINGS,
    }
    try:
        output = solcx.compile_standard(standard, solc_binary=solc)
        version = solcx.wrapper.get_version_str_from_solc_binary(solc)
    except (SolcError, OSError, subprocess.SubprocessError) as error:
        raise CompileError(f"{solc.name}: {error}") from error
    return {name: _artefact(name, output["contracts"], sources, version) for name in CONTRACTS}


def find_solc(contracts: Path, cache: Path) -> Path:
    """The executable to compile with: native where it can be had, else the wrapper around npm's.

    Raises:
        CompileError: Neither answers with the version in package.json.
    """
    version = json.loads((contracts / "package.json").read_text(encoding="utf-8"))["dependencies"]["solc"]
    native = cache / f"solc-v{version}"
    if not native.exists():
        _download_native(version, cache)
    wrapper = contracts / "solc"
    for candidate in (native, wrapper):
        if _answers(candidate, version):
            return candidate
    raise CompileError(f"no solc {version}: run `npm ci` in contracts/; Node.js on PATH or in HAZLEDGER_NODE")


def _answers(solc: Path, version: str) -> bool:
    """False is a plain no: the next candidate is tried, and the caller says so if none is left."""
    try:
        answered = solcx.wrapper.get_solc_version(solc)
    except (SolcError, OSError, subprocess.SubprocessError):
        return False
    return str(answered) == version


def _download_native(version: str, cache: Path) -> None:
    """Tries; failing is usual (no internet) and leaves nothing behind, since the caller looks what is there.

    In a process of its own: py-solc-x downloads without a time limit, and with SOLCX_BINARY_PATH it keeps out of the
    home directory also where it is not asked to.
    """
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "solcx.install", version, "--solcx-binary-path", str(cache)]
    environment = os.environ | {"SOLCX_BINARY_PATH": str(cache)}
    try:
        subprocess.run(command, env=environment, capture_output=True, timeout=NATIVE_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        # A torn download must not be found next time.
        (cache / f"solc-v{version}").unlink(missing_ok=True)


def _sources(contracts: Path) -> dict[str, str]:
    """Every source that the contracts need, by the name under which they import it."""
    found: dict[str, str] = {}
    waiting = [f"src/{name}.sol" for name in CONTRACTS]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = contracts / "node_modules" / name if name.startswith("@") else contracts / name
        try:
            found[name] = path.read_text(encoding="utf-8")
        except OSError as error:
            raise CompileError(f"{name} cannot be read: run `npm ci` in contracts/") from error
        for imported in _IMPORT.findall(found[name]):
            here = posixpath.dirname(name) if imported.startswith(".") else ""
            waiting.append(posixpath.normpath(posixpath.join(here, imported)))
    return dict(sorted(found.items()))


def _artefact(name: str, output: Mapping[str, Any], sources: Mapping[str, str], version: str) -> dict[str, Any]:
    source_name = f"src/{name}.sol"
    contract = output[source_name][name]
    evm = contract["evm"]
    return {
        "contractName": name,
        "sourceName": source_name,
        "abi": contract["abi"],
        "bytecode": "0x" + evm["bytecode"]["object"],
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
        "immutableReferences": evm["deployedBytecode"]["immutableReferences"],
        "storageLayout": contract["storageLayout"],
        "compiler": version,
        "settings": SETTINGS,
        "sources": {path: hashlib.sha256(text.encode()).hexdigest() for path, text in sources.items()},
    }


def render(artefact: Mapping[str, Any]) -> str:
    """The exact text of an artefact file."""
    return json.dumps(artefact, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def differing(artefacts: Mapping[str, Mapping[str, Any]], folder: Path = ARTEFACTS) -> list[str]:
    """Names of the contracts whose committed artefact is not `artefacts`' text, byte for byte."""
    committed = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.json")}
    fresh = {name: render(artefact) for name, artefact in artefacts.items()}
    return sorted(name for name in committed.keys() | fresh.keys() if committed.get(name) != fresh.get(name))


def main() -> int:
    """`scripts/build-contracts [--check]`: writes the artefacts, or exits with 1 if they are not up to date."""
    parser = argparse.ArgumentParser(prog="build-contracts", description="Compile contracts/src into artefacts.")
    parser.add_argument("--check", action="store_true", help="compare with the committed artefacts; write nothing")
    check = parser.parse_args().check
    try:
        artefacts = compile_contracts(CHECKOUT / "contracts", CHECKOUT / ".cache" / "solc")
    except CompileError as error:
        print(f"build-contracts: {error}", file=sys.stderr)
        return 2
    changed = differing(artefacts)
    if check:
        for name in changed:
            print(f"build-contracts: {name} differs from its artefact; run scripts/build-contracts", file=sys.stderr)
        return 1 if changed else 0
    for name, artefact in artefacts.items():
        (ARTEFACTS / f"{name}.json").write_text(render(artefact), encoding="utf-8")
        print(f"{name}: {'written' if name in changed else 'unchanged'}, {artefact['compiler']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
