"""One box: record, alert, order, rule, credit code, company name, substance."""

from webapp.portal.search.views import blueprint

__all__ = ["blueprint"]
