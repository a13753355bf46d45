"""What a terminal can draw, as far as its environment tells."""

from __future__ import annotations

from collections.abc import Mapping


def needs_ascii(environment: Mapping[str, str]) -> bool:
    """Whether lines and arrows would come out as question marks: a locale without UTF-8, or a terminal that is known for it.

    No locale at all says nothing: containers and Windows leave it out and draw well.
    """
    if environment.get("TERM", "") in ("dumb", "vt100", "vt102", "vt220", "ansi"):
        return True
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        locale = environment.get(name, "")
        if locale:
            return "utf8" not in locale.casefold().replace("-", "")
    return False
