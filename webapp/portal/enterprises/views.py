"""Pages: the list of enterprises, and one of them."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ledger.errors import NotFoundError
from ledger.model import NEVER, LeafIndex
from webapp.context import services
from webapp.i18n import gettext as _
from webapp.portal.access import log_act, signed_in
from webapp.portal.enterprises import queries

blueprint = Blueprint("enterprises", __name__, template_folder="templates")


@blueprint.get("/enterprises")
@signed_in
def index() -> ResponseReturnValue:
    text = request.args.get("q", "").strip()[:100]
    after = request.args.get("after", "")
    found = queries.matching(text) if text else queries.enterprises()
    if text:
        log_act("query-enterprises", text)
    here = [holder for holder in found if holder > after][: queries.PAGE + 1]
    return render_template(
        "enterprises/index.html",
        rows=queries.rows(here[: queries.PAGE]),
        total=len(found),
        text=text,
        next_after=here[queries.PAGE - 1] if len(here) > queries.PAGE else None,
        count_to=queries.COUNT_TO,
    )


@blueprint.get("/entries/<int:index>")
@signed_in
def entry(index: int) -> ResponseReturnValue:
    """From a place in the log to the record that stands there."""
    record = services().log.record(LeafIndex(index)) if index < services().log.size() else None
    if record is None:
        raise NotFoundError("")
    return redirect(url_for("records.show", record_id=record.record_id))


@blueprint.get("/enterprises/<holder>")
@signed_in
def show(holder: str) -> ResponseReturnValue:
    if not queries.is_enterprise(holder):
        raise NotFoundError("")
    found = queries.enterprise(holder)
    if found.last is None and not found.grants:
        # Records of others link here: whom they name need not keep books in this county.
        text = _("No enterprise with the credit code %(code)s keeps books here; others may name it.", code=holder)
        return render_template("error.html", title=_("Not found"), problem={"detail": text}), 404
    return render_template("enterprises/show.html", it=found, never=NEVER)
