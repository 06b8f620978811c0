"""Heads of books: for a client that lost its state."""

from __future__ import annotations

import re

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from ledger.errors import NotFoundError
from webapp.auth import require
from webapp.context import services

blueprint = Blueprint("api_books", __name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""Wide enough for credit codes, issuers, sites and books; what it refuses cannot exist."""


@blueprint.get("/api/v1/books/<enterprise>/<site>/<book>/head")
def get_head(enterprise: str, site: str, book: str) -> ResponseReturnValue:
    """Last seq and record_id of a book; seq 0 and null for a book that has no record yet."""
    reader = require("enterprise", "auditor", "supervisor", or_session=True)
    if not reader.may_see(enterprise) or not all(_NAME.fullmatch(name) for name in (enterprise, site, book)):
        raise NotFoundError("")
    head = services().log.book_head(enterprise, site, book)
    return jsonify(
        enterprise=enterprise, site=site, book=book, seq=head.seq, record_id=head.record_id, closed=head.closed
    )
