"""The one table of actions: bindings, the bar at the bottom, help, the palette and the docs are made of it.

Promises: an id, a key and a meaning stand once; a wish of the operator's for other keys is checked against all others before it
holds. Does not: perform anything (`tui.app`, `tui.screens`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Where = Literal["engine", "desk", "page", "replay", "screen"]
GROUPS: Final[dict[Where, str]] = {
    "engine": "Steering the desk",
    "desk": "Positions and panels",
    "page": "Pages",
    "replay": "Replay",
    "screen": "The screen",
}


class Action(NamedTuple):
    """Something a key does. `bar` orders the bar at the bottom, 0 keeps it out; `danger` is never done without a question."""

    id: str
    keys: str
    title: str
    meaning: str
    where: Where
    bar: int = 0
    danger: bool = False


ACTIONS: Final[tuple[Action, ...]] = (
    Action(
        "flatten",
        "F,f9",
        "FLATTEN",
        "Close everything; asks first, works in every state and above every dialog",
        "engine",
        1,
        danger=True,
    ),
    Action("pause", "p,f8", "pause", "No new entries from now on; existing positions are still managed", "engine", 2),
    Action("resume", "r,f7", "resume", "Resume after a pause; asks first", "engine", 3, danger=True),
    Action("acknowledge", "a", "seen", "Acknowledge what is wrong: no more reminders of it", "engine"),
    Action("tweak", "t,f2", "tweak", "Settings: look, change, apply for a time, undo", "engine", 4),
    Action("close", "c", "close", "Close the chosen position, or half of it; asks first", "desk", 8, danger=True),
    Action("close_group", "C", "close some", "Close losers, winners, one currency or one pair; asks first", "desk", danger=True),
    Action("move_stop", "m", "stop", "Move the stop of the chosen position; asks first", "desk", 9, danger=True),
    Action("resolve", "u", "resolve", "Say what became of the chosen unconfirmed order; asks first", "desk", danger=True),
    Action("panel(1)", "1", "pairs", "Pairs", "desk"),
    Action("panel(2)", "2", "signals", "Signals", "desk"),
    Action("panel(3)", "3", "positions", "Positions", "desk"),
    Action("panel(4)", "4", "risk", "Risk budget", "desk"),
    Action("panel(5)", "5", "log", "Log", "desk"),
    Action("zoom", "z", "zoom", "The chosen panel alone, and back", "desk", 7),
    Action("filter", "slash", "filter", "Filter the log by pair, ticket or words", "desk", 10),
    Action("log_level", "l", "level", "Minimum level that the log shows", "desk"),
    Action("timeframe", "i", "M15/H1", "Candles of the chart: M15 or H1", "desk"),
    Action("why", "w", "why", "Why the chosen pair was not traded", "page", 6),
    Action("journal", "b", "journal", "Closed trades and their timelines", "page"),
    Action("metrics", "M", "metrics", "Performance of the trades, in figures and charts", "page"),
    Action("backtest", "x", "backtest", "Backtests: run one beside the engine, look at finished ones, compare two", "page"),
    Action("chart", "v", "chart", "The chart of the chosen pair alone", "page"),
    Action("news", "n", "news", "The calendar ahead", "page"),
    Action("health", "h", "health", "State of the engine's parts, and the orders given from this screen", "page"),
    Action("replay_toggle", "space", "play/pause", "Run or pause a replay", "replay"),
    Action("replay_slower", "left_square_bracket", "slower", "Half the speed of a replay", "replay"),
    Action("replay_faster", "right_square_bracket", "faster", "Twice the speed of a replay", "replay"),
    Action("replay_step", "full_stop", "one bar", "A replay continues for one bar", "replay"),
    Action("replay_trade", "greater_than_sign", "next trade", "A replay continues to the next trade", "replay"),
    Action("replay_refusal", "less_than_sign", "next refusal", "A replay continues to the next refusal", "replay"),
    Action("help", "question_mark,f1", "help", "What the panel in focus shows, and every key", "screen", 5),
    Action("palette", "ctrl+p", "commands", "Find every command, pair, position and parameter", "screen", 11),
    Action("freeze", "f", "freeze", "Stop updating the panels to read or copy; the status lines continue", "screen"),
    Action("theme", "T", "theme", "The next theme", "screen"),
    Action("copy", "y", "copy", "Copy the chosen row (or select with the mouse)", "screen"),
    Action("detach", "q", "detach", "Leave the screen; the engine keeps trading", "screen", 6),
    Action("stop", "Q", "stop engine", "Stop the engine; closes or keeps positions as set; asks first", "engine", danger=True),
)
NOTHING_TO_ACT_ON: Final[dict[str, str]] = {
    "pause": "The desk is paused already.",
    "resume": "Nothing to resume: no reason holds the desk back.",
    "acknowledge": "No alarm waits to be acknowledged.",
    "close": "No open position to close.",
    "close_group": "No open position to close.",
    "move_stop": "No open position whose stop can be moved.",
    "resolve": "No unconfirmed order to resolve.",
    **{action.id: "No replay runs here." for action in ACTIONS if action.where == "replay"},
}
"""What the screen says when a key of the desk has nothing to act on."""
BY_ID: Final[dict[str, Action]] = {action.id: action for action in ACTIONS}
_SHOWN: Final = {
    "slash": "/",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "full_stop": ".",
    "greater_than_sign": ">",
    "less_than_sign": "<",
    "space": "space",
    "comma": ",",
}
_RESERVED: Final = frozenset(("escape", "enter", "tab", "shift+tab", "up", "down", "pageup", "pagedown", "home", "end", "ctrl+c"))


class Keymap(NamedTuple):
    """Keys by action id as they hold, and what of the operator's wishes was refused and why."""

    keys: dict[str, tuple[str, ...]]
    refused: tuple[str, ...]

    def shown(self, action_id: str) -> str:
        """The first key of an action as it is on a keyboard."""
        keys = self.keys.get(action_id, ())
        return display(keys[0]) if keys else ""

    def all_shown(self, action_id: str) -> str:
        """All keys of an action."""
        return " or ".join(display(key) for key in self.keys.get(action_id, ()))


def display(key: str) -> str:
    """A key as it is on a keyboard."""
    return _SHOWN.get(key, key)


def keymap_with(wishes: Mapping[str, str]) -> Keymap:
    """The table's keys with the operator's wishes over them. A wish that takes a key from another action is refused."""
    keys = {action.id: tuple(action.keys.split(",")) for action in ACTIONS}
    refused: list[str] = []
    for name, wish in wishes.items():
        action_id = name if name in keys else next((action.id for action in ACTIONS if action.title == name), "")
        if not action_id:
            refused.append(f"ui.keys.{name}: no such action")
            continue
        wanted = tuple(_named(part.strip()) for part in wish.split(",") if part.strip())
        if not wanted:
            refused.append(f"ui.keys.{name}: no key given")
            continue
        others = {key: other for other, held in keys.items() if other != action_id for key in held}
        clash = next((key for key in wanted if key in others or key in _RESERVED), "")
        if clash:
            refused.append(f"ui.keys.{name}: {display(clash)} belongs to {others.get(clash, 'the screen itself')}")
            continue
        keys[action_id] = wanted
    return Keymap(keys, tuple(refused))


def _named(key: str) -> str:
    names = {shown: name for name, shown in _SHOWN.items()}
    return names.get(key, key)
