"""Alerts: the live list, and one alert with its reason and the entries behind it."""

from webapp.portal.alerts.views import blueprint

__all__ = ["blueprint"]
