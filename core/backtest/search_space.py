"""What an optimisation may vary: settings and a strategy's own parameters, with ranges from their own metadata or the operator's.

Promises: a value that a search proposes is one that the settings allow; nothing is searched that has no range.
Does not: search (`optimize`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.model.renamed_keys import current_key
from quarterdeck.core.settings.parameters import OWN, parameters
from quarterdeck.core.settings.schema import StrategySection
from quarterdeck.core.strategy.strategy_loader import strategy_parameters

_SPAN = re.compile(r"(?P<low>[-+0-9.e]+)\.\.(?P<high>[-+0-9.e]+)(?:/(?P<step>[0-9.e]+))?")


class Dimension(Struct, frozen=True, kw_only=True):
    """One parameter with what it may be: a span, whole or not, or a choice."""

    key: str
    kind: Literal["number", "whole", "choice"]
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    """0: any value of the span."""
    choices: tuple[Any, ...] = ()

    def neighbours_of(self, value: Any) -> tuple[Any, ...]:
        """The neighbours of a value: a step (a twentieth of the span where there is none) down and up, or the other choices."""
        if self.kind == "choice":
            return tuple(other for other in self.choices if other != value)
        step = self.step or (self.high - self.low) / 20.0
        if self.kind == "whole":
            step = max(round(step), 1)
        near = (value - step, value + step)
        cast = int if self.kind == "whole" else float
        return tuple(cast(round(one, 10)) for one in near if self.low <= one <= self.high)


def parse_dimension(text: str, section: StrategySection, home: Path) -> Dimension:
    """`KEY`, `KEY=LOW..HIGH`, `KEY=LOW..HIGH/STEP` or `KEY=a,b,c`. Raises SettingsError."""
    key, sign, wanted = (part.strip() for part in text.partition("="))
    key = current_key(key)
    whole = _declared(key, section, home)
    if not sign:
        return whole
    span = _SPAN.fullmatch(wanted)
    if span is None:
        values = tuple(_value(whole, word.strip()) for word in wanted.split(",") if word.strip())
        if len(values) < 2:
            raise SettingsError(
                f"--over {text!r}: one value leaves nothing to search", what_to_do="write KEY=LOW..HIGH or KEY=a,b,c"
            )
        return Dimension(key=key, kind="choice", choices=values)
    if whole.kind == "choice":
        raise SettingsError(f"--over {text!r}: {key} is no number", what_to_do=f"choose among {whole.choices}")
    low, high, step = float(span["low"]), float(span["high"]), float(span["step"] or 0.0)
    if low >= high:
        raise SettingsError(f"--over {text!r}: the span ends before it begins", what_to_do="write the lower end first")
    if not whole.low <= low < high <= whole.high:
        raise SettingsError(
            f"--over {text!r}: the span must lie within {whole.low:g}..{whole.high:g}", what_to_do="correct its ends"
        )
    if step > high - low:
        raise SettingsError(f"--over {text!r}: the step is wider than the span", what_to_do="write a smaller one")
    return Dimension(key=key, kind=whole.kind, low=low, high=high, step=step or whole.step)


def _declared(key: str, section: StrategySection, home: Path) -> Dimension:
    """What the settings, or the strategy, say of a parameter."""
    own = strategy_parameters(section, home) if key.startswith(f"{OWN}.") else ()
    row = parameters(own).get(key)
    if row is None:
        mine = ", ".join(one.name for one in own)
        raise SettingsError(
            f"--over {key}: the strategy has no such parameter" if mine else f"--over {key}: is not known",
            what_to_do=f"it has {mine}" if mine else f"see `quarterdeck set`, or {OWN}.NAME for the strategy's own",
        )
    if row.kind == "switch":
        return Dimension(key=key, kind="choice", choices=(False, True))
    if row.kind == "choice":
        return Dimension(key=key, kind="choice", choices=row.choices)
    if row.kind not in ("number", "whole") or row.low is None or row.high is None:
        raise SettingsError(f"--over {key}: has no range to search", what_to_do="choose a number, a switch or a choice")
    return Dimension(key=key, kind="whole" if row.kind == "whole" else "number", low=row.low, high=row.high, step=row.step)


def _value(whole: Dimension, word: str) -> Any:
    if whole.kind != "choice":
        try:
            number = float(word)
        except ValueError as error:
            raise SettingsError(f"--over {whole.key}: {word!r} is no number", what_to_do="write numbers") from error
        if not whole.low <= number <= whole.high:
            raise SettingsError(f"--over {whole.key}: {word} is outside {whole.low:g}..{whole.high:g}", what_to_do="repair it")
        return int(number) if whole.kind == "whole" else number
    for choice in whole.choices:
        if word in (choice, msgspec.json.encode(choice).decode()):
            return choice
    raise SettingsError(f"--over {whole.key}: {word!r} is no choice", what_to_do=f"there is {whole.choices}")


def with_searched_values(tree: dict[str, Any], values: dict[str, Any]) -> list[tuple[str, Any]]:
    """Changes that put searched values into settings; a strategy's own parameters are laid over those that stand."""
    prefix = f"{OWN}."
    own = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
    changes = [(key, value) for key, value in values.items() if not key.startswith(prefix)]
    if own:
        changes.append((OWN, {**tree["strategy"]["parameters"], **own}))
    return changes
