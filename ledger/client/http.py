"""One kept-alive connection to the platform. Says what came back, or that nothing did; retries are the pusher's."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import urlsplit

from ledger.core.strictjson import check_nesting
from ledger.errors import LedgerError, MalformedRecordError

MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""A batch of 1,000 lines is answered with some 2 MB; more than this is no answer of ours."""
CONNECT_AND_READ_S = 60.0
USER_AGENT = "hazledger-client/1"


class UnreachableError(LedgerError):
    """Nothing answered, or the connection broke. What was sent may have been kept: send the same bytes again."""

    status = 503
    default_code = "unreachable"


class AnswerError(LedgerError):
    """What answered does not speak this platform's interface. Check the URL; sending again is of no use."""

    default_code = "bad-answer"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; AnswerError when it is none."""
        try:
            check_nesting(self.body)  # what would exhaust the C stack ends a process that has loaded web3
            document = json.loads(self.body)
        except (MalformedRecordError, ValueError):
            document = None
        if not isinstance(document, dict):
            raise AnswerError(
                f"HTTP {self.status} without the JSON object that this platform answers; is the URL right?"
            )
        return document


class Client:
    """Requests to one base URL."""

    def __init__(
        self, url: str, *, timeout_s: float = CONNECT_AND_READ_S, context: ssl.SSLContext | None = None
    ) -> None:
        """`url` is http:// or https://, perhaps with a path. Nothing is connected yet.

        Raises: AnswerError when it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise AnswerError(f"{url!r} is not an address like https://ledger.example:8443")
        self._host, self._port, self._base = parts.hostname, parts.port, parts.path.rstrip("/")
        self._tls = (context or ssl.create_default_context()) if parts.scheme == "https" else None
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None
        self.url = url
        self.in_the_clear = parts.scheme == "http" and self._host not in ("127.0.0.1", "localhost", "::1")

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read the whole answer.

        Raises: UnreachableError, after which the connection is made anew.
        """
        connection = self._connection or self._connect()
        self._connection = connection
        try:
            connection.request(method, self._base + path, body, {"User-Agent": USER_AGENT, **(headers or {})})
            response = connection.getresponse()
            data = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise UnreachableError(f"{self.url} does not answer: {_words(error)}") from error
        if response.will_close:
            self.close()
        if len(data) > MAX_ANSWER_BYTES:
            self.close()
            raise AnswerError(f"{self.url} answered with more than {MAX_ANSWER_BYTES} bytes")
        return Answer(response.status, _lower(response.headers), data)

    def close(self) -> None:
        """Close the connection. May be called again; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)
        return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def printable(text: str) -> str:
    """What somebody else sent, for a terminal: on one line, and without a sign that would move the cursor or hide itself."""
    return "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
