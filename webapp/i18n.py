"""Two languages. Message ids are the English sentences; `translations/zh/LC_MESSAGES/messages.po` holds the Chinese.

The .po file is read as it is (some tens of milliseconds per worker), so there is no compiled file to forget.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, request
from flask_babel import Babel, Domain, get_locale
from flask_babel import gettext as _gettext
from flask_babel import ngettext as _ngettext

from webapp.context import services

LANGUAGES = ("zh", "en")
LANGUAGE_COOKIE = "hz_lang"
TRANSLATIONS = Path(__file__).parent / "translations"


def install(app: Flask) -> None:
    """Flask-Babel with our domain; language by cookie, else Accept-Language, else Chinese."""
    babel = Babel(
        app, default_locale="zh", locale_selector=choose_language, timezone_selector=lambda: services().timezone
    )
    with app.app_context():
        babel.domain_instance = _PoDomain()


def choose_language() -> str:
    """The language of this request. Under /api there is no cookie to read, and English where nothing is asked."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES and not request.path.startswith("/api/"):
        return chosen
    fallback = "en" if request.path.startswith(("/api/", "/tile/", "/checkpoint")) else "zh"
    # best_match knows nothing of "zh-CN" against "zh" unless the list holds the longer tags too.
    best = request.accept_languages.best_match(["zh", "zh-CN", "zh-Hans", "zh-TW", "zh-HK", "en", "en-US", "en-GB"])
    return best[:2] if best else fallback


def language() -> str:
    """The language of this request, zh or en."""
    locale = get_locale()
    return "en" if locale is not None and locale.language == "en" else "zh"


def gettext(message: str, **values: object) -> str:
    """The sentence in this request's language, with `values` filled in (%(name)s). Typed, as flask_babel's is not."""
    return str(_gettext(message, **values))


def ngettext(one: str, many: str, count: int, **values: object) -> str:
    """As `gettext`, by number; `%(num)d` is the number."""
    return str(_ngettext(one, many, count, **values))


def pick(texts: Mapping[str, str] | None) -> str:
    """The sentence of this request's language from a {"zh", "en"} pair; the other one before none."""
    if not texts:
        return ""
    return texts.get(language()) or texts.get("en") or texts.get("zh") or ""


class _PoDomain(Domain):  # type: ignore[misc]  # flask_babel ships no types
    """Flask-Babel's domain, fed from .po files in place of compiled ones."""

    def get_translations(self) -> NullTranslations:
        return load_translations(language())


@cache
def load_translations(code: str) -> NullTranslations:
    """The catalogue of `code`; English is its own message id."""
    path = TRANSLATIONS / code / "LC_MESSAGES" / "messages.po"
    if code == "en" or not path.is_file():
        return NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=code))
    compiled.seek(0)
    return Translations(compiled)
