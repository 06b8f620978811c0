"""Pages: the list with filters, one record, its personal data, its bundle."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from ledger.model import LeafIndex
from webapp.api.alerts import MAX_SEQ, number_parameter
from webapp.api.records import bundle_response, visible_record
from webapp.context import services
from webapp.portal.access import log_act, reader_here, signed_in
from webapp.portal.levels import levels_of
from webapp.portal.records import queries

blueprint = Blueprint("records", __name__, template_folder="templates")


@blueprint.get("/records")
@signed_in
def index() -> ResponseReturnValue:
    """The list. The URL is the whole state."""
    filters = queries.read_filters(request.args)
    before = LeafIndex(number_parameter("before", MAX_SEQ, MAX_SEQ)) if "before" in request.args else None
    page = queries.page_of(filters, before)
    if filters.arguments():
        log_act("query-records", request.query_string.decode("ascii", "replace"))
    holders = [h for h in services().log.holders() if len(h) == 18]
    return render_template(
        "records/index.html",
        page=page,
        filters=filters,
        sentence=queries.sentence(filters),
        levels=levels_of(page.rows),
        holders=holders,
        is_first=before is None,
    )


@blueprint.get("/records/<record_id>")
@signed_in
def show(record_id: str) -> ResponseReturnValue:
    """One record, without personal data."""
    return _page(record_id)


@blueprint.post("/records/<record_id>/disclosures")
@signed_in
def disclosures(record_id: str) -> ResponseReturnValue:
    """The same page with the personal data held beside the record: logged before it is shown."""
    log_act("disclosures", visible_record(record_id, reader_here()).record_id)
    return _page(record_id, personal=True)


@blueprint.get("/records/<record_id>/bundle")
@signed_in
def bundle(record_id: str) -> ResponseReturnValue:
    """The bundle for an auditor: without personal data, so that it can be handed on."""
    reader = reader_here()
    return bundle_response(visible_record(record_id, reader), reader, disclosures=False)


@blueprint.post("/records/<record_id>/bundle-with-disclosures")
@signed_in
def bundle_with_disclosures(record_id: str) -> ResponseReturnValue:
    """The same with the personal data held beside the record."""
    reader = reader_here()
    return bundle_response(visible_record(record_id, reader), reader, disclosures=True)


def _page(record_id: str, *, personal: bool = False) -> str:
    record = visible_record(record_id, reader_here())
    opened = queries.with_proof(queries.open_record(record))
    return render_template(
        "records/show.html",
        opened=opened,
        record=record,
        command=queries.command_for(record.record_id, opened.proof.level),
        personal=queries.disclosures_of(record.record_id) if personal else None,
    )
