"""Sign-in, the forced first password, sign-out, and the list of one's own sessions."""

from webapp.portal.signin.queries import is_local
from webapp.portal.signin.views import blueprint

__all__ = ["blueprint", "is_local"]
