"""The HTTP interfaces for machines: ingest, proofs, tiles, alerts, operations. Described by /openapi.json."""

from __future__ import annotations

from flask import Flask

from webapp.api import acts, alerts, books, operations, records, tiles

BLUEPRINTS = (
    records.blueprint,
    books.blueprint,
    tiles.blueprint,
    alerts.blueprint,
    acts.blueprint,
    operations.blueprint,
)
PREFIXES = ("/api/", "/tile/", "/checkpoint", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""Below these every failure is a problem document, never a page."""


def install(app: Flask) -> None:
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
