"""The rules in force: what each asks, what it rests on, and how it does."""

from webapp.portal.rules.views import blueprint

__all__ = ["blueprint"]
