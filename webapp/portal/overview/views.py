"""Page: overview."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from webapp.portal.access import signed_in
from webapp.portal.alerts.queries import count
from webapp.portal.overview import queries

blueprint = Blueprint("overview", __name__, template_folder="templates")


@blueprint.get("/")
@signed_in
def show() -> ResponseReturnValue:
    return render_template("overview/show.html", it=queries.overview(), count=count)
