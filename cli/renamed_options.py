"""Commands and options that version 0.1 knew by another word: understood for one release, with a line that names the new one."""

from __future__ import annotations

from collections.abc import Sequence

from quarterdeck.cli.output import warn

COMMANDS = {"rearm": "reset-drawdown"}
OPTIONS = {
    "backtest": {
        "--path": "--intrabar",
        "--paths": "--all-intrabar",
        "--open": "--show",
        "--browse": "--browser",
        "--reruns": "--stress",
        "--no-reruns": "--no-stress",
    },
    "optimize": {"--trades-min": "--min-trades"},
    "resolve": {"--absent": "--not-executed"},
}
"""By command, old option -> new option."""


def with_current_words(arguments: Sequence[str]) -> list[str]:
    """The command line with today's command and options; each old word is named with its new one on stderr."""
    found = list(arguments)
    place = next((place for place, word in enumerate(found) if not word.startswith("-")), None)
    if place is None:
        return found
    found[place] = _current(found[place], COMMANDS)
    options = OPTIONS.get(found[place], {})
    for at in range(place + 1, len(found)):
        if found[at] == "--":
            break
        option, sign, value = found[at].partition("=")
        found[at] = _current(option, options) + sign + value
    return found


def _current(word: str, table: dict[str, str]) -> str:
    if word not in table:
        return word
    warn(f"{word} is called {table[word]} now")
    return table[word]
