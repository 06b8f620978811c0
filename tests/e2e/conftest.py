"""A real Chromium against the application over HTTP. Nothing is mocked in the browser; the network is this machine's."""

import logging
import os
import shutil
import threading

import pytest
from werkzeug.serving import make_server

from tests.webapp.desk import PASSWORD, Desk
from webapp.passwords import new_account

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def chromium():
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed")
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Site:
    """The application on a port of its own, and the sign-in that a test wants."""

    def __init__(self, desk):
        self.desk = desk
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.server = make_server("127.0.0.1", 0, desk.app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        from webapp.api.alerts import HUB

        self.desk.app.extensions[HUB].close()
        self.server.shutdown()
        self.thread.join(5)
        self.server.server_close()


@pytest.fixture
def site(tmp_path):
    made = Site(Desk(tmp_path))
    yield made
    made.close()
    made.desk.close()


@pytest.fixture
def one_time_code(site):
    account, code = new_account("supervisor")
    site.desk.stores.portal.save_user(account)
    return code


class Watched:
    """A page that notes every console message, error, CSP report and request."""

    def __init__(self, chromium, site, language="en", width=1280, zone=None):
        locale = {"zh": "zh-CN", "en": "en-GB"}[language]
        self.context = chromium.new_context(viewport={"width": width, "height": 800}, locale=locale, timezone_id=zone)
        self.context.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI))"
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.site, self.trouble, self.requests = site, [], []
        self.page.on("console", lambda m: self.trouble.append(m.text) if m.type in {"error", "warning"} else None)
        self.page.on("pageerror", lambda e: self.trouble.append(str(e)))
        self.page.on("request", lambda r: self.requests.append(r.url))

    def open(self, path):
        return self.page.goto(self.site.url + path)

    def sign_in(self, password=PASSWORD):
        if self.site.desk.stores.portal.user("supervisor") is None:
            self.site.desk.supervisor()
        self.open("/sign-in")
        self.page.fill("#username", "supervisor")
        self.page.fill("#password", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_load_state()
        return self

    def foreign(self):
        return [url for url in self.requests if not url.startswith((self.site.url, "data:"))]


@pytest.fixture
def watch(chromium, site):
    made = []

    def start(**given):
        made.append(Watched(chromium, site, **given))
        return made[-1]

    yield start
    for one in made:
        one.context.close()
