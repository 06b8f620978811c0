"""`hazledger demo`: the whole product on this machine, on real input, until interrupted."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ledger.adapters.chain.authority import EvmAuthority
from ledger.adapters.enrolments import save_enrolment
from ledger.adapters.files import PUBLIC, write_whole
from ledger.cli.compose import AUTHORITY_ACCOUNT, Installation
from ledger.cli.init import SUPERVISOR, make
from ledger.cli.serve import Service
from ledger.config import Config, environment_with, load
from ledger.core.keys import load_public_key
from ledger.demo import SIMULATED
from ledger.demo.world import Item, World
from ledger.errors import ChainRevertedError, ConfigError, LedgerError, OverloadedError
from ledger.model import Enrolment, LeafIndex, StoredRecord
from webapp.passwords import password_matches
from webapp.services import Services  # noqa: F401 - the web worker needs it; a broken install shows here, at once

ORIGIN = "demo.county.example/haz"
SEED = 20261121
ANCHOR_EVERY_S = 5.0
BATCH = 400
LOOK_BACK = 200
SEVERITIES = ("critical", "high", "medium", "low", "info")
NDJSON = "application/x-ndjson"
_log = logging.getLogger("hazledger")


@click.command()
@click.option("--state", type=click.Path(path_type=Path, file_okay=False), default=Path(".demo"), show_default=True)
@click.option("--headless", is_flag=True, help="Stop after --seconds; exit 0 only if everything was shown to work.")
@click.option("--seconds", type=float, default=60.0, show_default=True, help="How long to run with --headless.")
@click.option("--rate", type=float, default=4.0, show_default=True, help="Simulated records a second.")
@click.option("--port", type=int, default=8080, show_default=True, help="HTTP port; another free one if it is taken.")
@click.option(
    "--facilities", type=click.IntRange(min=40), default=None, help="Only the first so many facilities [default: all]."
)
def demo(state: Path, seconds: float, rate: float, port: int, facilities: int | None, *, headless: bool) -> None:
    """Run everything here, on real input, and show one record's verification.

    Starts Anvil, deploys the contracts, enrols enterprises, starts portal, engine and anchor worker on SQLite, pushes
    real inventory declarations (US EPA RMP data) and a simulated stream of movements. A second start resumes.

    \b
    Exit code: 0 stopped as asked (with --headless: everything was shown to work), 1 with --headless: something was not shown,
    2 usage, or it cannot start.

    \b
    Example:
      hazledger demo --state /tmp/demo --port 8480
    """
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run = Run(state.absolute(), rate, port, facilities, stop)
    try:
        run.start()
        run.open()
        run.live(seconds if headless else None)
        failures = run.failures() if headless else []
    finally:
        run.close()
    for failure in failures:
        click.echo(f"not shown: {failure}", err=True)
    if failures:
        sys.exit(1)
    if headless:
        click.echo("demo: everything shown; run ./scripts/demo without --headless to go on and sign in to the portal")


@dataclass
class Run:
    """One run of the demo."""

    state: Path
    rate: float
    port: int
    facilities: int | None
    stop: threading.Event
    answers: Counter[str] = field(default_factory=Counter)
    unplanned: int = 0
    """Refusals that no planted case asks for."""
    surprises: list[str] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    last_record: str = ""

    def start(self) -> None:
        """Installation, chain, processes."""
        fresh = not (self.state / "trust.json").exists()
        click.echo(f"{'Making' if fresh else 'Resuming'} the demo in {_short(self.state)}")
        code = make(self.state, origin=ORIGIN, port=self.port, anchor_every_s=ANCHOR_EVERY_S, simulated=True)
        code_path = self.state / "one-time-code"
        if code:
            write_whole(code_path, code.encode() + b"\n")
        self.config = self._load()
        self.service = Service(self.config, log_path=self.state / "processes.log")
        self.service.start()
        self._wait("the portal", lambda: _get(self.service.url + "/readyz")[0] == 200)
        self.here = Installation(load(self.state, environment_with(HAZLEDGER_CHAIN_ENDPOINTS=self.service.rpc_url)))
        self.world = World(SEED, self.state / "world", log=ORIGIN, facilities=self.facilities)
        click.echo(f"  chain      {self.service.rpc_url} (Anvil, a development chain), contracts deployed")
        click.echo(f"  portal     {self.service.url}")
        user = self.here.stores.portal.user(SUPERVISOR)
        kept = code_path.read_text().strip() if code_path.exists() else ""
        # After a reset the code is another than the file's.
        if user is not None and user.must_change and password_matches(user.password_hash, kept):
            click.echo(f"  sign in    user {SUPERVISOR}, one-time code {kept}")
        elif user is not None:
            click.echo(
                f"  sign in    user {SUPERVISOR}, with your password, or the code of a reset "
                f"(lost: hazledger supervisor reset --state {_short(self.state)})"
            )

    def open(self) -> None:
        """Enrol everybody, then push the opening stock-takes."""
        self._enrol()
        opening = list(self.world.opening())
        for at in range(0, len(opening), BATCH):
            self._push_lines(opening[at : at + BATCH], ["accepted"] * len(opening[at : at + BATCH]))
        self.world.opening_delivered()
        if opening:
            click.echo(
                f"  opening    {len(opening)} signed records; the stocks are real inventory declarations of "
                f"{len(self.world.enterprises)} facilities (US EPA RMP, CC BY-SA 4.0)"
            )
        click.echo(f"  stream     simulated, {self.rate:g} records a second. {SIMULATED['en'].split('. ')[0]}.")

    def live(self, seconds: float | None) -> None:
        """Push the stream until stopped; show the verification as soon as a record is anchored."""
        started = time.monotonic()
        said, verified = started, False
        stream = self.world.stream()
        while not self.stop.is_set():
            self.service.watch()
            turn = time.monotonic()
            if seconds is not None and turn - started > seconds and (verified or turn - started > seconds + 60):
                break
            self._push_item(next(stream))
            if not verified and self._anchored_record() and self._warned():
                verified = self.show_verification()
            if turn - said > 10:
                said = turn
                click.echo(f"  {self._status_line()}")
            self.stop.wait(max(0.0, 1 / self.rate - (time.monotonic() - turn)))

    def show_verification(self) -> bool:
        """Fetch one anchored record's bundle and verify it in processes of their own; True when they said yes."""
        record = self._anchored_record()
        if record is None:
            return False
        folder = self.state / "shown"
        folder.mkdir(exist_ok=True)
        bundle, trust = _short(folder / f"{record.record_id}.hzb.json"), _short(folder / "trust.json")
        write_whole(trust, self.config.trust_path.read_bytes(), mode=PUBLIC)
        fetched = _get_bytes(f"{self.service.url}/api/v1/records/{record.record_id}/bundle", self._token())
        write_whole(bundle, fetched, mode=PUBLIC)
        click.echo("")
        click.echo("One record, verified by another process that trusts only the trust file:")
        ok = self._shown(
            [
                "verify",
                "bundle",
                str(bundle),
                "--trust",
                str(trust),
                "--require",
                "ANCHORED-DEV",
                "--rpc",
                self.service.rpc_url,
            ]
        )
        ok &= self._shown(["trust", "pin", str(trust), "--rpc", self.service.rpc_url, "--bundle", str(bundle)])
        ok &= self._shown(
            ["verify", "bundle", str(bundle), "--trust", str(trust), "--require", "ANCHORED-DEV", "--offline"]
        )
        click.echo(f"Sign in at {self.service.url} to see it live; Ctrl-C stops, ./scripts/demo resumes.\n")
        if ok:
            self.shown.add("verified")
        return ok

    def failures(self) -> list[str]:
        """What a headless run did not show."""
        found = []
        if not self.answers["accepted"]:
            found.append("no record was pushed")
        if not self._warned():
            found.append("no warning was raised")
        if not self._anchored_record():
            found.append("nothing was anchored")
        if "verified" not in self.shown:
            found.append("no bundle was verified by a separate process")
        return found + self.surprises[:10]

    def close(self) -> None:
        """Stop the processes in order."""
        if hasattr(self, "service"):
            click.echo(f"stopping. {self._status_line() if hasattr(self, 'here') else ''}")
            self.service.stop()

    # -- parts ---------------------------------------------------------------------------------------------------

    def _load(self) -> Config:
        config = load(self.state)
        try:
            Service._port(config.http.host, config.http.port)  # noqa: SLF001 - the same test, before anything starts
        except ConfigError:
            return load(self.state, environment_with(HAZLEDGER_HTTP_PORT="0"))
        return config

    def _enrol(self) -> None:
        log, config = self.here.stores.log, self.config
        known = {(g.keyid, g.holder, g.role) for g in log.grants()}
        missing = []
        for e in self.world.enrolments():
            keyid = load_public_key(e.spki).keyid
            if (keyid, e.holder, e.role) not in known:
                missing.append(Enrolment(keyid, e.spki, e.holder, e.scope, e.role))
        if not missing:
            return
        for enrolment in missing:
            save_enrolment(config.enrolments_dir, ORIGIN, enrolment)
        account = self.here.account(AUTHORITY_ACCOUNT)
        authority = EvmAuthority(self.here.chain(account=account, journal=self.here.stores.anchor))
        for enrolment in missing if len(missing) < 5 else []:
            self._enrol_one(authority, enrolment)
        if len(missing) >= 5:
            try:
                authority.enrol_many(missing)
            except ChainRevertedError:
                for enrolment in missing:  # a start that was broken off has enrolled some of them
                    self._enrol_one(authority, enrolment)
        wanted = {e.keyid for e in missing}
        self._wait("the grants", lambda: wanted <= {g.keyid for g in log.grants()})
        click.echo(f"  enrolled   {len(missing)} keys, by the authority's own account on the chain")

    @staticmethod
    def _enrol_one(authority: EvmAuthority, enrolment: Enrolment) -> None:
        try:
            authority.enrol(enrolment.keyid, enrolment.holder, enrolment.scope, int(enrolment.role))
        except ChainRevertedError as error:
            if error.reason != "GrantExists":
                raise

    def _push_item(self, item: Item) -> None:
        (code,) = self._push_lines([item.submission], [item.answer])
        if code == "accepted":
            self.last_record = item.record_id
        self.world.delivered(item)

    def _push_lines(self, lines: list[bytes], expected: list[str]) -> list[str]:
        """Send until answered; a broken connection or a 503 is answered by sending the same bytes again."""
        while not self.stop.is_set():
            try:
                rows = _post_lines(self.service.url, lines)
                break
            except (OSError, OverloadedError):
                self.service.watch()
                time.sleep(0.3)
        else:
            raise ConfigError("interrupted while pushing; the next start sends the same bytes again")
        codes = []
        for row, wanted in zip(rows, expected, strict=True):
            code = "accepted" if row["status"] in (200, 201) else str(row["type"]).rpartition(":")[2]
            codes.append(code)
            self.answers[code] += 1
            if code != wanted and not (wanted == "repeat" and code == "accepted"):
                self.unplanned += code != "accepted"
                self.surprises.append(f"expected {wanted}, got {code}: {row.get('detail', '')}")
                _log.warning("expected %s, got %s: %s", wanted, code, row.get("detail", ""))
        return codes

    def _anchored_record(self) -> StoredRecord | None:
        """The newest movement or stock-take that an anchor covers."""
        latest = self.here.stores.anchor.latest_anchor()
        if latest is None:
            return None
        start = max(0, int(latest.size) - LOOK_BACK)
        records = self.here.stores.log.records(LeafIndex(start), int(latest.size) - start)
        return next((r for r in reversed(records) if r.kind in ("movement", "stocktake")), None)

    def _warned(self) -> bool:
        return bool(self.here.stores.engine.alert_counts())

    def _token(self) -> str:
        from ledger.cli.token import make_token  # noqa: PLC0415 - only for this one call

        return make_token(self.here, "auditor", None, 1)

    def _shown(self, arguments: list[str]) -> bool:
        click.echo(f"$ hazledger {' '.join(arguments)}")
        done = subprocess.run(
            [sys.executable, "-m", "ledger.cli.main", *arguments], capture_output=True, text=True, check=False
        )
        click.echo("\n".join("  " + line for line in (done.stdout + done.stderr).rstrip().splitlines()))
        return done.returncode == 0

    def _status_line(self) -> str:
        log, anchor = self.here.stores.log, self.here.stores.anchor.latest_anchor()
        counts = self.here.stores.engine.alert_counts()
        checkpoint = log.latest_checkpoint()
        warnings = (
            ", ".join(
                f"{n} {severity}" for severity, n in sorted(counts.items(), key=lambda one: SEVERITIES.index(one[0]))
            )
            or "none"
        )
        return (
            f"{log.size()} entries, checkpoint {checkpoint.size if checkpoint else 0}, anchored "
            f"{anchor.size if anchor else 0}, warnings: {warnings}; pushed {self.answers['accepted']}, {refusals(self.answers, self.unplanned)}"
        )

    def _wait(self, what: str, condition: Any, within_s: float = 60.0) -> None:
        until = time.monotonic() + within_s
        while not self.stop.is_set():
            self.service.watch()
            try:
                if condition():
                    return
            except (OSError, LedgerError):
                pass
            if time.monotonic() > until:
                raise ConfigError(
                    f"{what} did not come within {within_s:g} s; see {_short(self.state / 'processes.log')}"
                )
            time.sleep(0.1)


def refusals(answers: Counter[str], unplanned: int) -> str:
    """How many records were refused, and whether the demo sent them to be refused (ledger.demo.cases)."""
    refused = sum(n for code, n in answers.items() if code != "accepted")
    if not refused:
        return "refused 0"
    if not unplanned:
        return f"refused {refused} (planted: sent to be refused)"
    return f"refused {refused} ({refused - unplanned} planted, {unplanned} not)"


def _short(path: Path) -> Path:
    """As one would type it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _get_bytes(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        data: bytes = answer.read()
        return data


def _post_lines(url: str, lines: list[bytes]) -> list[dict[str, Any]]:
    body = b"\n".join(lines) + b"\n"
    request = urllib.request.Request(  # noqa: S310 - our own address
        url + "/api/v1/records:batch", data=body, headers={"Content-Type": NDJSON}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text = answer.read()
    except urllib.error.HTTPError as error:
        if error.code in (429, 503):
            raise OverloadedError("again") from error
        raise ConfigError(f"the batch was refused: {error.read()[:500]!r}") from error
    rows: list[dict[str, Any]] = json.loads(text)["results"]
    return rows
