"""Pages: the live list of alerts, and one alert."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from ledger.core.encoding import is_hex_32
from ledger.core.life import OPEN, possible
from ledger.errors import LedgerError, NotFoundError
from ledger.handling import standing_of
from ledger.model import Alert, RecordId
from webapp.api.problems import HttpError, problem_of
from webapp.context import services
from webapp.desk import key_is_open
from webapp.portal.access import session_here, signed_in
from webapp.portal.alerts import acts, queries
from webapp.portal.levels import levels_of

blueprint = Blueprint("alerts", __name__, template_folder="templates")


@blueprint.get("/alerts")
@signed_in
def index() -> ResponseReturnValue:
    """The list. The URL is the whole state; a script on the first page listens to /api/v1/stream from `live_after` on."""
    filters = queries.read_filters(request.args)
    # Read before the rows: an alert that comes between is then announced twice rather than never.
    live_after = queries.newest_sequence()
    narrowed = bool(filters.rule or filters.holder or filters.handled)
    return render_template(
        "alerts/index.html",
        page=queries.page_of(filters),
        live_after=live_after,
        filters=filters,
        sentence=queries.sentence(filters),
        counts=None if narrowed else services().engine.queue_counts(),
        count=queries.count,
        holders=[h for h in services().log.holders() if len(h) == 18],
        rules=services().rule_titles,
        hears_new=OPEN in queries.VIEWS[filters.state] and not filters.handled,
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
    except HttpError:
        raise
    except LedgerError as error:
        # Also a key that is not enrolled yet, or a sequencer that is away: who acts stays at the alert, and can try again.
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
