"""The services of the running application, without globals: they hang on the Flask app."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from webapp.services import Services

_KEY = "hazledger.services"


def attach(app: Flask, given: Services) -> None:
    app.extensions[_KEY] = given


def services() -> Services:
    return cast("Services", current_app.extensions[_KEY])
