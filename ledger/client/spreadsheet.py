"""Movements and stock-takes from a spreadsheet saved as CSV. Row numbers are those that the spreadsheet shows.

One row is one goods line. Rows that stand together with the same `group` are one record of several lines. Every bad row
is named, and nothing is taken while one is bad. Persons' names and numbers become disclosures, never part of the payload.
"""

from __future__ import annotations

import copy
import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ledger.client.cells import AUTO, decoded, iso_date, local_time
from ledger.client.drafts import Draft, DraftError, check
from ledger.client.spool import BookPlace
from ledger.client.words import meant, wrong
from ledger.core.record import read_instant
from ledger.errors import VerificationError

MAX_ROWS = 50_000
"""A year of one store by hand; more than this is a system that should push for itself."""

COLUMNS: dict[str, str] = {
    "record": "种类",
    "group": "单号",
    "event_time": "发生时间",
    "site": "场所",
    "book": "台账",
    "direction": "方向",
    "reason": "原因",
    "loss_cause": "损耗原因",
    "goods": "类别",
    "code": "编码",
    "value": "数量",
    "unit": "单位",
    "store": "库房",
    "packaging": "包装",
    "pieces": "件数",
    "concentration": "浓度",
    "form": "形态",
    "batch": "批号",
    "trace": "追溯码",
    "container": "容器",
    "expires": "有效期至",
    "consignment": "运单号",
    "expected_arrival": "预计到达",
    "counterparty": "对方信用代码",
    "counterparty_name": "对方名称",
    "counterparty_country": "对方国家",
    "purpose": "用途",
    "payment_method": "付款方式",
    "handlers": "经办人编号",
    "agent_name": "代理人姓名",
    "agent_id_number": "代理人证件号",
    "agent_phone": "代理人电话",
    "cut_off": "截止时间",
    "complete": "全部盘点",
}
"""Column -> its Chinese heading; either may stand in the first row, in any order. Others are refused, so that nothing is lost."""
REQUIRED = ("record", "event_time", "code", "value", "unit")

_BY_HEADING = {heading: column for column, heading in COLUMNS.items()} | {column: column for column in COLUMNS}
_LINE_TEXTS = ("store", "packaging", "concentration", "form", "batch", "trace", "container", "expires")
_RECORD_COLUMNS = tuple(c for c in COLUMNS if c not in {*_LINE_TEXTS, "goods", "code", "value", "unit", "pieces"})
_STOCKTAKE_ONLY = frozenset({"cut_off", "complete"})
_MOVEMENT_ONLY = (
    frozenset(_RECORD_COLUMNS) - _STOCKTAKE_ONLY - {"record", "group", "event_time", "site", "book", "handlers"}
)
_OFFSET = re.compile(r"Z|[+-][0-9]{2}:[0-9]{2}", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_LINE_POINTER = re.compile(r"/body/lines/([0-9]+)")
_COLUMN_OF = {
    "/event_time": "event_time",
    "/body/cut_off": "cut_off",
    "/body/expected_arrival": "expected_arrival",
    "/body/counterparty/uscc": "counterparty",
    "/body/counterparty/name": "counterparty_name",
    "/body/counterparty/country": "counterparty_country",
    "/body/agent/name": "agent_name",
    "/body/agent/id_number": "agent_id_number",
    "/body/agent/phone": "agent_phone",
    "/site": "site",
    "/book": "book",
}
_PERSONS = re.compile(r"/body/(?:handlers|counters)(?:/|$)")
_TIMES = frozenset({"event_time", "cut_off", "expected_arrival"})
_HOW_TIME = "write it as 2026-11-20 08:00, or in RFC 3339 with a zone: 2026-11-20T08:00:00+08:00"
_FINE_TIME = "2026-01-01T00:00:00Z"
_FINE_LINE: dict[str, Any] = {
    "goods": "chemical",
    "code": "7697-37-2",
    "store": "R1",
    "pieces": 1,
}
"""Stands in for what was found wrong or missing, so that the rest of the record can be checked as well."""
_ENOUGH = 200
"""Faults; beyond them a record is read up to its first only, so that a hopeless file is answered soon."""


@dataclass(slots=True)
class _Row:
    number: int
    cells: dict[str, str]


@dataclass(slots=True)
class _Sheet:
    """Collects what is wrong, row by row."""

    place: BookPlace
    log: str
    utc_offset: str
    signers: int
    found: dict[tuple[int, str], str] = field(default_factory=dict)

    @property
    def defects(self) -> list[str]:
        """By row; of several in one row, as they were found."""
        return [text for _, text in sorted(self.found.items(), key=lambda item: item[0][0])]

    def bad(self, row: _Row, column: str, what: str) -> None:
        """The first fault of a cell counts; what follows from it is not said again."""
        named = f", {column} ({COLUMNS[column]})" if column in COLUMNS else f", {column}" if column else ""
        self.found.setdefault((row.number, column), f"row {row.number}{named}: {what}")

    def is_bad(self, row: _Row, column: str) -> bool:
        return (row.number, column) in self.found


def read_spreadsheet(
    data: bytes,
    *,
    place: BookPlace,
    log: str,
    utc_offset: str = "+08:00",
    encoding: str = AUTO,
    signers: int = 1,
) -> list[Draft]:
    """The records of a CSV file, in its order.

    Args:
        data: the file's bytes, comma-separated, quoted as spreadsheets do, headings in the first row.
        place: (enterprise, site, book); columns `site` and `book` stand above it where they are filled.
        log: the log's origin, which the records will name.
        utc_offset: of times without one, such as "2026-03-02 09:30", or "2026/3/2 9:30", as Excel saves it.
        encoding: AUTO reads UTF-8 with or without a byte order mark, and GBK where the headings are Chinese.
        signers: how many keys will sign.

    Raises: DraftError that names every bad row; nothing is returned then.
    """
    if not _OFFSET.fullmatch(utc_offset):
        raise DraftError([f"{utc_offset!r} is no offset from UTC such as +08:00"])
    rows = _rows(data, encoding)
    sheet = _Sheet(place, log, utc_offset, signers)
    records = [list(rows_of_one) for _, rows_of_one in groupby(rows, _group_key())]
    drafts = [_draft(sheet, rows_of_one) for rows_of_one in records]
    _one_count_at_a_time(sheet, records, drafts)
    if not drafts:
        raise DraftError(["the file has a row of headings and nothing below it"])
    if sheet.found:
        raise DraftError(sheet.defects)
    return drafts


def _one_count_at_a_time(sheet: _Sheet, records: list[list[_Row]], drafts: list[Draft]) -> None:
    """A complete count says that nothing else is there: a second one at the same moment would empty the first."""
    seen: dict[tuple[BookPlace, Any], _Row] = {}
    for rows, draft in zip(records, drafts, strict=True):
        if draft.body.get("complete") is not True or any(sheet.is_bad(rows[0], c) for c in ("event_time", "cut_off")):
            continue
        earlier = seen.setdefault((draft.place, draft.body["cut_off"]), rows[0])
        if earlier is not rows[0]:
            sheet.bad(
                rows[0],
                "group",
                f"a second complete count of this book at the time of row {earlier.number}'s: lines of one count stand "
                "together under one group",
            )


def _group_key() -> Callable[[_Row], tuple[str, int]]:
    def key(row: _Row) -> tuple[str, int]:
        group = row.cells.get("group", "")
        return (group, 0) if group else ("", row.number)

    return key


def _rows(data: bytes, encoding: str) -> list[_Row]:
    text = decoded(data, encoding, _BY_HEADING)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = _columns([heading.strip() for heading in next(reader, [])])
        found = []
        # A quoted cell may hold line breaks, so the row is counted, as a spreadsheet does, and not the line.
        for number, cells in enumerate(reader, start=2):
            if not any(cell.strip() for cell in cells):
                continue
            # Spreadsheets save columns that were once touched: without heading and cells they are nothing.
            if any(cell.strip() for at, cell in enumerate(cells) if at >= len(columns) or not columns[at]):
                raise DraftError([f"row {number}: a cell stands under no heading ({sum(map(bool, columns))} headings)"])
            found.append(_Row(number, {c: _cell(c, v) for c, v in zip(columns, cells, strict=False) if v.strip()}))
            if len(found) > MAX_ROWS:
                raise DraftError([f"more than {MAX_ROWS} rows; cut the file into several"])
    except csv.Error as error:
        raise DraftError([f"line {reader.line_num}: not CSV: {error}"]) from error
    return found


def _columns(headings: list[str]) -> list[str]:
    """The columns in the file's order; "" for one without a heading."""
    if len(headings) == 1 and (other := next((sign for sign in (";", "\t") if sign in headings[0]), "")):
        raise DraftError([f"row 1: the cells are separated by {other!r}; save it as CSV with commas"])
    columns = [_BY_HEADING.get(heading, heading) for heading in headings]
    defects = [f"heading {column!r} is not known" for column in columns if column and column not in COLUMNS]
    twice = {column for column in columns if column and columns.count(column) > 1}
    defects += [f"heading {column!r} stands twice" for column in sorted(twice)]
    defects += [f"the heading {c!r} ({COLUMNS[c]}) is missing" for c in REQUIRED if c not in columns]
    if defects:
        known = ", ".join(f"{column} ({heading})" for column, heading in COLUMNS.items())
        raise DraftError([f"row 1: {defect}" for defect in defects] + [f"known headings: {known}"])
    return columns


def _cell(column: str, text: str) -> str:
    text = text.strip()
    if column == "expires":
        return iso_date(text)
    if column == "concentration":
        return re.sub(r"\s*[%％]$", "", text)
    return meant(column, text)


def _draft(sheet: _Sheet, rows: list[_Row]) -> Draft:
    first = rows[0]
    for row in rows[1:]:
        for column in _RECORD_COLUMNS:
            if row.cells.get(column, first.cells.get(column)) != first.cells.get(column):
                sheet.bad(row, column, f"differs from row {first.number} of the same group")
    cells = first.cells
    place = (sheet.place[0], cells.get("site", sheet.place[1]), cells.get("book", sheet.place[2]))
    lines = [_line(sheet, row) for row in rows]
    record = cells.get("record", "")
    if record == "movement":
        body = _movement(sheet, first, lines)
    elif record == "stocktake":
        body = _stocktake(sheet, first, lines)
    else:
        sheet.bad(first, "record", wrong("record", record) if record else "is empty")
        body = {}
    named = f"row {first.number}" if len(rows) == 1 else f"rows {first.number} to {rows[-1].number}"
    draft = Draft(place, record, _time(sheet, first, "event_time"), body, _disclosures(first, record), source=named)
    if body:
        _check(sheet, rows, draft)
    return draft


def _check(sheet: _Sheet, rows: list[_Row], draft: Draft) -> None:
    """By the record's own schema, which names one thing at a time: each is mended in a copy, and the copy checked again."""
    trial = draft
    for _ in range(12 + 4 * len(rows)):
        try:
            check(trial, log=sheet.log, signers=sheet.signers)
        except VerificationError as error:
            pointer = error.pointer or ""
            row, column = _cell_of(rows, pointer)
            sheet.bad(row, column, _said(column, error))
            trial = copy.deepcopy(draft) if trial is draft else trial
            if len(sheet.found) > _ENOUGH or not _mend(trial, pointer):
                return
        else:
            return


def _said(column: str, error: VerificationError) -> str:
    if column in _TIMES and error.code in ("schema", "event-time"):
        return f"is no time; {_HOW_TIME}"
    if column == "expires" and error.code == "schema":
        return "is no day of the calendar; write it as 2027-03-01"
    return f"{error.detail} [{error.code}]"


def _cell_of(rows: list[_Row], pointer: str) -> tuple[_Row, str]:
    """The row and column that a pointer into a record came from."""
    match = _LINE_POINTER.match(pointer)
    if match:
        part = pointer[match.end() :].split("/")
        column = part[1] if len(part) > 1 else ""
        if column == "quantity":
            column = "unit" if part[-1] == "unit" else "value"
        return rows[int(match[1])], column
    if _PERSONS.match(pointer):
        return rows[0], "handlers"
    named = next((c for c in COLUMNS if pointer == f"/body/{c}"), pointer)
    return rows[0], _COLUMN_OF.get(pointer, named)


def _mend(trial: Draft, pointer: str) -> bool:
    """Put something that passes in the place of what was refused, or take it out; False where nobody knows how."""
    body, parts = trial.body, pointer.split("/")[1:]
    match = _LINE_POINTER.match(pointer)
    if match and len(parts) > 3:
        line, member = body["lines"][int(match[1])], parts[3]
        if member == "quantity":
            line[member] = _fine_quantity(line["goods"])
            return True
        if member in ("goods", "code") or member not in line:
            line[member] = _FINE_LINE.get(member, "")
            return member in _FINE_LINE
        del line[member]
        return True
    if pointer in trial.disclosures:
        del trial.disclosures[pointer]
        return True
    if len(parts) < 2 or parts[0] != "body" or parts[1] in ("lines", "complete"):
        return False
    if parts[1] in ("direction", "reason", "loss_cause"):
        body |= {"direction": "out", "reason": "consumption"}
        body.pop("loss_cause", None)
        return True
    if parts[1] == "cut_off":
        body["cut_off"] = _FINE_TIME
        return True
    return body.pop(parts[1], None) is not None


def _line(sheet: _Sheet, row: _Row) -> dict[str, Any]:
    """The goods line of a row. A cell that was found bad is left out, or stands as something that passes."""
    cells = row.cells
    for column in ("code", "value", "unit"):
        if column not in cells:
            sheet.bad(row, column, "is empty")
    for column in ("goods", "unit", "packaging", "form"):
        if column in cells and (what := wrong(column, cells[column])):
            sheet.bad(row, column, what)
    if "concentration" in cells and not _NUMBER.fullmatch(cells["concentration"]):
        sheet.bad(row, "concentration", f"{cells['concentration']!r} is no number; write percent by mass, such as 68")
    fine = {column: text for column, text in cells.items() if not sheet.is_bad(row, column)}
    goods = fine.get("goods", "chemical")
    line: dict[str, Any] = {
        "goods": goods,
        "code": fine.get("code", _FINE_LINE["code"]),
        "quantity": {"value": fine.get("value", "1"), "unit": fine.get("unit", "KGM")},
    }
    line |= {column: fine[column] for column in _LINE_TEXTS if column in fine}
    if sheet.is_bad(row, "goods"):
        line = {"store": _FINE_LINE["store"], **line, "quantity": _fine_quantity(goods)}
    elif sheet.is_bad(row, "unit") and goods != "chemical":
        line["quantity"] = _fine_quantity(goods)
    if "pieces" in cells:
        if cells["pieces"].isascii() and cells["pieces"].isdigit() and len(cells["pieces"]) <= 13:
            line["pieces"] = int(cells["pieces"])
        else:
            sheet.bad(row, "pieces", f"{cells['pieces']!r} is no whole number")
    return line


def _fine_quantity(goods: str) -> dict[str, str]:
    return {"value": "1", "unit": "KGM" if goods in ("chemical", "explosive") else "H87"}


def _movement(sheet: _Sheet, row: _Row, lines: list[dict[str, Any]]) -> dict[str, Any]:
    cells = row.cells
    for column in ("direction", "reason"):
        if column not in cells:
            sheet.bad(row, column, "is empty")
    for column in [c for c in cells if c in _STOCKTAKE_ONLY]:
        sheet.bad(row, column, "belongs to a stock-take")
    direction = cells.get("direction", "")
    for column in ("direction", "reason", "loss_cause", "payment_method"):
        if column in cells and (what := wrong(column, cells[column], direction)):
            sheet.bad(row, column, what)
    body: dict[str, Any] = {"direction": direction, "reason": cells.get("reason", ""), "lines": lines}
    texts = ("loss_cause", "consignment", "purpose", "payment_method")
    body |= {column: cells[column] for column in texts if column in cells and not sheet.is_bad(row, column)}
    if any(sheet.is_bad(row, column) for column in ("direction", "reason", "loss_cause")):
        body |= {"direction": "out", "reason": "consumption"}
        body.pop("loss_cause", None)
    if "expected_arrival" in cells:
        body["expected_arrival"] = _time(sheet, row, "expected_arrival")
    other = _counterparty(cells)
    if other:
        body["counterparty"] = other
    refs = [ref.strip() for ref in re.split("[;；]", cells.get("handlers", "")) if ref.strip()]
    if refs:
        body["handlers"] = [{"ref": ref} for ref in refs]
    return body


def _counterparty(cells: dict[str, str]) -> dict[str, str]:
    other: dict[str, str] = {}
    if "counterparty" in cells:
        other = {"type": "enterprise", "uscc": cells["counterparty"]}
    if "counterparty_country" in cells:
        # With a credit code beside it the schema says that the two exclude each other.
        other = {"type": "foreign", **other, "country": cells["counterparty_country"]}
    if "counterparty_name" in cells:
        # Without a code or a country the schema says what is missing.
        other = {"type": "enterprise", **other, "name": cells["counterparty_name"]}
    return other


def _stocktake(sheet: _Sheet, row: _Row, lines: list[dict[str, Any]]) -> dict[str, Any]:
    cells = row.cells
    for column in [c for c in cells if c in _MOVEMENT_ONLY]:
        sheet.bad(row, column, "belongs to a movement")
    complete = cells.get("complete", "true")
    if complete not in ("true", "false"):
        sheet.bad(row, "complete", wrong("complete", complete))
    body: dict[str, Any] = {
        "cut_off": _time(sheet, row, "cut_off" if "cut_off" in cells else "event_time"),
        "complete": complete == "true",
        "lines": lines,
    }
    refs = [ref.strip() for ref in re.split("[;；]", cells.get("handlers", "")) if ref.strip()]
    if refs:
        body["counters"] = [{"ref": ref} for ref in refs]
    return body


def _disclosures(row: _Row, record: str) -> dict[str, str]:
    if record != "movement":
        return {}
    names = {"agent_name": "name", "agent_id_number": "id_number", "agent_phone": "phone"}
    return {f"/body/agent/{name}": row.cells[column] for column, name in names.items() if column in row.cells}


def _time(sheet: _Sheet, row: _Row, column: str) -> str:
    text = row.cells.get(column, "")
    if not text:
        sheet.bad(row, column, "is empty")
        return _FINE_TIME
    time = local_time(text, sheet.utc_offset) or text
    try:
        read_instant(time)
    except ValueError:
        sheet.bad(row, column, f"{text[:40]!r} is no time that there is; {_HOW_TIME}")
        return _FINE_TIME
    return time
