"""The first page: counters, each with its as-of and each a link to what makes it up."""

from webapp.portal.overview.views import blueprint

__all__ = ["blueprint"]
