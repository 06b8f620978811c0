"""What a page shows, and a desk with a little of everything to show."""

import re
from html.parser import HTMLParser

from tests import factories


def text_of(answer):
    """The words of a page, without markup, with single blanks."""
    assert answer.status_code == 200, answer.status_code
    raw = answer.get_data(as_text=True)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", raw))


def rows_of(answer):
    return re.findall(r'href="/records/([0-9a-f]{64})"', answer.get_data(as_text=True))


class Outline(HTMLParser):
    """Ids, landmarks, labels and headings of a page."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.tags, self.labels, self.inputs, self.headings = [], [], set(), [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append((tag, given))
        if "id" in given:
            self.ids.append(given["id"])
        if tag == "label":
            self.labels.add(given.get("for"))
        if tag in {"input", "select", "textarea"} and given.get("type") != "hidden" and "hidden" not in given:
            self.inputs.append(given.get("id"))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


def fill(desk):
    """A little of everything; the record_ids."""
    ids = [desk.stock(), desk.move(), desk.move()]
    desk.anchor()
    ids.append(desk.move())
    desk.alert()
    desk.line(desk.stores.log.record_by_id(ids[1]).index)
    desk.balance()
    return ids


def paths(desk, ids):
    alert = desk.stores.engine.newest_alerts(limit=1)[0][1]
    return [
        "/", "/alerts", "/alerts?severity=high", f"/alerts?holder={desk.acid.holder}", f"/alerts/{alert.alert_id}",
        "/enterprises", f"/enterprises/{desk.acid.holder}", "/records", f"/records?kind=movement&holder={desk.acid.holder}",
        f"/records/{ids[1]}", "/rules", "/rules/A05", "/trust", "/trust/access", "/search", "/search?q=x", "/search?q=nitric", "/sessions", "/password",
    ]  # fmt: skip


def profile(desk, book, zh, en):
    from tests.kit import Book

    office = Book(book.key, book.holder, "S1", "office")
    body = factories.payload("profile")["body"] | {"names": {"zh": zh, "en": en}}
    desk.log.submit(office.next("profile", body=body))
    return office
