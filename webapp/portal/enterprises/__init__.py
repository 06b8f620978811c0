"""Enterprises: the list, and one enterprise with stock, movements, alerts, keys."""

from webapp.portal.enterprises.views import blueprint

__all__ = ["blueprint"]
