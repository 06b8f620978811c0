"""Audits of a log that goes on growing: the records, warnings, checkpoints and anchors of meanwhile are no findings."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ledger.cli import tiles
from ledger.cli.token import make_token
from tests.faults.load import Load
from tests.served import Served

pytestmark = pytest.mark.chain

ROUNDS = 2


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def served(request, tmp_path_factory):
    """The served program, two enterprises pushing without pause; anchors twice a second."""
    state = tmp_path_factory.mktemp(f"growing-{request.param}") / "s"
    if request.param == "sqlite":
        yield from _loaded(Served(state))
        return
    server = request.getfixturevalue("postgres")
    yield from _loaded(Served(state, server.url(server.new_database())))


def _loaded(made: Served):
    with made as served:
        load = Load(served.url, served.enterprises(2), seed=1, pause_s=0.1)
        here = served.installation()
        served.wait_for(lambda: here.stores.log.size() > 300 and here.stores.anchor.latest_anchor(), 60, "some records")
        served.wait_for(lambda: here.stores.engine.newest_alerts(limit=1), 60, "the engine, which reads its rules first")
        here.stores.close()
        yield served
        load.stop()
        assert not load.refused


def _ran(served: Served, *arguments) -> dict:
    """The command's JSON; the log must have grown while it ran."""
    here = served.installation()
    before = here.stores.log.size()
    command = [sys.executable, "-m", "ledger.cli.main", *map(str, arguments), "--rpc", served.service.rpc_url, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert here.stores.log.size() > before
    here.stores.close()
    return {"exit": done.returncode, **json.loads(done.stdout or "{}"), "said": done.stderr}


def test_audit__under_load__nothing_found(served):
    for _ in range(ROUNDS):
        report = _ran(served, "audit", "--state", served.state)
        assert report["exit"] == 0, (report.get("findings"), report["said"])
        assert not report["skipped"] and report["rows"]["engine.alert"]


def test_verify_log__over_http_under_load__nothing_found(served, tmp_path):
    token, here = tmp_path / "token", served.installation()
    token.write_text(make_token(here, "auditor", None, 1))
    here.stores.close()
    for _ in range(ROUNDS):
        outcome = _ran(
            served, "verify", "log", "--tiles", served.url, "--token-file", token, "--trust", served.config.trust_path
        )
        assert outcome["exit"] == 0, (outcome.get("findings"), outcome["said"])


def test_verify_log__mirror_taken_again_and_again_under_load__never_a_finding(served, tmp_path):
    """A mirror is of the moment it was taken: what came since is said, and is neither proven nor a finding."""
    mirror = tmp_path / "mirror"
    for _ in range(ROUNDS):
        copied = subprocess.run(
            [sys.executable, "-m", "ledger.cli.main", "tiles", str(mirror), "--state", str(served.state)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert copied.returncode == 0, copied.stderr
        outcome = _ran(served, "verify", "log", "--tiles", mirror, "--trust", served.config.trust_path)
        assert not outcome["findings"], outcome["findings"]
        assert outcome["exit"] in (0, 3), outcome
    here = served.installation()
    taken = int((mirror / "checkpoint").read_text().split("\n")[1])
    served.wait_for(lambda: here.stores.anchor.latest_anchor().size > taken, 30, "a newer anchor")
    here.stores.close()
    outcome = _ran(served, "verify", "log", "--tiles", mirror, "--trust", served.config.trust_path)
    assert (outcome["exit"], outcome["verdict"]) == (3, "PENDING"), outcome


def test_tiles__taken_while_the_log_grows__no_checkpoint_beyond_its_own(served, tmp_path):
    class Slow:
        """Anchors go on between the checkpoint that was taken and the list of anchors."""

        def __init__(self, inner):
            self._inner = inner

        def anchors(self, **bounds):
            if not bounds.get("after"):
                size = here.stores.log.latest_checkpoint().size
                served.wait_for(lambda: self._inner.latest_anchor().size > size, 30, "a newer anchor")
            return self._inner.anchors(**bounds)

        def __getattr__(self, name):
            return getattr(self._inner, name)

    here = served.installation()
    here.stores.anchor = Slow(here.stores.anchor)
    size = tiles.mirror(here, tmp_path / "mirror")
    here.stores.close()
    assert max(int(path.name) for path in (tmp_path / "mirror" / "checkpoints").iterdir()) <= size
