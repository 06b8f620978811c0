"""Pages: the live list of alerts, its new rows, and one alert."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ledger.core.encoding import is_hex_32
from ledger.core.life import possible
from ledger.errors import DeskError, LedgerError, NotFoundError, StaleError, TransitionError
from ledger.handling import standing_of
from ledger.model import Alert, RecordId
from webapp.api.alerts import MAX_SEQ, name_parameter, number_parameter
from webapp.api.problems import problem_of
from webapp.context import services
from webapp.desk import key_is_open
from webapp.portal.access import session_here, signed_in
from webapp.portal.alerts import acts, queries
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
    return _page(_alert(alert_id), None)


@blueprint.post("/alerts/<alert_id>")
@signed_in
def act(alert_id: str) -> ResponseReturnValue:
    """One step of the alert; on success the page again, else the page with what stood in the way."""
    alert = _alert(alert_id)
    life = services().engine.lives([alert]).get(alert_id)
    if life is None:
        raise NotFoundError("")
    try:
        acts.perform(alert_id, life)
    except (TransitionError, StaleError, DeskError) as error:
        return _page(alert, error)
    return redirect(url_for("alerts.show", alert_id=alert_id), 303)


def _alert(alert_id: str) -> Alert:
    alert = services().engine.alert(alert_id) if is_hex_32(alert_id) else None
    if alert is None:
        raise NotFoundError("")
    return alert


def _page(alert: Alert, error: LedgerError | None) -> ResponseReturnValue:
    life = services().engine.lives([alert]).get(alert.alert_id)
    behind = queries.behind(alert)
    signed = alert.record_id is not None and services().log.record_by_id(alert.record_id) is not None
    around = queries.around(alert)
    levels = levels_of([*behind, *around])
    page = render_template(
        "alerts/show.html",
        alert=alert,
        behind=behind,
        around=around,
        signed=signed,
        levels=levels,
        life=life,
        order=services().engine.order(RecordId(life.order_id)) if life and life.order_id else None,
        steps=services().engine.steps(life.alert_id) if life else [],
        ways=possible(standing_of(life)) if life else (),
        key_open=key_is_open(session_here().session_hash),
        problem=problem_of(error) if error else None,
        acts=acts,
    )
    return page, type(error).status if error else 200


def _filters() -> tuple[str | None, str | None]:
    severity = request.args.get("severity")
    return severity if severity in SEVERITIES else None, name_parameter("holder") if request.args.get(
        "holder"
    ) else None
