"""`quarterdeck init`: a home folder with a settings file of the operator's own, or a strategy file to begin with."""

from __future__ import annotations

import json
import os
import sys
from itertools import count
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from quarterdeck.cli.option_parsing import parse_pairs
from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, warn
from quarterdeck.core.model.errors import UsageError
from quarterdeck.core.settings.home import Home, prepare, resolve_home
from quarterdeck.core.settings.parameters import parameters
from quarterdeck.core.settings.render import render_settings
from quarterdeck.core.settings.settings_loader import look_up, mistakes, shipped_tree, with_values
from quarterdeck.core.strategy.strategy_loader import class_names, template_text


class Question(NamedTuple):
    """A setting that a new operator is asked for."""

    key: str
    words: str


_CODE_LETTERS = 3
QUESTIONS = (
    Question("simulation.currency", "Account currency (of the simulated account)"),
    Question("risk.risk_per_trade_pct", "Risk per trade, % of equity"),
    Question("desk.pairs", "Pairs to trade, comma separated"),
    Question("desk.mode", "Trade on: simulated (no broker), paper (broker's prices, simulated fills) or live (broker's account)"),
)
ALERTS_QUESTION = "Alerts to a phone or mailbox: an Apprise address such as tgram://TOKEN/CHAT; empty: none"


def command(
    home: HomeOption = None,
    strategy: Annotated[
        Path | None,
        typer.Option("--strategy", metavar="FILE", help="Write a strategy file to begin with instead; relative to the home."),
    ] = None,
    currency: Annotated[str | None, typer.Option("--currency", metavar="USD", help="Currency of the simulated account.")] = None,
    risk: Annotated[str | None, typer.Option("--risk", metavar="PCT", help="Risk per trade, % of equity.")] = None,
    pairs: Annotated[str | None, typer.Option("--pairs", metavar="A,B,...", help="Pairs to trade, comma separated.")] = None,
    mode: Annotated[str | None, typer.Option("--mode", metavar="WHERE", help="simulated, paper or live.")] = None,
    alerts: Annotated[
        str | None, typer.Option("--alerts", metavar="URL", help="Apprise address for alerts; kept in secrets.toml.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file; the old one is kept beside it.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a fresh, commented settings.toml into the home folder.

    On a terminal it asks for currency, risk, pairs, broker or simulation, and alerts; Enter keeps the default, and an option
    answers its question. The file holds every setting. You may delete what you do not change: a missing key has its default.
    With --strategy it writes a commented strategy file instead.
    """
    place = prepare(resolve_home(home))
    given = (currency, risk, pairs, mode)
    if strategy is not None:
        if any(answer is not None for answer in (*given, alerts)):
            raise UsageError("--strategy writes a strategy file, no settings", what_to_do="leave out --strategy, or the rest")
        _write_strategy(place, strategy, own_home=_own_home(place, home), force=force, as_json=as_json)
        return
    _refuse_existing(place.settings, force=force)
    asks = not as_json and sys.stdin.isatty() and sys.stdout.isatty()
    changes = [_answer(question, answer, asks=asks) for question, answer in zip(QUESTIONS, given, strict=True)]
    if alerts is None and asks:
        alerts = str(typer.prompt(ALERTS_QUESTION, default="", show_default=False)).strip()
    kept = _kept(place.settings)
    place.settings.write_text(render_settings(with_values(shipped_tree(), changes)), encoding="utf-8")
    print(f"wrote {place.settings}" + (f"; the old one is {kept}" if kept else ""))
    if alerts:
        _keep_address(place, alerts)
    if dict(changes)["desk.mode"] != "simulated":
        print("next: docs/metatrader5.md leads to the broker; `quarterdeck doctor` checks the way")
    print(f"next: quarterdeck run{_own_home(place, home)}")
    if as_json:
        print_json({"home": str(place.root), "settings": str(place.settings), "kept": kept})


def _own_home(place: Home, home: Path | None) -> str:
    return f" --home {place.root}" if home is not None else ""


def _answer(question: Question, given: str | None, *, asks: bool) -> tuple[str, Any]:
    """The key and its value: an option's, else what is typed until it is valid, else the default. Raises UsageError."""
    default = look_up(shipped_tree(), question.key)
    if given is not None:
        value, wrong = _checked(question.key, given)
        if wrong:
            raise UsageError(wrong, what_to_do="correct that option")
        return question.key, value
    while asks:
        shown = ",".join(default) if isinstance(default, list) else str(default)
        value, wrong = _checked(question.key, str(typer.prompt(question.words, default=shown)))
        if not wrong:
            return question.key, value
        warn(wrong)
    return question.key, default


def _checked(key: str, text: str) -> tuple[Any, str]:
    """The value that a text means, and what is wrong with it, or nothing."""
    try:
        if key == "desk.pairs":
            value: Any = list(parse_pairs(text))
        elif parameters()[key].kind in ("number", "whole"):
            value = float(text)
        else:
            value = text.strip().lower() if key == "desk.mode" else text.strip().upper()
        if key == "simulation.currency" and not (len(value) == _CODE_LETTERS and value.isalpha() and value.isascii()):
            return text, f"{key} = {text!r}: must be a currency of three letters, such as USD"
    except (UsageError, ValueError):
        return text, f"{key} = {text!r}: must be {parameters()[key].allowed}"
    return value, "; ".join(mistakes(with_values({}, [(key, value)])))


def _keep_address(place: Home, address: str) -> None:
    """Put an address of an alert service into secrets.toml; one that is there already is the operator's to edit."""
    if place.secrets.exists():
        warn(f"{place.secrets} exists already: add alert_urls = [{json.dumps(address)}] to it yourself")
        return
    with os.fdopen(os.open(place.secrets, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"alert_urls = [{json.dumps(address)}]\n")
    print(f"wrote {place.secrets}; `quarterdeck doctor --alert` sends a test alert")


def _write_strategy(place: Home, strategy: Path, *, own_home: str, force: bool, as_json: bool) -> None:
    path = place.root / strategy.expanduser()
    if path.suffix != ".py":
        raise UsageError(f"--strategy {strategy} is not a Python file", what_to_do="name it like my_strategy.py")
    _refuse_existing(path, force=force)
    kept = _kept(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(template_text(), encoding="utf-8")
    print(f"wrote {path}" + (f"; the old one is {kept}" if kept else ""))
    print(f"next: quarterdeck check lookahead --strategy {path}{own_home}")
    name = path.relative_to(place.root) if path.is_relative_to(place.root) else path
    print(f'to trade it: in {place.settings}, under [strategy]: file = "{name.as_posix()}", name = "{class_names(path)[0]}"')
    if as_json:
        print_json({"home": str(place.root), "strategy": str(path), "kept": kept})


def _refuse_existing(path: Path, *, force: bool) -> None:
    if path.exists() and not force:
        raise UsageError(f"{path} is already there", what_to_do="edit it, or replace it with --force")


def _kept(path: Path) -> str:
    """Move a file that is there out of the way; where it went, or nothing."""
    if not path.exists():
        return ""
    names = (path.with_name(f"{path.name}.old{number or ''}") for number in count())
    backup = next(name for name in names if not name.exists())  # an older copy may be the one that was worked on
    path.replace(backup)
    return str(backup)
