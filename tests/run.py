"""What `./scripts/test` runs: static checks, then every test in groups, each with its time; one last line that counts.

Chromium and PostgreSQL come from the system. As root on Debian they are installed; elsewhere their groups are skipped
and named in the last line, unless CI is set: then they fail.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATIC = [
    ["ruff", "check", "."],
    # Tests are free in style; a name that is unknown or of no use is a fault there too.
    ["ruff", "check", "--isolated", "--select", "F401,F821,F841", "tests"],
    ["ruff", "format", "--check", "ledger", "webapp"],
    ["mypy"],
    ["lint-imports", "--no-logo"],
]
MOST_WORKERS = 4
"""Each loads the whole program and a template of each store; some start PostgreSQL, Anvil and the processes besides."""
# (name, paths or options for pytest). Anything not named falls into the first group that takes "tests".
GROUPS = [
    ("unit and property", ["tests", *(f"--ignore=tests/{p}" for p in ("contracts", "faults", "e2e", "readme", "scenario"))]),
    ("contracts", ["tests/contracts"]),
    ("faults", ["tests/faults"]),
    ("scenario", ["tests/scenario"]),
    ("browser", ["tests/e2e"]),
    ("readme", ["tests/readme"]),
]
# What runs on several cores: its tests share no port, file or database with another process's. The others start whole
# installations and kill them, or measure.
PARALLEL = {"unit and property"}
SYSTEM = {"chromium": ["chromium", "fonts-noto-cjk"], "postgres": ["postgresql"]}
COUNTS = re.compile(r"(\d+) (passed|failed|error|errors|skipped|xfailed|deselected)")


def main() -> int:
    parser = argparse.ArgumentParser(prog="./scripts/test", description=__doc__)
    parser.add_argument("--full", action="store_true", help="the long fault loops too")
    parser.add_argument("--only", choices=["static", *(name for name, _ in GROUPS)], help="one group")
    parser.add_argument("rest", nargs="*", help="paths or options for pytest; then no groups, just pytest")
    options, unknown = parser.parse_known_args()
    os.chdir(ROOT)
    _home()
    missing = _system_packages()
    if options.rest or unknown:
        return subprocess.call([sys.executable, "-m", "pytest", *options.rest, *unknown])
    counts: dict[str, int] = {}
    bad: list[str] = []
    if options.only in (None, "static"):
        bad += _static()
    for name, arguments in GROUPS:
        if options.only not in (None, name):
            continue
        if not any((ROOT / a).exists() for a in arguments if not a.startswith("-")):
            continue
        markers = "" if options.full else "not full"
        started = time.monotonic()
        print(f"== {name}", flush=True)
        extra = [*(["-m", markers] if markers else []), *(_workers() if name in PARALLEL else [])]
        code, found = _pytest([*arguments, *extra])
        print(f"== {name}: {time.monotonic() - started:.0f} s", flush=True)
        for word, count in found.items():
            counts[word] = counts.get(word, 0) + count
        if code not in (0, 5):
            bad.append(name)
    if missing and os.environ.get("CI"):
        bad += [f"{name} is missing" for name in missing]
    failed = sum(counts.get(word, 0) for word in ("failed", "error", "errors")) or len(bad)
    if bad:
        print(f"FAILED: {', '.join(bad)}")
    if missing:
        print(f"not run, because not installed: {', '.join(missing)}")
    print(f"{counts.get('passed', 0)} passed, {failed} failed, {counts.get('skipped', 0)} skipped")
    return 1 if bad else 0


def _static() -> list[str]:
    bad = []
    started = time.monotonic()
    for command in STATIC:
        print(f"== {' '.join(command)}", flush=True)
        if subprocess.call([sys.executable, "-m", *command] if command[0] in ("ruff", "mypy") else command) != 0:
            bad.append(command[0])
    print(f"== static: {time.monotonic() - started:.0f} s", flush=True)
    return bad


def _workers() -> list[str]:
    """Options of pytest-xdist: each worker begins with a stretch of whole files and takes from the others when it is done."""
    count = min(os.cpu_count() or 1, MOST_WORKERS)
    return ["-n", str(count), "--dist", "worksteal"] if count > 1 else []


def _pytest(arguments: list[str]) -> tuple[int, dict[str, int]]:
    """Exit code and counts; the output is passed on as it comes."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--durations=8", *arguments], stdout=subprocess.PIPE, text=True
    )
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        if COUNTS.search(line):
            last = line
    return process.wait(), {word: int(count) for count, word in COUNTS.findall(last)}


def _home() -> None:
    """Tests must not need or touch the user's home."""
    if not os.access(os.environ.get("HOME", "/nonexistent"), os.W_OK):
        home = ROOT / ".cache" / "home"
        home.mkdir(parents=True, exist_ok=True)
        os.environ["HOME"] = str(home)


def _system_packages() -> list[str]:
    """Install what is missing where that is possible; the names of what is still missing."""
    missing = [name for name in SYSTEM if not _present(name)]
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        packages = [package for name in missing for package in SYSTEM[name]]
        print(f"set-up: apt-get install {' '.join(packages)}", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.call(["apt-get", "update", "-qq"], **quiet)
        subprocess.call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], **quiet)
        missing = [name for name in SYSTEM if not _present(name)]
    return missing


def _present(name: str) -> bool:
    if name == "chromium":
        return any(shutil.which(program) for program in ("chromium", "chromium-browser", "google-chrome"))
    return any(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or shutil.which("postgres") is not None


if __name__ == "__main__":
    sys.exit(main())
