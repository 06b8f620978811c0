"""Page: search."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request
from flask.typing import ResponseReturnValue

from webapp.portal.access import log_act, signed_in
from webapp.portal.search import queries

blueprint = Blueprint("search", __name__, template_folder="templates")

MAX_TEXT = 200


@blueprint.get("/search")
@signed_in
def show() -> ResponseReturnValue:
    text = request.args.get("q", "").strip()[:MAX_TEXT]
    if text:
        log_act("search", text)
    found = None
    if text:
        target = queries.exact(text)
        if target is None:
            found = queries.find(text)
            target = queries.only(found)
        if target is not None:
            return redirect(target)
    return render_template("search/show.html", text=text, found=found)
