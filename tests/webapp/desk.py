"""The web application over a real small log (tests/kit.py): SQLite, sequencer, signed records. Fake: clock, chain, catalogue."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from ledger.core.encoding import b64_encode
from ledger.core.merkle import Frontier
from ledger.errors import NotFoundError
from ledger.model import Alert, Anchor, BlockRef, Finding, StateProof, TreeHead, UnixMs
from ledger.ports import EngineBatch, LifeRow, LineRow, StockRow
from ledger.flow import submit, submit_batch
from ledger.core.record import parse_payload
from ledger.rulebench.health import health
from ledger.rulebench.sheet import sheets
from ledger.rulesets import shipped_rules
from ledger.ruletitles import rule_numbers, rule_titles
from tests import kit
from webapp import create_app
from webapp.auth import new_token
from webapp.passwords import new_account
from webapp.services import Proof, Services, SessionRow

NDJSON = "application/x-ndjson"
PASSWORD = "violet tram under seven bridges"
DAY_MS = 86_400_000

NAMES = {
    "7697-37-2": {"zh": "硝酸", "en": "Nitric acid"},
    "7664-93-9": {"zh": "硫酸", "en": "Sulfuric acid"},
    "7722-84-1": {"zh": "过氧化氢", "en": "Hydrogen peroxide"},
}


@cache
def shipped_sheets():
    return sheets(shipped_rules(), kit.T0)


class Catalogue:
    def names(self, code):
        return NAMES.get(code)

    def find(self, text, limit):
        wanted = text.casefold()
        return [c for c, n in NAMES.items() if wanted in c or any(wanted in v.casefold() for v in n.values())][:limit]


class Clock:
    """Stands still until told."""

    def __init__(self, now=kit.T0 + DAY_MS):
        self.now = UnixMs(now)

    def __call__(self):
        return self.now

    def forward(self, ms):
        self.now = UnixMs(self.now + ms)


class Desk:
    """One installation with its web application; `client()` is a browser, `bearer(role)` an API token."""

    def __init__(self, state: Path, **changes):
        self.log = kit.Log(state)
        self.stores = self.log.stores
        self.clock = Clock()
        self.acid = self.log.enterprise("acid", n=1)
        self.other = self.log.enterprise("acid", n=2)
        self.alerts = 0
        self.made = []
        given = {
            "log": self.stores.log,
            "engine": self.stores.engine,
            "anchors": self.stores.anchor,
            "portal": self.stores.portal,
            "submit": lambda body, media: submit(body, media, self.log.door),
            "submit_batch": lambda lines: submit_batch(lines, self.log.door),
            "precheck": self._precheck,
            "bundle": self._bundle,
            "proof": lambda r: Proof(self.level(r.index), anchor=self.stores.anchor.anchor_covering(r.index)),
            "level": self.level,
            "catalogue": Catalogue(),
            "trust": self._trust(),
            "clock": self.clock,
            "secret_key": b"k" * 32,
            "sessions_of": self._sessions_of,
            "rule_titles": rule_titles(),
            "rule_numbers": rule_numbers(),
            "rules": lambda: (health(self.stores.log, self.stores.engine, shipped_rules(), {}, self.clock()), shipped_sheets()),
            "poll_ms": 20,
            "notice": {"zh": "出入库流水由程序模拟生成。", "en": "The movement stream is simulated."},
        }
        self.services = Services(**(given | changes))
        self.app = create_app(self.services)
        self.app.testing = False

    # --- records

    def stock(self, book=None, **overrides):
        """Push the opening stocktake; the record_id."""
        return self._push((book or self.acid).next("stocktake", **overrides))

    def move(self, book=None, **overrides):
        return self._push((book or self.acid).next("movement", **overrides))

    def _push(self, envelope):
        return self.log.submit(envelope).receipt.record_id

    def checkpoint(self):
        head = self.stores.log.size()
        from ledger.checkpoint import checkpoint

        frontier = Frontier()
        for leaf in self.stores.log.leaf_hashes(0, head):
            frontier.append(leaf)
        return checkpoint(
            head=TreeHead(head, frontier.root()),
            store=self.stores.log,
            guard=self.log.guard,
            signer=self.log.identity.log,
            now=self.clock(),
        )

    def anchor(self):
        signed = self.checkpoint()
        block = BlockRef(signed.size, signed.size.to_bytes(32, "big"), int(self.clock() // 1000))
        anchor = Anchor(signed.size, signed.root, block, b"\x07" * 32, block.timestamp_s)
        self.stores.anchor.save_anchor(anchor, StateProof(block, b"header", (b"node",)))
        return anchor

    def level(self, index):
        if self.stores.anchor.anchor_covering(index):
            return "ANCHORED-DEV"
        newest = self.stores.log.latest_checkpoint()
        return "LOGGED" if newest and newest.size > index else "RECEIVED"

    # --- the engine's tables

    def alert(self, *, severity="high", holder=None, rule="A01", zh="库存为负", en="Negative stock", life=None, **more):
        """An alert and where it stands: open, or what `life` says."""
        self.alerts += 1
        alert = Alert(
            alert_id=f"{self.alerts:064x}",
            rule=rule,
            version=1,
            fingerprint=(holder or self.acid.holder, "7697-37-2"),
            first_index=0,
            last_index=max(self.stores.log.size() - 1, 0),
            band=0,
            severity=severity,
            holder=holder or self.acid.holder,
            site="S1",
            reason={"zh": f"{zh} {self.alerts}", "en": f"{en} {self.alerts}"},
            inputs={"balance_mg": -5, "index": 1},
            opened_ms=self.clock(),
            late=False,
            **more,
        )
        stands = {"status": "open", "stage": "open", "turn": 0, "severity": severity, "due_ms": None, "until_ms": None,
                  "handle_due_ms": None, "handled_ms": None, "closed_ms": None, "outcome": "", "order_id": "",
                  "recovered": False, "data": {}} | (life or {})  # fmt: skip
        row = LifeRow(alert_id=alert.alert_id, **stands)
        self.stores.engine.commit(EngineBatch(cursor=self.stores.log.size(), alerts=(alert,), lives=(row,)))
        return alert

    def line(self, index, code="7697-37-2", holder=None, **more):
        given = {
            "index": index, "line": 0, "holder": holder or self.acid.holder, "site": "S1", "book": "acid", "kind": "movement",
            "direction": "out", "reason": "sale", "code": code, "dimension": "mass", "amount": 25_500_000, "pieces": None,
            "store": "R1", "event_time_ms": self.clock(), "counterparty": "",
        }  # fmt: skip
        self.stores.engine.commit(EngineBatch(cursor=self.stores.log.size(), lines=(LineRow(**(given | more)),)))

    def balance(self, amount=25_500_000, capacity=20_000_000, code="7697-37-2"):
        row = StockRow(
            self.acid.holder, "S1", "acid", f"{code}|68%<=c|liquid|bulk||mass", code, "mass", amount, None, capacity, 0, self.clock()
        )
        self.stores.engine.commit(EngineBatch(cursor=self.stores.log.size(), stock=(row,)))

    # --- askers

    def bearer(self, role, holder=None, lifetime_ms=DAY_MS):
        token, digest, row = new_token(role, holder, self.clock(), lifetime_ms)
        self.stores.portal.save_token(digest, row)
        return {"Authorization": f"Bearer {token}"}

    def client(self, **cookies):
        return self.app.test_client()

    def supervisor(self, language="en"):
        """A browser that is signed in with a password of its own."""
        if self.stores.portal.user("supervisor") is None:
            account, code = new_account("supervisor")
            self.stores.portal.save_user(account)
            browser = self.client()
            sign_in(browser, "supervisor", code)
            choose_password(browser, code, PASSWORD)
        else:
            browser = self.client()
            sign_in(browser, "supervisor", PASSWORD)
        browser.set_cookie("hz_lang", language)
        return browser

    def close(self):
        self.log.close()

    # --- services

    def _precheck(self, payload):
        parse_payload(payload)
        return [Finding("buyer-type", "high", "/body/counterparty", {"zh": "不得售予个人", "en": "Not to persons"})]

    def _bundle(self, record_id, *, disclosures):
        if self.stores.log.record_by_id(record_id) is None:
            raise NotFoundError("")
        self.made.append((record_id, disclosures))
        return b'{"mediaType":"application/vnd.hazledger.bundle.v1+json"}'

    def _sessions_of(self, username):
        return [SessionRow(*row) for row in self.stores.portal.sessions_of(username, self.clock())]

    def _trust(self):
        return json.dumps(
            {
                "mediaType": "application/vnd.hazledger.trust.v1+json",
                "origin": kit.ORIGIN,
                "logKeys": [{"vkey": f"{kit.ORIGIN}+00000000+{b64_encode(b'k' * 33)}", "fromSize": 0, "toSize": None}],
                "receiptKeys": [],
                "chains": [{"fromSize": 0, "toSize": None, "kind": "development", "chainId": 31337}],
            }
        ).encode()


def form_token(page):
    """The csrf value in a page."""
    text = page.get_data(as_text=True)
    return text.split('name="csrf" value="', 1)[1].split('"', 1)[0]


def sign_in(browser, username, password, **more):
    token = form_token(browser.get("/sign-in"))
    return browser.post("/sign-in", data={"csrf": token, "username": username, "password": password, **more})


def choose_password(browser, old, new):
    token = form_token(browser.get("/password"))
    return browser.post("/password", data={"csrf": token, "old": old, "new": new, "again": new})
