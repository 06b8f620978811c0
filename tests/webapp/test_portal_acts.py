"""The alert's page: each act of the supervisor is a form, signed with the key that the sign-in opened."""

import functools
import json
import re
from base64 import b64decode
from dataclasses import replace

import pytest

from ledger.handling import Handler
from ledger.ports import EngineBatch, RecordFilter
from tests import kit
from tests.supervised import DAY, NAME, Supervised
from tests.webapp.desk import PASSWORD, Desk, form_token, sign_in
from webapp import desk as web_desk


class Acting:
    def __init__(self, tmp_path, monkeypatch):
        self.desk = Desk(tmp_path)
        self.supervised = Supervised(tmp_path, books=2, log=self.desk.log)
        object.__setattr__(self.desk.services, "desk", self.supervised.desk)
        monkeypatch.setattr(web_desk, "Handler", functools.partial(Handler, sleep=lambda _: self.supervised.fold()))
        self.one, self.other = self.supervised.alerts()
        self.browser = self.desk.supervisor("en")

    def page(self, alert_id=None):
        return self.browser.get(f"/alerts/{alert_id or self.one}").get_data(as_text=True)

    def act(self, act, alert_id=None, version=None, **fields):
        path = f"/alerts/{alert_id or self.one}"
        page = self.browser.get(path)
        if version is None:
            version = re.search(r'name="version" value="(\d+)"', page.get_data(as_text=True))[1]
        return self.browser.post(path, data={"csrf": form_token(page), "act": act, "version": version, **fields})

    def status(self, alert_id=None):
        return self.supervised.life(alert_id or self.one).status


@pytest.fixture
def acting(tmp_path, monkeypatch):
    made = Acting(tmp_path, monkeypatch)
    yield made
    made.desk.close()


def test_page__open_alert__offers_what_is_possible_and_nothing_else(acting):
    page = acting.page()
    assert 'value="acknowledged"' in page and 'value="closed"' in page and 'value="order"' in page
    assert 'value="verified"' not in page and 'value="accepted"' not in page
    assert "Your key is locked" not in page


def test_act__acknowledge__signed_by_the_sign_in_alone(acting):
    answer = acting.act("acknowledged")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/alerts/{acting.one}")
    assert acting.status() == "acknowledged" and "acknowledged" in acting.page()
    assert "acknowledged" in acting.browser.get("/alerts").get_data(as_text=True)


def test_act__whole_way__through_the_forms(acting):
    acting.act("in_hand")
    assert acting.act("order", measure="mend-stock", days="", text="Count again", password=PASSWORD).status_code == 303
    assert acting.status() == "order_issued"
    order = acting.supervised.life(acting.one).order_id
    assert acting.act("extended", days="30", password=PASSWORD).status_code == 303
    holder = acting.supervised.enterprise
    office = kit.Book(holder.key, holder.holder, book="office")
    acting.supervised.put(office, "reply", {"order": order, "action": "counted"}, acting.desk.log.clock())
    acting.supervised.fold()
    assert "Judge the reply" in acting.page()
    assert acting.act("accepted", password=PASSWORD).status_code == 303
    assert acting.act("closed", outcome="violation_confirmed").status_code == 303
    page = acting.page()
    assert "violation confirmed" in page and "All that happened" in page and 'value="closed"' not in page


@pytest.mark.parametrize(
    ("act", "fields", "status"),
    [
        ("snoozed", {"days": "3", "reason": "known-cause"}, "snoozed"),
        ("suppressed", {"days": "90", "reason": "known-cause"}, "suppressed"),
        ("escalated", {}, "escalated"),
        ("closed", {"outcome": "duplicate", "duplicate_of": "{other}"}, "closed"),
        ("closed", {"outcome": "referred", "referred_to": "Environment bureau"}, "closed"),
    ],
)
def test_act__each_form__moves_the_alert(acting, act, fields, status):
    fields = {name: value.format(other=acting.other) for name, value in fields.items()}
    assert acting.act(act, **fields).status_code == 303
    assert acting.status() == status


def test_act__resting__is_taken_up_again(acting):
    acting.act("snoozed", days="3", reason="known-cause")
    assert "Take it up again" in acting.page()
    acting.act("open")
    assert acting.status() == "open"


def test_act__two_tabs__the_second_sees_why_not(acting):
    acting.act("acknowledged")
    answer = acting.act("closed", version=0, outcome="no_violation")
    assert answer.status_code == 412 and 'role="alert"' in answer.get_data(as_text=True)
    assert acting.status() == "acknowledged"


def test_act__outcome_missing__409_on_the_page(acting):
    answer = acting.act("closed")
    assert answer.status_code == 409 and "outcome" in answer.get_data(as_text=True)


def test_close_form__starts_on_no_outcome__and_says_what_f04_asks(acting):
    page = acting.page()
    chosen = re.search(r'<select name="outcome" required[^>]*>(<option.*?</option>)', page)[1]
    assert chosen == '<option value="">choose</option>'
    assert "F04" in page and "Closing cannot be undone." in page and "neither sent nor stored" in page
    assert "F04" in acting.desk.supervisor("zh").get(f"/alerts/{acting.one}").get_data(as_text=True)


@pytest.mark.parametrize(("given", "kept"), [("image/jpeg", "image/jpeg"), ("", "application/octet-stream")])
def test_act__closed_with_evidence__it_is_signed_and_counts(acting, given, kept):
    evidence = {"evidence_sha256": "AB" * 32, "evidence_bytes": "5", "evidence_media_type": given}
    assert acting.act("closed", outcome="violation_confirmed", **evidence).status_code == 303
    assert acting.status() == "closed" and acting.supervised.life(acting.one).data["evidenced"]
    step = acting.desk.stores.log.search(RecordFilter(kind="alert_transition"), before=None, limit=1)[0]
    signed = json.loads(b64decode(json.loads(step.envelope)["payload"]))["body"]["evidence"]
    assert signed == [{"sha256": "ab" * 32, "media_type": kept, "bytes": 5, "role": "evidence"}]


@pytest.mark.parametrize(
    ("digest", "size"),
    [("ab" * 31, "5"), ("ab" * 32, ""), ("ab" * 32, "0"), ("", "5"), ("zz" * 32, "5"), ("ab" * 32, "4294967297")],
)
def test_act__half_of_an_evidence__closes_nothing(acting, digest, size):
    answer = acting.act("closed", outcome="violation_confirmed", evidence_sha256=digest, evidence_bytes=size)
    assert answer.status_code == 409 and "64 hexadecimal digits" in answer.get_data(as_text=True)
    assert acting.status() == "open"


def test_act__no_csrf__refused(acting):
    answer = acting.browser.post(f"/alerts/{acting.one}", data={"act": "acknowledged", "version": "0"})
    assert answer.status_code == 400 and acting.status() == "open"


@pytest.mark.parametrize(
    ("act", "fields"),
    [("deleted", {}), ("snoozed", {"days": "8", "reason": "known-cause"}), ("snoozed", {"days": "3", "reason": "x"}),
     ("order", {"measure": "hang"}), ("acknowledged", {"version": "x"})],  # fmt: skip
)
def test_act__form_that_was_never_shown__400(acting, act, fields):
    assert acting.act(act, **fields).status_code == 400
    assert acting.status() == "open"


def test_key__idle__the_page_says_so_and_a_password_opens_it_again(acting):
    acting.supervised.seconds.now += 16 * 60
    assert "Your key is locked" in acting.page()
    assert acting.act("acknowledged").status_code == 403
    assert acting.act("acknowledged", password="wrong").status_code == 403
    assert acting.status() == "open"
    assert acting.act("acknowledged", password=PASSWORD).status_code == 303
    assert acting.status() == "acknowledged"


def test_order__long_after_the_password__asks_for_it_again(acting):
    acting.supervised.seconds.now += 6 * 60
    assert acting.act("order", measure="mend-stock").status_code == 403
    assert acting.act("order", measure="mend-stock", password=PASSWORD).status_code == 303


def test_key__sign_out__wipes_it(acting):
    page = acting.browser.get("/")
    acting.browser.post("/sign-out", data={"csrf": form_token(page)})
    assert acting.supervised.desk._open == {}


def test_key__new_password__opens_it_the_old_one_does_not(acting):
    new = "seven lanterns over quiet harbour"
    page = acting.browser.get("/password")
    acting.browser.post("/password", data={"csrf": form_token(page), "old": PASSWORD, "new": new, "again": new})
    assert acting.act("acknowledged").status_code == 303
    browser = acting.desk.client()
    sign_in(browser, NAME, new)
    assert len(acting.supervised.desk._open) == 2
    with pytest.raises(Exception, match="does not open"):
        acting.supervised.desk.unlock("x", NAME, PASSWORD)


def test_key__session_ended_by_another__is_wiped(acting):
    other = acting.desk.client()
    sign_in(other, NAME, PASSWORD)
    assert len(acting.supervised.desk._open) == 2
    page = acting.browser.get("/sessions")
    acting.browser.post("/sessions/revoke", data={"csrf": form_token(page), "session": "others"})
    assert len(acting.supervised.desk._open) == 1


def test_sign_in__sequencer_away__is_let_in_and_told(acting, monkeypatch):
    from ledger.errors import OverloadedError

    def away(*_args, **_kwargs):
        raise OverloadedError("away")

    monkeypatch.setattr(acting.supervised.desk, "unlock", away)
    monkeypatch.setattr(acting.supervised.desk, "touch", away)
    browser = acting.desk.client()
    assert sign_in(browser, NAME, PASSWORD).status_code == 302
    browser.set_cookie("hz_lang", "en")
    assert "Your key is locked" in browser.get(f"/alerts/{acting.one}").get_data(as_text=True)


def test_page__chinese__has_every_word(acting):
    acting.act("in_hand")
    acting.browser.set_cookie("hz_lang", "zh")
    page = acting.page()
    for word in ("处置情况", "下达指令", "关闭", "暂缓", "设为例外", "处置经过", "确认违法"):
        assert word in page, word


def test_page__deadline_passed__is_overdue(acting):
    acting.supervised.later(2 * DAY)
    assert acting.supervised.life(acting.one).status == "overdue"
    assert "overdue" in acting.page()




def test_act__snoozed_after_it_was_acknowledged__one_button_leads_back(acting):
    acting.act("acknowledged")
    acting.act("snoozed", days="3", reason="known-cause")
    assert acting.page().count('name="act" value="acknowledged"') == 1


@pytest.mark.parametrize("typed", ["{:.6}", "{:.12}…", "{}"])
def test_act__closed_as_duplicate__the_beginning_of_the_other_s_id_will_do(acting, typed):
    answer = acting.act("closed", outcome="duplicate", duplicate_of=typed.format(acting.other).upper())
    assert answer.status_code == 303 and acting.status() == "closed"
    entry = acting.desk.stores.log.search(RecordFilter(kind="alert_transition"), before=None, limit=1)[0]
    assert kit.document_of(entry.envelope)["body"]["duplicate_of"] == acting.other


def test_act__beginning_of_several_ids__refused_on_the_page(acting):
    alerts = [replace(acting.desk.alert(), alert_id=f"abcdef{n}" + "1" * 57) for n in range(2)]
    acting.desk.stores.engine.commit(EngineBatch(cursor=acting.desk.stores.log.size(), alerts=tuple(alerts)))
    answer = acting.act("closed", outcome="duplicate", duplicate_of="abcdef")
    assert answer.status_code == 409 and acting.status() == "open"
    assert "more than one id begins with abcdef" in answer.get_data(as_text=True)
