"""Pages: all rules, and one of them."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from ledger.errors import NotFoundError
from webapp.portal.access import signed_in
from webapp.portal.rules import queries

blueprint = Blueprint("rules", __name__, template_folder="templates")


@blueprint.get("/rules")
@signed_in
def index() -> ResponseReturnValue:
    return render_template("rules/index.html", it=queries.board())


@blueprint.get("/rules/<rule>")
@signed_in
def show(rule: str) -> ResponseReturnValue:
    found = queries.row(rule)
    if found is None:
        raise NotFoundError("")
    board, row = found
    waiting, episodes = queries.episodes(rule)
    return render_template(
        "rules/show.html",
        board=board,
        it=row,
        waiting=waiting,
        episodes=episodes,
        count_to=queries.COUNT_TO,
        legend=queries.legend(row.sheet),
    )
