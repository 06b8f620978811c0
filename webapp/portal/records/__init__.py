"""Records: filters over the log, and one record with its proof."""

from webapp.portal.records.views import blueprint

__all__ = ["blueprint"]
