"""Reading request bodies within a limit, before anything is parsed.

Content-Length is believed only to refuse early; what is read is counted. A body without a length (chunked) is read up to
the limit and no further. The raw WSGI stream is read rather than Flask's, because of a cut connection the lines that
came whole still count.
"""

from __future__ import annotations

from typing import Any

from flask import request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]

from webapp.api.problems import HttpError

READ_AT_ONCE = 64 * 1024


def media_type() -> str:
    """The Content-Type without parameters, lower-case; empty when there is none."""
    return request.mimetype


def require_media_type(*allowed: str) -> None:
    """HttpError `media-type` (415) unless the body is one of `allowed`."""
    if media_type() not in allowed:
        raise HttpError("media-type", f"send one of: {', '.join(allowed)}")


def read_body(limit: int) -> bytes:
    """The whole body, at most `limit` bytes.

    Raises: HttpError `too-large` (413), `content-encoding` (415), or `body-cut` (400) when it did not come whole.
    """
    body, whole = read_possibly_cut(limit)
    if not whole:
        raise HttpError("body-cut")
    return body


def read_possibly_cut(limit: int) -> tuple[bytes, bool]:
    """(what came, whether it came whole); at most `limit` bytes.

    Raises: HttpError `too-large` (413) or `content-encoding` (415).
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise HttpError("content-encoding")
    declared = request.content_length
    if declared is not None and declared > limit:
        raise HttpError("too-large", f"at most {limit} bytes")
    if declared is None and not request.environ.get("wsgi.input_terminated"):
        return b"", True
    # One byte beyond the limit is asked for only where no length was declared: then it is what proves "too large".
    body, cut = _read(request.environ["wsgi.input"], limit + 1 if declared is None else declared)
    if len(body) > limit:
        raise HttpError("too-large", f"at most {limit} bytes")
    return body, not cut and (declared is None or len(body) == declared)


def _read(stream: Any, wanted: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    cut = False
    while wanted > 0:
        try:
            part = stream.read(min(wanted, READ_AT_ONCE))
        except (OSError, ParseException):
            # gunicorn's chunk reader keeps what it decoded before the break; a second read hands it out.
            if cut:
                break
            cut = True
            continue
        if not part:
            break
        parts.append(part)
        wanted -= len(part)
    return b"".join(parts), cut
