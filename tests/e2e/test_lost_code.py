"""A supervisor who has lost the way in, at a really served installation: the command line mends it while the service runs."""

import os
import re
import subprocess
import sys

import pytest

from ledger.core.submission import SUBMISSION_TYPE
from tests import factories
from tests.kit import Book
from tests.served import Served

pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]

FIRST, SECOND = "violet tram under seven bridges", "copper lantern beside nine willows"


@pytest.fixture(scope="module")
def served(chromium, tmp_path_factory):
    with Served(tmp_path_factory.mktemp("lost") / "s") as served:
        yield served


def hazledger(served, *words):
    """What `hazledger …` prints in a process of its own; it knows of the installation what its operator knows."""
    environment = {**os.environ, "HAZLEDGER_CHAIN_ENDPOINTS": served.service.rpc_url}
    command = [sys.executable, "-m", "ledger.cli.main", *words, "--state", str(served.state)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def browser_of(chromium, served):
    page = chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 800}).new_page()
    page.set_default_timeout(30_000)
    page.goto(served.url + "/")
    return page


def sign_in(page, password):
    page.fill("#username", "supervisor")
    page.fill("#password", password)
    page.click("main button[type=submit]")


def choose(page, old, new):
    page.fill("#old", old)
    page.fill("#new", new)
    page.fill("#again", new)
    page.click("main button[type=submit]")


def shortage(served):
    """A book of which more goes out than was ever there."""
    (enrolled,) = served.enterprises(1)
    book = Book(enrolled.key, enrolled.holder, book="acid", origin=enrolled.origin)
    counted = factories.body("stocktake", lines=[factories.line(value="100")])
    taken = factories.body("movement", direction="out", reason="consumption", lines=[factories.line(value="900")])
    for kind, hour, body in (("stocktake", 10, counted), ("movement", 11, taken)):
        envelope = book.next(kind, body=body, event_time=f"2026-03-03T{hour}:00:00+08:00")
        assert served.post("/api/v1/records", envelope, SUBMISSION_TYPE)[0] == 201


def acknowledge(page, password):
    """Open the most urgent alert and acknowledge it; the words of the page after that."""
    page.click("main table a >> nth=0")
    form = page.locator("form.act", has=page.locator("button", has_text="Acknowledge"))
    if form.locator("[name=password]").count():
        form.locator("[name=password]").fill(password)
    form.locator("button").click()
    return page.inner_text("main")


def test_code_lost__reset_while_served__the_old_way_is_shut_the_new_one_opens_and_signs(chromium, served):
    page = browser_of(chromium, served)
    sign_in(page, served.code)
    choose(page, served.code, FIRST)
    assert page.inner_text("h1") == "Overview"

    said = hazledger(served, "supervisor", "reset")
    code = re.search(r"one-time code ([0-9A-Z-]{23})", said)[1]
    enrol = re.search(r"hazledger (authority enrol .*)", said)[1].split()

    page.goto(served.url + "/alerts")
    assert page.inner_text("h1") == "Sign in", "the session that was open has ended"
    for lost in (FIRST, served.code):
        sign_in(page, lost)
        assert "Name or password is wrong." in page.inner_text("[role=alert]")
    typed = code.lower().replace("-", " ")
    sign_in(page, typed)
    assert page.url == served.url + "/password"
    choose(page, typed, SECOND)
    assert page.inner_text("h1") == "Overview"

    shortage(served)
    served.wait_for(lambda: "A01" in hazledger(served, "alerts", "list"), 60, "the alert")
    page.goto(served.url + "/")
    assert "more went out than was ever there" in acknowledge(page, SECOND), "who acts stays at the alert"
    assert "enrol" in page.inner_text("[role=alert]"), "the new key signs nothing before the authority has enrolled it"
    hazledger(served, *enrol)
    here = served.installation()
    served.wait_for(lambda: sum(g.holder == "supervisor" for g in here.stores.log.grants()) == 2, 30, "the new key's grant")
    here.stores.close()
    page.goto(served.url + "/")
    assert "acknowledged" in acknowledge(page, SECOND)
    page.context.close()
