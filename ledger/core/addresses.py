"""How an endpoint's address is shown: on pages, in logs and in errors."""

from __future__ import annotations


def shown_address(url: str) -> str:
    """Scheme, host and port, without user, password, path and query: hosted endpoints carry their key there."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0].rpartition('@')[2]}"
