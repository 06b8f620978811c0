"""For operators: liveness, readiness with reasons, Prometheus metrics, and the description of the interfaces."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, json, jsonify
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from ledger.errors import LedgerError
from webapp.api.openapi import document
from webapp.api.problems import MEDIA_TYPE, RETRY_AFTER_S, HttpError, problem_of
from webapp.auth import require
from webapp.context import services
from webapp.services import NotReady, Services

blueprint = Blueprint("api_operations", __name__)


@blueprint.get("/healthz")
def get_healthz() -> ResponseReturnValue:
    """Liveness of one worker; says nothing of any other part."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def get_readyz() -> ResponseReturnValue:
    """200 when the installation can take and show records, else 503 with the parts that fail.

    Why they fail names hosts, paths and sizes: that is for a supervisor or an auditor, by token or session.
    """
    reasons = list(_reasons())
    if not reasons:
        return jsonify(status="ready", reasons=[])
    known = _is_known()
    parts = [{"part": r.part, "detail": r.detail} for r in reasons] if known else [{"part": p} for p in _parts(reasons)]
    body = problem_of(HttpError("not-ready")) | {"reasons": parts}
    response = Response(json.dumps(body, ensure_ascii=False), status=503, content_type=MEDIA_TYPE)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


@blueprint.get("/metrics")
def get_metrics() -> Response:
    """Prometheus text. Every number is read from the stores, so each worker gives the same answer."""
    registry = CollectorRegistry()
    registry.register(_Collector(services()))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/openapi.json")
def get_openapi() -> ResponseReturnValue:
    """OpenAPI 3.1 of everything under /api, /tile and /checkpoint, and of this page's calls."""
    return jsonify(document())


def _is_known() -> bool:
    """Whether a supervisor or an auditor asks. Whoever cannot be looked up now is nobody: readiness is answered anyway."""
    try:
        require("supervisor", "auditor", or_session=True)
    except LedgerError:
        return False
    return True


def _parts(reasons: list[NotReady]) -> list[str]:
    return list(dict.fromkeys(reason.part for reason in reasons))


def _reasons() -> Iterator[NotReady]:
    for part, look in (
        ("log", services().log.size),
        ("engine", services().engine.cursor),
        ("portal", services().portal.tokens),
        ("sequencer", services().sequencer_status),
    ):
        try:
            look()
        except LedgerError as error:
            yield NotReady(part, error.detail)
    yield from services().readiness()


class _Collector:
    """Reads the stores when scraped. What cannot be read is left out, and counted in `hazledger_scrape_errors`."""

    def __init__(self, given: Services) -> None:
        self._services = given

    def collect(self) -> Iterator[GaugeMetricFamily]:
        errors = 0
        for part in (self._log, self._anchor, self._engine, self._sequencer):
            try:
                yield from list(part())
            except LedgerError:
                errors += 1
        yield _gauge("scrape_errors", "Parts that could not be read in this scrape", errors)

    def _log(self) -> Iterator[GaugeMetricFamily]:
        log, now = self._services.log, self._services.clock()
        yield _gauge("log_size", "Entries in the log", log.size())
        yield _gauge(
            "log_last_received_seconds", "When the newest entry was received, unix time", log.last_received() / 1000
        )
        newest = log.latest_checkpoint()
        yield _gauge("checkpoint_size", "Size of the newest signed checkpoint", newest.size if newest else 0)
        if newest:
            yield _gauge(
                "checkpoint_age_seconds", "Age of the newest signed checkpoint", (now - newest.signed_ms) / 1000
            )

    def _anchor(self) -> Iterator[GaugeMetricFamily]:
        anchor, now = self._services.anchors.latest_anchor(), self._services.clock()
        yield _gauge("anchored_size", "Size of the newest anchored checkpoint", anchor.size if anchor else 0)
        if anchor:
            yield _gauge("anchor_block", "Block that holds the newest anchor", anchor.block.number)
            yield _gauge(
                "anchor_age_seconds", "Age of the newest anchor by its block", now / 1000 - anchor.anchored_at_s
            )

    def _engine(self) -> Iterator[GaugeMetricFamily]:
        engine = self._services.engine
        yield _gauge("engine_cursor", "Next index that the rules engine reads", engine.cursor())
        alerts = GaugeMetricFamily("hazledger_alerts", "Alerts by severity", labels=["severity"])
        for severity, count in sorted(engine.alert_counts().items()):
            alerts.add_metric([severity], count)
        yield alerts
        failing = GaugeMetricFamily(
            "hazledger_rule_failing", "1 where a rule's last evaluation failed", labels=["rule"]
        )
        for health in engine.health():
            failing.add_metric([health.rule], int(health.state != "ok"))
        yield failing

    def _sequencer(self) -> Iterator[GaugeMetricFamily]:
        status = self._services.sequencer_status()
        family = GaugeMetricFamily("hazledger_sequencer", "Numbers that the sequencer tells of itself", labels=["name"])
        for name, value in sorted(status.items()):
            if isinstance(value, int | float):
                family.add_metric([name], float(value))
        yield family


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"hazledger_{name}", text, value=value)
