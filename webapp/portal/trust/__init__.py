"""Trust: checkpoint, anchors, keys, the chain, and the access log."""

from webapp.portal.trust.views import blueprint

__all__ = ["blueprint"]
