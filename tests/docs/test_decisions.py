"""What docs/decisions.md names exists: settings, filters, breakers and reasons of the state."""

from __future__ import annotations

import re
from fnmatch import fnmatch

from quarterdeck.core.desk.trading_state import WAYS_BACK
from quarterdeck.core.settings.parameters import parameters, sections
from tests.conftest import CHECKOUT

PAGE = (CHECKOUT / "docs" / "decisions.md").read_text(encoding="utf-8")


def _named_settings() -> list[str]:
    """Dotted names in backticks; `.key` and `_end` continue with the name before them."""
    found: list[str] = []
    for line in PAGE.splitlines():
        last = ""
        for name in re.findall(r"`([a-z0-9_.*]+)`", line.rpartition("| ")[2] if line.startswith("|") else line):
            whole = last.rpartition(".")[0] + name if name.startswith(".") else name
            if "." in whole and whole.partition(".")[0] in sections():
                found.append(whole)
                last = whole
    return found


def test_every_setting_it_names_exists() -> None:
    named = _named_settings()
    assert len(named) > 40
    unknown = [name for name in named if not any(fnmatch(key, name) for key in parameters())]
    assert not unknown


def test_every_check_it_names_is_made_somewhere() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for room in ("desk", "filters", "risk")
        for path in (CHECKOUT / "core" / room).glob("*.py")
    )
    names = {
        name for line in PAGE.splitlines() if line.startswith("| `") for name in re.findall(r"`([a-z_]+)`", line.split("|")[1])
    }
    made = {name for name in names if f'"{name}"' in code or name in WAYS_BACK or f"{name}_" in code}
    parts = {"barred_", "_spread", "_atr", "kelly_"}
    assert {
        name for name in names - made if not any(name.startswith(part.rstrip("_")) or name.endswith(part) for part in parts)
    } == set()
