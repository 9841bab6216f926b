"""Web pages of our own, with what a reader came for between [[ and ]], the rest around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

FOLDER = Path(__file__).parent / "web"  # a folder for each kind
_MARK = re.compile(r"\[\[|\]\]")
_WANTED = re.compile(r"\[\[(.*?)\]\]", re.S)
_TAG = re.compile(r"<[^>]*>")

_MENU = (
    '<nav><ul><li><a href="/">Home</a></li><li><a href="/river">River</a></li>'
    '<li><a href="/town">Town</a></li><li><a href="/about">About us</a></li></ul></nav>'
)
_COOKIES = (
    '<div class="cookie-banner" role="dialog">We use cookies to make this site work for you. '
    "<button>Accept all</button><button>Settings</button></div>"
)
_RELATED = (
    '<aside class="related"><h3>You may also like</h3><ul><li><a href="/1">Ten walks along the '
    'weir</a></li><li><a href="/2">Why the bells ring at noon</a></li></ul></aside>'
)
_LETTER = (
    '<div class="newsletter-signup"><p>Get our weekly letter. No spam, we promise.</p>'
    '<form><input type="email"><button>Subscribe</button></form></div>'
)
_FOOTER = (
    "<footer><p>© 2024 Aldwick Observer. All rights reserved.</p>"
    '<a href="/imprint">Imprint</a> <a href="/privacy">Privacy</a></footer>'
)
_SHARE = '<div class="share-buttons"><a>Share</a> <a>Post</a> <a>Send by mail</a></div>'

_PIECES = {
    "menu": _MENU,
    "cookies": _COOKIES,
    "related": _RELATED,
    "letter": _LETTER,
    "footer": _FOOTER,
    "share": _SHARE,
}


@dataclass(frozen=True)
class WebPage:
    """A page, its kind (`articles` or `mixed`), and the text that is to be read of it."""

    name: str
    kind: str
    data: bytes
    wanted: str


def web_pages() -> list[WebPage]:
    """Return the pages."""
    found = []
    for path in sorted(FOLDER.glob("*/*.html")):
        body = path.read_text(encoding="utf-8")
        for part, markup in _PIECES.items():
            body = body.replace(f"{{{part}}}", markup)
        wanted = "\n".join(unescape(_TAG.sub(" ", part)) for part in _WANTED.findall(body))
        title = wanted.strip().split("\n")[0]
        page = (
            f"<!DOCTYPE html><html><head><title>{title}</title></head>"
            f"<body>{_MARK.sub('', body)}</body></html>"
        )
        found.append(WebPage(path.name, path.parent.name, page.encode(), wanted))
    return found
