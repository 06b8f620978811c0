"""What spreadsheets make of text and times, read back: their encodings, and the forms in which they save a date."""

from __future__ import annotations

import re
from collections.abc import Container

from ledger.client.drafts import DraftError

AUTO = "auto"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS = "save it as CSV UTF-8, or say --encoding gb18030"

# Year first, as Excel saves it under a Chinese setting (2026/11/20 9:30), and as 2026年11月20日. What begins with a day or a
# month is not read: 11/12/2026 is two days.
_DATE = r"(?P<year>[0-9]{4})(?:(?P<between>[-/])(?P<month>[0-9]{1,2})(?P=between)(?P<day>[0-9]{1,2})|年(?P<month2>[0-9]{1,2})月(?P<day2>[0-9]{1,2})日)"
_LOCAL_TIME = re.compile(_DATE + r"[ T]?(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?P<second>:[0-9]{2})?", re.ASCII)
_ONLY_DATE = re.compile(_DATE, re.ASCII)


def decoded(data: bytes, encoding: str, headings: Container[str]) -> str:
    """The text of a CSV file.

    `encoding` AUTO reads UTF-8, with or without a byte order mark; what is none is read as GBK (gb18030, a superset), which
    Chinese spreadsheets save, but only where the first row then holds a heading in Chinese: bytes of another code page would
    be read as other people's names.

    Raises: DraftError.
    """
    if data.startswith(_UTF16_MARKS):
        raise DraftError([f"the file is UTF-16 (Excel's “Unicode text”); {_SAVE_AS}"])
    try:
        if encoding != AUTO:
            return data.decode(encoding)
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("gb18030")
    except UnicodeDecodeError as error:
        named = "UTF-8" if encoding == AUTO else encoding
        raise DraftError([f"the file is not {named}; {_SAVE_AS}"]) from error
    except LookupError as error:
        raise DraftError([f"{encoding!r} is no encoding that this program knows"]) from error
    first = re.split("[,\r\n]", text.partition("\n")[0])
    if not any(not cell.isascii() and cell.strip(' "') in headings for cell in first):
        raise DraftError([f"the file is not UTF-8; {_SAVE_AS}"])
    return text


def local_time(text: str, utc_offset: str) -> str | None:
    """RFC 3339 of a time that names no zone, at `utc_offset`; None for what is no such time.

    *Not* checked: that there is such a day and hour. The record's schema does that.
    """
    found = _LOCAL_TIME.fullmatch(text)
    if found is None:
        return None
    return f"{_iso(found)}T{found['hour']:0>2}:{found['minute']}{found['second'] or ':00'}{utc_offset}"


def iso_date(text: str) -> str:
    """A date in the form of records, where a spreadsheet has saved it in its own; any other text as it is."""
    found = _ONLY_DATE.fullmatch(text)
    return text if found is None else _iso(found)


def _iso(found: re.Match[str]) -> str:
    month, day = found["month"] or found["month2"], found["day"] or found["day2"]
    return f"{found['year']}-{month:0>2}-{day:0>2}"
