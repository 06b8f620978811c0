"""The committed artefacts, the compiler driver, forge's own tests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tomllib

import pytest

from ledger.adapters.chain.artefacts import load_artefact
from ledger.adapters.chain.compile import (
    ARTEFACTS,
    CompileError,
    compile_contracts,
    differing,
    find_solc,
)

from .conftest import CHECKOUT, CONTRACTS, native

CACHE = CHECKOUT / ".cache" / "solc"


@pytest.fixture(scope="module")
def fresh() -> dict:
    return compile_contracts(CONTRACTS, CACHE)


def test_artefacts__fresh_compile__equal_the_committed(fresh: dict) -> None:
    assert differing(fresh) == []


def test_artefacts__one_byte_changed__named(fresh: dict, tmp_path) -> None:
    for path in ARTEFACTS.glob("*.json"):
        shutil.copy(path, tmp_path)
    changed = tmp_path / "KeyRegistry.json"
    changed.write_text(changed.read_text().replace("0x60", "0x61", 1))
    assert differing(fresh, tmp_path) == ["KeyRegistry"]


def test_slots__published__do_not_move() -> None:
    # Every bundle and trust file in the world holds these numbers.
    log = load_artefact("CheckpointLog").slots
    assert {name: log[name] for name in ("head", "rootAt", "metaAt")} == {"head": 1, "rootAt": 2, "metaAt": 3}
    assert load_artefact("KeyRegistry").slots["grants"] == 1


def test_sources__each__digest_and_compiler_recorded(fresh: dict) -> None:
    for artefact in fresh.values():
        assert artefact["compiler"].startswith("0.8.34+commit.")
        assert artefact["settings"]["evmVersion"] == "london"
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in artefact["sources"].values())
        assert "@openzeppelin/contracts/access/AccessControl.sol" in artefact["sources"]


def test_settings__forge_and_artefacts__are_the_same(fresh: dict) -> None:
    # forge measures and attacks the very code that is deployed.
    profile = tomllib.loads((CONTRACTS / "foundry.toml").read_text())["profile"]["default"]
    settings = fresh["CheckpointLog"]["settings"]
    assert profile["evm_version"] == settings["evmVersion"]
    assert {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]} == settings["optimizer"]


def test_compile__source_missing__says_what_to_do(tmp_path) -> None:
    shutil.copytree(CONTRACTS / "src", tmp_path / "src")
    with pytest.raises(CompileError, match="npm ci"):
        compile_contracts(tmp_path, CACHE)


def test_wrapper__input_past_64_kb__answers_all(tmp_path) -> None:
    # npm's own command line fails here: it reads a pipe in one synchronous call.
    padding = "// " + "x" * 1_000_000
    standard = {
        "language": "Solidity",
        "sources": {"A.sol": {"content": f"pragma solidity 0.8.34; contract A {{}} {padding}"}},
        "settings": {"outputSelection": {"*": {"*": ["abi", "metadata"]}}},
    }
    done = subprocess.run(
        [CONTRACTS / "solc", "--standard-json"], input=json.dumps(standard).encode(), capture_output=True, check=True
    )
    assert json.loads(done.stdout)["contracts"]["A.sol"]["A"]["abi"] == []


def test_find_solc__any_machine__the_pinned_version() -> None:
    solc = find_solc(CONTRACTS, CACHE)
    answer = subprocess.run([solc, "--version"], capture_output=True, text=True, check=True).stdout
    assert "Version: 0.8.34+commit." in answer


def test_lock__committed__exact_with_digests_and_no_host() -> None:
    lock = json.loads((CONTRACTS / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert all("integrity" in entry and "resolved" not in entry for entry in packages.values())
    declared = json.loads((CONTRACTS / "package.json").read_text())
    for group in ("dependencies", "devDependencies", "optionalDependencies"):
        assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in declared[group].values())


def forge(tmp_path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "FOUNDRY_SOLC": str(find_solc(CONTRACTS, CACHE)),
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [native("forge"), *arguments], cwd=CONTRACTS, env=environment, capture_output=True, text=True, timeout=110
    )


def test_forge__fmt__clean(tmp_path) -> None:
    done = forge(tmp_path, "fmt", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_forge__all_suites__pass_and_none_is_skipped(tmp_path) -> None:
    done = forge(tmp_path, "test", "--json")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    suites = json.loads(done.stdout)
    results = {
        f"{suite}:{test}": result["status"]
        for suite, run in suites.items()
        for test, result in run["test_results"].items()
    }
    assert set(results.values()) == {"Success"}, results
    assert len(results) >= 37, "tests were lost"
