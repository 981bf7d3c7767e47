"""Which web pages may ask: by the origin that browsers name, and no page can forge."""

from dataclasses import dataclass
from urllib.parse import urlsplit

_OWN_SITE = ("none", "same-origin")
"""What a browser that tells no origin says of a page's site: it was typed in, or is the server's own."""


@dataclass(frozen=True, slots=True)
class Origins:
    """Of pages that are welcome beside the server's own. `allowed`: as browsers write them, "*": all; `own`: the server's own,
    where it is known outside by another name than it is asked by."""

    allowed: frozenset[str]
    own: str = ""

    @classmethod
    def of(cls, setting: str, public_url: str = "") -> "Origins":
        """`setting`: comma-separated."""
        return cls(frozenset(named(setting)), origin_of(public_url))

    def may(self, origin: str | None, site: str | None, host: str) -> bool:
        """Whether who sends these headers (`Origin`, `Sec-Fetch-Site`, `Host`; None where there is none) is no page of somebody
        else's. A program that is no browser sends neither of the first two."""
        if "*" in self.allowed:
            return True
        if origin is None:
            return (site or "none") in _OWN_SITE
        if origin.rstrip("/") in self.allowed:
            return True
        page = origin_of(origin)
        return page != "" and (urlsplit(page).netloc == host.lower() or page == self.own)


def named(setting: str) -> list[str]:
    """Origins of a comma-separated setting, as browsers write them."""
    return [origin for given in setting.split(",") if (origin := given.strip().rstrip("/"))]


def pages_of(origin: str | None) -> str:
    """Those pages, for people."""
    return f"pages of {origin[:200]}" if origin else "pages of other sites"


def origin_of(url: str) -> str:
    """`https://host:port`, "" for what is none."""
    try:
        found = urlsplit(url)
    except ValueError:
        return ""
    return f"{found.scheme}://{found.netloc.lower()}" if found.scheme in ("http", "https") and found.netloc else ""
