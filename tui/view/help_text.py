"""What help says: about the panel in focus, and the table of keys by group."""

from __future__ import annotations

from typing import Final

from quarterdeck.tui.keys import ACTIONS, GROUPS, Keymap
from quarterdeck.tui.view.lines import Glyphs, Line, Span, clip, fit, width_of, wrapped

ABOUT: Final = {
    "pairs": (
        "Pairs: quote, spread now and as a multiple of the typical one of this minute of the week, ATR(M15) in pips and "
        "whether that is calm, normal or volatile, the H1 trend, the result of the last closed bar, and the age of the "
        "quote. `shut`: the market of the pair is closed. `!` marks an old quote. Enter shows why the chosen pair was not"
        " traded."
    ),
    "signals": (
        "Signals: candidates of the strategy, newest first, with confidence and outcome. `waiting`: a condition that may "
        "pass holds it back, and it is checked again. `refused`: the first check that failed. Enter shows all checks with"
        " their numbers."
    ),
    "positions": (
        "Positions: side, lots, R (multiples of the initial risk), P&L, pips to the stop, and what position management "
        "does next. The positions are also above every page, with SL for the pips to the stop. `*` and `not ours` mark "
        "positions that this desk did not open: they count as risk and are left alone. Orders in flight are below. Enter "
        "closes one, after a question."
    ),
    "risk": (
        "Risk budget: how much of each limit is used and how much money is left, the nearest limit first; the line in a bar "
        "marks 80%. A tripped limit says when it allows entries again. Then what is lost if every stop is hit, what is "
        "reserved for pending orders, what a weekend gap would cost, and exposure by currency."
    ),
    "log": (
        "Log: the newest line is at the bottom. If you scroll up, the log stops following; End follows again. The filter "
        "takes a pair, a ticket, a kind or words."
    ),
    "tweak": (
        "Settings: Enter edits, Space switches, Delete drops an edit. Edits are collected; A applies them together, for "
        "good or for a time after which the engine undoes them by itself. E shows what they would do to each open "
        "position now, and to the decisions of the last days. U undoes the last changes, H shows the history."
    ),
    "effect": (
        "Effect: what the engine would send at once for each open position under the changed settings, found on a copy of"
        " the desk at current prices; limits and breakers that move; and the last days run twice in another process, "
        "unchanged and changed, with the same signals. The last line says how far the unchanged run agrees with what was "
        "really traded."
    ),
    "backtest": (
        "Backtests: N fills in a form and runs one in a separate process of low priority; X stops it. Enter opens a "
        "finished one. = marks one, and = on another shows both side by side. The whole report is a page in the home "
        "folder: `quarterdeck backtest --show DIR --browser`."
    ),
    "why": (
        "Why not: every decision on the chosen pair with each check, its number and its limit. Enter shows all checks of one."
    ),
    "verdict": (
        "Verdict: every check of one closed bar, the one that refused it first: the number found, the limit after the "
        "slash, and what both mean."
    ),
    "journal": (
        "Journal: closed trades of this account and mode, newest first. / filters by pair or currency, buy or sell, won "
        "or lost, exit, and period: today, yesterday, 7d, 2024-07, 2024-07-01..2024-08-05 (UTC, by the close). Left and "
        "right go through the pairs. Enter shows a trade's timeline: signal and votes, checks and sizing, orders, fills, "
        "management, close."
    ),
    "story": (
        "Timeline: one trade from its signal to its close. Below a decision are its checks: number, limit, what they "
        "mean. `order` is what the desk sent, `filled` what the broker did, `deal` the money, `care` what moved its stop."
    ),
    "metrics": (
        "Metrics: results of the trades of this account and mode, with the same filter as the journal. Equity, drawdown, "
        "Sharpe and exposure are the account's: only the period filters them. R is the result as a multiple of the "
        "initial risk. Bars left of the middle are losses. Confidence is useful if trades of higher confidence win more "
        "often."
    ),
    "news": "News: the calendar as the desk knows it. High-impact releases stop entries in their currency.",
    "health": (
        "Health: engine, broker connection, journal, errors by class, and every order given from this screen with its answer."
    ),
    "chart": (
        "Chart: candles of the pair, filled when rising, hatched when falling, with entry, stop and target, and the "
        "current price. A triangle is an entry, a full disc a winning exit, an empty one a losing exit, with dots "
        "between. Dotted vertical lines with N below are high-impact news of its currencies. E, x, w: a candidate that "
        "was entered, refused, waiting."
    ),
}
STATES: Final = (
    ("ACTIVE", "entries; positions are managed"),
    ("REDUCE ONLY", "no entries; existing positions are still managed"),
    ("HALTED", "only what you order"),
)


def help_lines(focus: str, keys: Keymap, width: int, glyphs: Glyphs) -> tuple[Line, ...]:
    """The whole help for what is in focus."""
    lines: list[Line] = [(Span(text),) for text in wrapped(ABOUT.get(focus, ""), width)]
    lines += [(), *(clip((Span(f"{word:<12}", "strong"), Span(text)), width, glyphs) for word, text in STATES)]
    for where, title in GROUPS.items():
        lines += [(), (Span(title, "title"),)]
        for action in (action for action in ACTIONS if action.where == where):
            shown = fit(keys.all_shown(action.id), 10, glyphs)
            margin: Line = (Span(f" {shown} ", "key"), Span(f" {action.title:<13}", "strong"))
            for text in wrapped(action.meaning, max(width - width_of(margin), 10)):
                lines.append((*margin, Span(text)))
                margin = (Span(" " * width_of(margin)),)
    lines += [
        (),
        (Span("Everywhere: arrows, Page, Home, End move; Tab goes to the next panel; Enter opens; Escape goes back.", "muted"),),
    ]
    lines += [(Span("Text: drag with the mouse and ctrl+c, or hold Shift for the terminal's own selection.", "muted"),)]
    return tuple(clip(line, width, glyphs) for line in lines)


def keys_table() -> str:
    """The table of keys for the docs, in Markdown."""
    rows = ["| key | action | meaning |", "| --- | --- | --- |"]
    from quarterdeck.tui.keys import keymap_with

    keys = keymap_with({})
    for where, title in GROUPS.items():
        rows.append(f"| | **{title}** | |")
        rows.extend(
            f"| `{keys.all_shown(action.id)}` | `{action.id}` | {action.meaning} |" for action in ACTIONS if action.where == where
        )
    return "\n".join(rows) + "\n"
