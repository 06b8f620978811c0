"""Pages: the live list of alerts, its new rows, and one alert."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from ledger.core.encoding import is_hex_32
from ledger.errors import NotFoundError
from webapp.api.alerts import MAX_SEQ, name_parameter, number_parameter
from webapp.context import services
from webapp.portal.access import signed_in
from webapp.portal.alerts import queries
from webapp.portal.labels import SEVERITIES
from webapp.portal.levels import levels_of

blueprint = Blueprint("alerts", __name__, template_folder="templates")


@blueprint.get("/alerts")
@signed_in
def index() -> ResponseReturnValue:
    """The list; a script on the page listens to /api/v1/stream from `live_after` on."""
    severity, holder = _filters()
    before = number_parameter("before", MAX_SEQ, MAX_SEQ) if "before" in request.args else None
    # Read before the rows: an alert that comes between is then announced twice rather than never.
    live_after = queries.newest_sequence()
    return render_template(
        "alerts/index.html",
        page=queries.page_of(severity, holder, before),
        live_after=live_after,
        severity=severity,
        holder=holder,
        is_first=before is None,
    )


@blueprint.get("/alerts/rows")
@signed_in
def rows() -> ResponseReturnValue:
    """Table rows of the alerts after `after`, newest first, for the live list."""
    severity, holder = _filters()
    return render_template(
        "alerts/rows.html", rows=queries.after(number_parameter("after", 0, MAX_SEQ), severity, holder)
    )


@blueprint.get("/alerts/<alert_id>")
@signed_in
def show(alert_id: str) -> ResponseReturnValue:
    alert = services().engine.alert(alert_id) if is_hex_32(alert_id) else None
    if alert is None:
        raise NotFoundError("")
    behind = queries.behind(alert)
    signed = alert.record_id is not None and services().log.record_by_id(alert.record_id) is not None
    around = queries.around(alert)
    levels = levels_of([*behind, *around])
    return render_template("alerts/show.html", alert=alert, behind=behind, around=around, signed=signed, levels=levels)


def _filters() -> tuple[str | None, str | None]:
    severity = request.args.get("severity")
    return severity if severity in SEVERITIES else None, name_parameter("holder") if request.args.get(
        "holder"
    ) else None
