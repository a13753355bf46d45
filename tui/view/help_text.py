"""What help says: about the panel in focus, and the table of keys by group."""

from __future__ import annotations

from typing import Final

from quarterdeck.tui.keys import ACTIONS, GROUPS, Keymap
from quarterdeck.tui.view.lines import Glyphs, Line, Span, clip, fit, width_of, wrapped

ABOUT: Final = {
    "pairs": (
        "Pairs: quote, spread now and times what is usual for this minute of the week, ATR(M15) in pips and its "
        "regime, the H1 trend, what the last closed bar led to, and the age of the quote. `shut` is outside the "
        "pair's own hours; `!` marks a stale quote. Enter opens the ledger of the chosen pair: why it was not traded."
    ),
    "signals": (
        "Signals: candidates of the strategy, newest first, with confidence and what became of them. `waiting` means "
        "a passing condition holds it back and it is judged again; `refused` says the first check that failed. Enter "
        "opens all checks with their numbers."
    ),
    "positions": (
        "Positions: side, lots, R (multiples of the initial risk), money, pips to the stop, and what position management does "
        "next. Above every page they stand again, SL with the pips to the stop. `*` and `not ours` mark positions opened "
        "elsewhere: they count as risk and are left alone. Orders under way are below. Enter asks to close."
    ),
    "risk": (
        "Risk budget: how much of each limit is used and how much money is left, the nearest limit first; the line in a bar "
        "marks 80%. A tripped limit says when it allows entries again. Then what is lost if every stop is hit, what is "
        "reserved for pending orders, what a weekend gap would cost, and exposure by currency."
    ),
    "log": (
        "Log: newest below. Scrolling up stops following; End follows again. The filter takes a pair, a ticket, a kind or words."
    ),
    "tweak": (
        "Parameters: Enter edits, Space switches, Delete takes an edit back. Edits gather in a change set and are "
        "applied together with A, for good or for a time, after which the engine takes them back by itself. E shows what the set "
        "would do to each open position now, and to the decisions of the last days. U takes the last set back, H is the history."
    ),
    "effect": (
        "Effect: what the engine would send at once for each open position under the changed settings, found on a copy of the "
        "desk at the prices of now; caps and breakers that move; and the last days run twice in another process, as is and "
        "changed, with the same signals. The last line says how far the run as is agrees with what was really traded."
    ),
    "backtest": (
        "Backtests: N fills in a form and runs one in a process of its own, behind everybody else in the queue for the "
        "processor; X stops it. Enter opens a finished one; = marks one, and = on another sets both side by side. The whole "
        "report is a page in the home folder: `quarterdeck backtest --show DIR --browser`."
    ),
    "why": (
        "Why not: every verdict of the chosen pair with each check, its number and its threshold. Enter shows all checks of one."
    ),
    "verdict": (
        "Verdict: every check of one closed bar, what refused it first: the number found, the threshold after the stroke, and "
        "what both mean."
    ),
    "journal": (
        "Journal: closed trades of this account and mode, newest first. / narrows them by pair or currency, buy or sell, won or "
        "lost, exit, and period: today, yesterday, 7d, 2024-07, 2024-07-01..2024-08-05 (UTC, by the close). Left and right go "
        "through the pairs. Enter tells a trade's story: signal and votes, checks and sizing, orders, fills, care, close."
    ),
    "story": (
        "Story: one trade from its signal to its close. Under a decision stand its checks: number, threshold, what they mean. "
        "`order` is what was asked, `filled` what the broker did, `deal` what money came of it, `care` what moved its stop."
    ),
    "metrics": (
        "Metrics: what the trades of this account and mode came to, narrowed by the same words as the journal. Equity, drawdown, "
        "Sharpe and time in the market are the account's: they follow the period alone. R is the result against the money first "
        "risked. Bars left of the middle are losses. Confidence is worth something where more is won at a higher tenth."
    ),
    "news": ("News: the calendar as the desk knows it. High-impact ones stop entries in their currency."),
    "health": ("Health: engine, feed, journal, errors by class, and every order given from this screen with its answer."),
    "chart": (
        "Chart: candles of the pair, filled when rising, hatched when falling, with entry, stop and target, and the "
        "price now. A triangle is an entry, a full disc an exit that won, an empty one an exit that lost, dots between. "
        "Dotted lines down, N beneath, are high-impact news of its currencies. E, x, w: a candidate entered, refused, waiting."
    ),
}
STATES: Final = (
    ("ACTIVE", "entries, management and closes"),
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
