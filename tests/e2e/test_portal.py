"""The portal in a real browser."""

import hashlib
import re
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.webapp.desk import PASSWORD
from webapp import stream
from webapp.i18n import load_translations


def until(page, expression, seconds=15):
    """Wait until the expression holds. Playwright's own wait evaluates inside the page, which the CSP rightly forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(30)


def fill(desk):
    """Something on every page; the record_id of a movement."""
    desk.stock()
    moved = desk.move()
    for _ in range(4):
        desk.move()
    desk.anchor()
    for severity in ("critical", "high", "medium", "low", "info"):
        desk.alert(
            severity=severity,
            en="Book stock of 7697-37-2 is -3 kg: more went out than was ever there",
            zh="7697-37-2 账面库存为 -3 公斤：出库多于曾有的库存",
        )
    desk.line(desk.stores.log.record_by_id(moved).index)
    desk.balance()
    return moved


def paths(desk, moved):
    alert = desk.stores.engine.newest_alerts(limit=1)[0][1]
    return [
        "/", "/alerts", f"/alerts/{alert.alert_id}", "/enterprises", f"/enterprises/{desk.acid.holder}", "/records",
        f"/records/{moved}", "/trust", "/trust/access", "/search?q=91", "/sessions", "/password",
    ]  # fmt: skip


def test_first_sign_in__in_the_browser__one_time_code_new_password_then_all_opens(site, watch, one_time_code):
    seen = watch()
    seen.open("/records")
    assert seen.page.url.startswith(site.url + "/sign-in?next=")
    seen.sign_in("not the code")
    assert "Name or password is wrong." in seen.page.inner_text("[role=alert]")
    seen.sign_in(one_time_code)
    assert seen.page.url == site.url + "/password"
    seen.page.fill("#old", one_time_code)
    seen.page.fill("#new", "password1234")
    seen.page.fill("#again", "password1234")
    seen.page.click("main button[type=submit]")
    assert "everybody tries first" in seen.page.inner_text("[role=alert]")
    seen.page.fill("#old", one_time_code)
    seen.page.fill("#new", PASSWORD)
    seen.page.fill("#again", PASSWORD)
    seen.page.click("main button[type=submit]")
    assert seen.page.inner_text("h1") == "Overview"
    seen.page.click("text=Sign out")
    assert seen.page.inner_text("h1") == "Sign in"
    # 401 and 422 are answers that the browser mentions on its console; nothing else may be there.
    assert [t for t in seen.trouble if "Failed to load resource" not in t] == []


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [1280, 360])
def test_every_page__no_csp_violation_no_foreign_request_no_overflow(site, watch, language, width):
    moved = fill(site.desk)
    seen = watch(language=language, width=width).sign_in()
    for path in paths(site.desk, moved):
        answer = seen.open(path)
        assert answer.status == 200, path
        wide = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, (path, wide)
        cut = seen.page.evaluate(
            "[...document.querySelectorAll('main a, main button, main input, main select, main h1, main p')]"
            ".filter(e => e.checkVisibility() && !e.closest('.scroll, .tabs, pre'))"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
        )
        assert cut == [], path
        heading = seen.page.inner_text("h1")
        assert heading.strip()
    assert seen.trouble == []
    assert seen.foreign() == []


def test_csp__an_inline_script_put_into_the_page__does_not_run(site, watch):
    seen = watch().sign_in()
    seen.page.evaluate("() => { const s = document.createElement('script'); s.textContent = 'window.hit = 1'; document.body.append(s); }")
    assert seen.page.evaluate("window.hit") is None
    assert any(t.startswith("CSP script-src") for t in seen.trouble), "and the watcher of violations works"


def test_language_switch__in_the_browser__the_page_turns_and_stays_there(site, watch):
    fill(site.desk)
    seen = watch(language="zh").sign_in()
    seen.open("/records?kind=movement")
    assert seen.page.inner_text("h1") == load_translations("zh").gettext("Records")
    seen.page.click("text=English")
    assert seen.page.url == site.url + "/records?kind=movement"
    assert seen.page.inner_text("h1") == "Records"
    assert seen.page.get_attribute("html", "lang") == "en"
    seen.page.click("text=中文")
    assert seen.page.get_attribute("html", "lang") == "zh-CN"


# --- the live list


def live(watch, site, path="/alerts"):
    site.desk.alert()
    seen = watch().sign_in()
    seen.open(path)
    until(seen.page, "document.getElementById('state').textContent === 'Live'")
    return seen


def test_live_alert__while_the_list_is_open__is_announced_and_shown_on_asking(site, watch):
    seen = live(watch, site)
    before = seen.page.locator("#rows tr").count()
    site.desk.alert(en="Sodium cyanide went out without a licence")
    seen.page.wait_for_selector("#fresh:not([hidden])", timeout=5000)
    assert seen.page.inner_text("#fresh") == "1 new alert: show it"
    assert seen.page.title().startswith("(1) ")
    assert seen.page.locator("#rows tr").count() == before, "rows do not jump by themselves"
    site.desk.alert()
    until(seen.page, "document.getElementById('fresh').textContent.startsWith('2 new')")
    seen.page.click("#fresh")
    until(seen.page, f"document.querySelectorAll('#rows tr').length === {before + 2}")
    assert "Sodium cyanide" in seen.page.inner_text("#rows tr:nth-child(2)")
    assert seen.page.is_hidden("#fresh")
    seen.page.click("#rows tr:nth-child(2) a >> nth=0")
    assert "Sodium cyanide" in seen.page.inner_text("h1")
    assert seen.trouble == []


def test_live_alert__more_urgent_than_what_stands_there__comes_first_and_is_marked(site, watch):
    seen = live(watch, site)
    site.desk.alert(severity="critical", en="Sodium cyanide is gone")
    seen.page.click("#fresh")
    until(seen.page, "document.querySelectorAll('#rows tr').length === 2")
    assert "Sodium cyanide" in seen.page.inner_text("#rows tr:nth-child(1)")
    assert seen.page.evaluate("[...document.querySelectorAll('#rows tr')].map(r => r.className)") == ["new", ""]
    assert seen.page.inner_text("#tabs a[aria-current] .tally") == "2"
    assert seen.page.evaluate("document.activeElement.id") == "scroll", "who reads by keyboard stands at the list"
    assert seen.trouble == []


def test_live_alert__behind_the_first_page_in_this_order__is_said(site, watch):
    for _ in range(50):
        site.desk.alert(severity="critical")
    seen = live(watch, site)
    site.desk.alert(severity="low")
    seen.page.click("#fresh")
    until(seen.page, "document.getElementById('below').textContent !== ''")
    assert seen.page.inner_text("#below").startswith("1 of the new ones")
    assert seen.page.locator("#rows tr").count() == 50


def test_live_alert__while_closed_ones_are_shown__is_not_announced(site, watch):
    seen = live(watch, site, "/alerts?state=closed")
    site.desk.alert()
    seen.page.wait_for_timeout(600)
    assert seen.page.is_hidden("#fresh")


def test_live_list__browser_of_another_zone__tells_the_county_s_time(site, watch):
    seen = watch(zone="America/New_York").sign_in()
    seen.open("/alerts")
    heard = seen.page.locator("#heard")
    until(seen.page, "document.getElementById('heard').textContent !== ''")
    told = re.search(r"(\d\d):(\d\d):\d\d$", heard.text_content())
    assert told, heard.text_content()
    here = datetime.now(ZoneInfo("Asia/Shanghai"))
    minutes = (here.hour * 60 + here.minute - int(told[1]) * 60 - int(told[2])) % (24 * 60)
    assert minutes <= 2
    assert not seen.trouble


def test_live_alert__into_an_empty_list__makes_it_a_list(site, watch):
    seen = watch().sign_in()
    seen.open("/alerts")
    assert seen.page.is_visible("#empty")
    until(seen.page, "document.getElementById('state').textContent === 'Live'")
    site.desk.alert()
    seen.page.click("#fresh")
    seen.page.wait_for_selector("#rows tr")
    assert seen.page.is_hidden("#empty")


def test_live_alert__of_another_severity_than_the_filter__is_not_announced(site, watch):
    seen = live(watch, site, "/alerts?severity=critical")
    site.desk.alert(severity="low")
    site.desk.alert(severity="critical")
    seen.page.wait_for_selector("#fresh:not([hidden])")
    assert seen.page.inner_text("#fresh") == "1 new alert: show it"
    seen.page.click("#fresh")
    seen.page.wait_for_selector("#rows tr")
    assert seen.page.locator("#rows tr").count() == 1


def test_live_list__paused__collects_silently_until_it_goes_on(site, watch):
    seen = live(watch, site)
    seen.page.click("#pause")
    assert seen.page.get_attribute("#pause", "aria-pressed") == "true"
    site.desk.alert()
    site.desk.alert()
    seen.page.wait_for_timeout(600)
    assert seen.page.is_hidden("#fresh")
    assert seen.page.inner_text("#state") == "Paused"
    seen.page.click("#pause")
    seen.page.wait_for_selector("#fresh:not([hidden])")
    assert seen.page.inner_text("#fresh").startswith("2 new")


def test_live_list__connection_breaks__resumes_without_a_gap(site, watch, monkeypatch):
    seen = live(watch, site)
    hub = site.desk.app.extensions["hazledger.alert_hub"]
    hub._closed = True
    with hub._changed:
        hub._changed.notify_all()
    site.desk.alert()
    seen.page.wait_for_timeout(300)
    hub._closed = False
    seen.page.wait_for_selector("#fresh:not([hidden])", timeout=10_000)
    assert seen.page.inner_text("#fresh") == "1 new alert: show it"


def test_live_list__no_sign_of_life_for_15_s__red_banner_until_it_returns(site, watch, monkeypatch):
    seen = watch().sign_in()
    # The page's own clock is run forward instead of waiting; the server stays silent meanwhile.
    seen.page.clock.install()
    seen.open("/alerts")
    until(seen.page, "document.getElementById('state').textContent === 'Live'")
    monkeypatch.setattr(stream, "HEARTBEAT_S", 3600)
    seen.page.clock.run_for(14_000)
    assert seen.page.is_hidden("#stale")
    seen.page.clock.run_for(3_000)
    assert seen.page.is_visible("#stale")
    site.desk.alert()
    seen.page.wait_for_selector("#stale", state="hidden")


def test_live_list__signed_out_elsewhere__says_so(site, watch, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.2)
    seen = live(watch, site)
    site.desk.stores.portal.revoke_sessions_of("supervisor")
    seen.page.wait_for_selector("#signed-out:not([hidden])")


def test_without_javascript__the_list_and_all_forms_work(chromium, site):
    site.desk.supervisor()
    site.desk.stock()
    site.desk.alert()
    context = chromium.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    page.goto(site.url + "/alerts")
    page.fill("#username", "supervisor")
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    assert page.url == site.url + "/alerts"
    assert page.locator("#rows tr").count() == 1
    assert page.is_hidden("#live")
    assert "plain list" in page.inner_text("noscript")
    page.goto(site.url + "/records")
    page.select_option("#kind", "stocktake")
    page.click(".filters button")
    assert "kind Stocktake" in page.inner_text(".sentence")
    context.close()


# --- use by keyboard, download


def test_keyboard__skip_link_and_visible_focus(site, watch):
    seen = watch().sign_in()
    seen.open("/records")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    assert seen.page.locator(".skip").bounding_box()["x"] >= 0
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.id") == "main"
    seen.page.keyboard.press("Tab")
    outline = seen.page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"


def test_bundle__downloaded_in_the_browser__has_the_name_that_the_command_uses(site, watch):
    moved = fill(site.desk)
    seen = watch().sign_in()
    seen.open(f"/records/{moved}")
    with seen.page.expect_download() as download:
        seen.page.click("text=Download the bundle")
    name = download.value.suggested_filename
    assert name == f"{moved}.hzb.json"
    assert name in seen.page.inner_text(".command")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_contrast__every_text__is_at_least_4_5_to_1(site, watch, language):
    moved = fill(site.desk)
    seen = watch(language=language).sign_in()
    for path in ["/", "/alerts", f"/enterprises/{site.desk.acid.holder}", f"/records/{moved}", "/trust"]:
        seen.open(path)
        poor = seen.page.evaluate(CONTRAST)
        assert poor == [], path


CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const lum = ([r, g, b]) => { const f = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b); };
  const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] === 1) return c; } return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())) continue;
    const a = lum(parse(getComputedStyle(e).color)), b = lum(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) poor.push([e.tagName, e.className, e.textContent.trim().slice(0, 30), ratio.toFixed(2)]);
  }
  return poor;
}"""


def test_print__hides_the_frame_and_keeps_the_content(site, watch):
    moved = fill(site.desk)
    seen = watch().sign_in()
    seen.open(f"/records/{moved}")
    seen.page.emulate_media(media="print")
    assert seen.page.is_hidden("header.top")
    assert re.search("Verify it yourself", seen.page.inner_text("main"))


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("width", [1280, 390])
def test_closing__evidence_of_a_file__is_worked_out_in_the_browser(site, watch, tmp_path, language, width):
    fill(site.desk)
    alert = site.desk.stores.engine.newest_alerts(limit=1)[0][1]
    photo, empty = tmp_path / "photo.jpg", tmp_path / "empty.txt"
    photo.write_bytes(b"a photograph")
    empty.touch()
    seen = watch(language=language, width=width).sign_in()
    seen.open(f"/alerts/{alert.alert_id}")
    page = seen.page
    form = page.locator("form.act", has=page.locator("select[name=outcome]"))
    page.locator("details", has=form).locator("summary").click()
    assert form.locator("select[name=outcome]").input_value() == ""
    asked = len(seen.requests)

    def fields():
        return [form.locator(f"[name=evidence_{name}]").input_value() for name in ("sha256", "bytes", "media_type")]

    page.set_input_files("#evidence-file", str(photo))
    until(page, "document.querySelector('[name=evidence_bytes]').value === '12'")
    assert fields() == [hashlib.sha256(b"a photograph").hexdigest(), "12", "image/jpeg"]
    assert form.locator("button").is_enabled() and "\u2026" not in page.inner_text("#evidence-said")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_input_files("#evidence-file", str(empty))
    until(page, "document.querySelector('[name=evidence_bytes]').value === ''")
    until(page, "!document.querySelector('#evidence-file').form.querySelector('button').disabled")
    assert fields() == ["", "", ""] and page.inner_text("#evidence-said")
    form.locator("button").click()
    assert form.locator("select[name=outcome]").evaluate("e => e.validity.valueMissing")
    assert len(seen.requests) == asked and not seen.trouble and page.url.endswith(alert.alert_id)
