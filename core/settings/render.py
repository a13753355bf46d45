"""settings.toml as text: every parameter with its meaning, unit, range and moment of effect above its value."""

from __future__ import annotations

from typing import Any

from quarterdeck.core.settings.parameters import Parameter, meaning_of, parameters, range_words, sections
from quarterdeck.core.settings.settings_loader import Tree, look_up, toml_text

_HEAD = """\
# The settings of Quarterdeck with their defaults. Your own settings.toml may hold a few keys only; the rest is taken from this
# file. Percentages are written as percent. Any setting can be overridden for one pair:
#   [pair.XAUUSD.filters]
#   spread_stop_max_pct = 12.0
"""


def render_settings(tree: Tree) -> str:
    """The whole file for `tree`, sections and keys in the schema's order."""
    lines = [_HEAD]
    for section in sections():
        lines.append(f"\n# {meaning_of(section)}\n[{section}]\n")
        lines.extend(_entry(row, look_up(tree, row.key)) for row in parameters().values() if row.section == section)
    lines.append("\n# Size of a pip where the rule of the trade does not fit, in price.\n[pip]\n")
    lines.extend(f"{symbol} = {toml_text(pip)}\n" for symbol, pip in tree.get("pip", {}).items())
    lines.append("\n# Settings for one pair, e.g. [pair.XAUUSD.filters].\n[pair]\n")
    for symbol, sections_of_pair in tree.get("pair", {}).items():
        for section, values in sections_of_pair.items():
            lines.append(f"\n[pair.{symbol}.{section}]\n")
            lines.extend(f"{name} = {toml_text(value)}\n" for name, value in values.items())
    return "".join(lines)


def _entry(row: Parameter, value: Any) -> str:
    unit = f" [{row.unit}]" if row.unit else ""
    between = range_words(row.low, row.high).removeprefix(" from ").removeprefix(" of ")
    allowed = f"; {between}" if between else ""
    words = f"; {', '.join(map(str, row.choices or row.members))}" if row.choices or row.members else ""
    return f"# {row.meaning}{unit}{allowed}{words}; {row.takes_effect}\n{row.name} = {toml_text(value)}\n"
