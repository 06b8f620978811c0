"""One box: record id, credit code, company name, substance."""

from webapp.portal.search.views import blueprint

__all__ = ["blueprint"]
