"""The fault hook itself: off it does nothing, on it kills once, and every point that is named stands in the code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from ledger import faults
from ledger.config import faults_dir_from_environment

LEDGER = Path(faults.__file__).parent


def test_points__named__each_stands_once_in_the_code_and_no_other():
    used = []
    for path in LEDGER.rglob("*.py"):
        if path.name != "faults.py":
            used += re.findall(r'\bfault\("([^"]+)"\)', path.read_text())
    assert sorted(used) == sorted(faults.POINTS)


def test_fault__not_armed__does_nothing(tmp_path):
    assert faults._directory is None
    faults.fault("append.after-commit")


def test_environment__unset_or_empty__not_armed(tmp_path):
    assert faults_dir_from_environment({}) is None
    assert faults_dir_from_environment({"HAZLEDGER_FAULTS": ""}) is None
    assert faults_dir_from_environment({"HAZLEDGER_FAULTS": str(tmp_path)}) == tmp_path


def test_fault__ordered_for_the_third_passing__dies_there_once(tmp_path):
    (tmp_path / "append.after-commit").write_text("3")
    program = (
        "import sys; from pathlib import Path; from ledger import faults; faults.arm(Path(sys.argv[1]))\n"
        "for n in range(1, 6):\n    print(n, flush=True)\n    faults.fault('append.before-commit')\n"
        "    faults.fault('append.after-commit')\n"
    )
    run = [sys.executable, "-c", program, str(tmp_path)]
    first = subprocess.run(run, capture_output=True, text=True, env={**os.environ})
    assert (first.returncode, first.stdout.split()) == (-signal.SIGKILL, ["1", "2", "3"])
    assert not list(tmp_path.iterdir())
    second = subprocess.run(run, capture_output=True, text=True)
    assert (second.returncode, second.stdout.split()) == (0, ["1", "2", "3", "4", "5"])
