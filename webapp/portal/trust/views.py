"""Pages: trust, the trust file, the access log."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from webapp.api.alerts import MAX_SEQ, number_parameter
from webapp.context import services
from webapp.portal.access import signed_in
from webapp.portal.trust import queries

blueprint = Blueprint("trust", __name__, template_folder="templates")


@blueprint.get("/trust")
@signed_in
def show() -> ResponseReturnValue:
    return render_template("trust/show.html", it=queries.trust())


@blueprint.get("/trust/trust.json")
@signed_in
def trust_file() -> ResponseReturnValue:
    """The trust file for a try; whoever must rely on it takes the one the authority handed out."""
    response = Response(services().trust, content_type="application/vnd.hazledger.trust.v1+json")
    response.headers["Content-Disposition"] = 'attachment; filename="trust.json"'
    return response


@blueprint.get("/trust/access")
@signed_in
def access() -> ResponseReturnValue:
    """The hash-chained log of what the supervisor saw and did, newest first."""
    before = number_parameter("before", MAX_SEQ, MAX_SEQ) if "before" in request.args else None
    return render_template("trust/access.html", page=queries.access_page(before))
