"""Importing what stands behind the chain leaves the process as deep as Python makes it."""

import subprocess
import sys

import pytest

MODULES = (
    "ledger.adapters.chain.accounts",
    "ledger.adapters.chain.contracts",
    "ledger.adapters.chain.rpc",
    "ledger.adapters.keystore.ethereum",
)
NESTED = """
import json, sys
try:
    json.loads("[" * 200_000)
except RecursionError:
    print("refused at", sys.getrecursionlimit())
"""


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("module", MODULES)
def test_import__of_what_loads_py_ecc__leaves_the_recursion_limit(module):
    done = python(f"import {module}{NESTED}")
    assert (done.returncode, done.stdout) == (0, "refused at 1000\n")


def test_import__of_py_ecc_alone__raises_it():
    assert python("import sys, py_ecc; print(sys.getrecursionlimit())").stdout == "100000\n"


def test_restore__a_limit_that_somebody_chose__stays():
    code = (
        "import sys; sys.setrecursionlimit(200_000); import ledger.adapters.chain.rpc; print(sys.getrecursionlimit())"
    )
    assert python(code).stdout == "200000\n"
