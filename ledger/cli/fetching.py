"""One answer over HTTP from somebody who may answer anything, or never end: whole, in time, no longer than asked for.

A socket's timeout begins anew with each byte, and names are resolved without one: so the clock is kept here, and whoever
does not come back in time is left behind in a thread that does not hold up the program's end.
"""

from __future__ import annotations

import queue
import threading
import time
import urllib.request
from http.client import HTTPResponse, IncompleteRead

_PART_BYTES = 64 * 1024


def fetch(request: urllib.request.Request, *, most: int, within_s: float) -> bytes:
    """The answer's body; of one that is larger than `most` bytes, somewhat more than `most`.

    Raises: TimeoutError when it is not whole after `within_s` seconds; IncompleteRead when it ends too early; what urlopen
    raises else (OSError, HTTPException, ValueError).
    """
    until = time.monotonic() + within_s
    done: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def exchange() -> None:
        try:
            with urllib.request.urlopen(request, timeout=within_s) as response:  # noqa: S310 - whoever asks has tested it
                done.put(_body(response, most, until))
        except Exception as error:  # noqa: BLE001 - raised by the caller, as if it had happened there
            done.put(error)

    threading.Thread(target=exchange, name="fetch", daemon=True).start()
    try:
        answer = done.get(timeout=within_s)
    except queue.Empty:
        answer = TimeoutError()
    if isinstance(answer, TimeoutError):
        raise TimeoutError(f"no whole answer within {within_s:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _body(response: HTTPResponse, most: int, until: float) -> bytes:
    body = bytearray()
    while len(body) <= most:
        part = response.read1(_PART_BYTES)
        if not part:
            if response.length:
                raise IncompleteRead(bytes(body), response.length)
            break
        body += part
        if time.monotonic() > until:
            raise TimeoutError
    return bytes(body)
