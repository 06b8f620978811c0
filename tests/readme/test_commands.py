"""Every command of README.md is typed, in the page's order, and prints what the page shows."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ledger.adapters.children import free_port
from ledger.core.dsse import pae, parse_envelope
from ledger.core.keys import PublicKey
from tests.readme.blocks import ROOT, blocks, matches, readme, unmatched

pytestmark = [pytest.mark.chain, pytest.mark.timeout(180)]

BLOCKS = blocks(readme())
STORY = [block for block in BLOCKS if block.story == "story" or block.mark == "file"]
(DEMO,) = [block for block in BLOCKS if block.story == "demo"]


@pytest.mark.parametrize("block", STORY, ids=lambda block: f"line-{block.line}")
def test_story__each_block_in_order__prints_what_the_page_shows(shell, block):
    if shell.broken:
        pytest.skip(f"an earlier block went wrong: {shell.broken}")
    if block.mark == "file":
        shell.write(block)
        return
    wrong = shell.run(block)
    if wrong:
        shell.broken = f"line {block.line}"
    assert not wrong, "\n\n".join(wrong)


def test_example__openssl_envelope__is_the_bytes_that_the_page_names(shell):
    if shell.broken:
        pytest.skip(f"an earlier block went wrong: {shell.broken}")
    check_example(shell.directory / "example", (shell.directory / "example" / "envelope.json").read_bytes())


@pytest.mark.skipif(shutil.which("java") is None, reason="no Java here")
def test_example__java__signs_the_same_bytes(shell):
    if shell.broken:
        pytest.skip(f"an earlier block went wrong: {shell.broken}")
    example = shell.directory / "example"
    source = ROOT / "tests" / "readme" / "Sign.java"
    done = subprocess.run(["java", str(source)], cwd=example, capture_output=True, check=False)
    if b"Module jdk.compiler not found" in done.stderr:
        pytest.skip("Java without its compiler")
    assert done.returncode == 0, done.stderr.decode()
    check_example(example, done.stdout)


def check_example(directory: Path, envelope: bytes) -> None:
    """The signature holds over the PAE of the page's payload, under the page's key, and the digests are the page's."""
    parsed = parse_envelope(envelope)
    payload = (directory / "payload").read_bytes()
    assert parsed.payload == payload
    key = PublicKey.parse((directory / "spki").read_bytes())
    message = pae(parsed.payload_type, payload)
    (signature,) = parsed.signatures
    key.verify(signature.sig, message)
    page = readme()
    for digest in (hashlib.sha256(payload), hashlib.sha256(message), hashlib.sha256(key.spki)):
        assert digest.hexdigest() in page
    assert json.loads(payload)["signers"] == [key.keyid]
    assert base64.b64encode(payload).decode() == json.loads(envelope)["payload"]


@pytest.fixture
def state():
    """Under the working directory, where paths are shown as one types them."""
    with tempfile.TemporaryDirectory(prefix="demo-", dir=ROOT / ".cache") as directory:
        yield Path(directory) / "state"


def test_demo__its_own_few_seconds__prints_what_the_first_screen_shows(state):
    (command,) = DEMO.commands
    options = ["--headless", "--seconds", "14", "--rate", "10", "--facilities", "40", "--state", str(state)]
    done = subprocess.run(
        [str(ROOT / command.text), *options, "--port", str(free_port())],
        cwd=ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert "/.demo" not in done.stdout and str(ROOT) not in done.stdout
    printed = done.stdout.replace(str(state.relative_to(ROOT)), ".demo")
    assert done.returncode == 0, printed + done.stderr
    assert "demo: everything shown" in printed
    assert matches(command.shown, printed), f"{printed}\n--- not found: {unmatched(command.shown, printed)}"


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.mark == "help"], ids=lambda block: f"line-{block.line}")
def test_help__each_block__is_the_programs_own_text(block):
    for command in block.commands:
        assert command.text.startswith("hazledger ") and command.text.endswith(" --help")
        done = subprocess.run(
            [sys.executable, "-m", "ledger.cli.main", *command.text.split()[1:]],
            capture_output=True,
            text=True,
            env=_environment(),
            check=True,
        )
        assert "\n".join(command.shown) + "\n" == done.stdout


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HAZLEDGER_", "PYTEST_"))}
    return kept | {"COLUMNS": "80", "HAZLEDGER_PYTHON": sys.executable}
