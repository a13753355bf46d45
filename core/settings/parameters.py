"""The parameters as a flat table: what the tweak screen, `set --help`, error texts, settings.toml and the docs are made of.

Promises: one row per leaf of the schema, in the schema's order. Does not: hold any value.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from core.settings.schema import Section, Settings

TABLES = ("pip", "pair")
"""Top-level keys that are tables by symbol, not sections."""


class Parameter(Struct, frozen=True, kw_only=True):
    """One parameter: where it stands, what it means, what it takes."""

    key: str
    """Dotted, e.g. `risk.risk_per_trade_pct`."""
    section: str
    name: str
    meaning: str
    unit: str
    takes_effect: str
    low: float | None
    high: float | None
    step: float
    choices: tuple[str, ...]
    kind: Literal["number", "whole", "switch", "choice", "text", "list", "table"]
    annotation: Any

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.kind == "switch":
            return "true or false"
        if self.kind in ("number", "whole"):
            what = "a whole number" if self.kind == "whole" else "a number"
            unit = f" {self.unit}" if self.unit else ""
            return f"{what} from {self.low:g} to {self.high:g}{unit}"
        return {"text": "a text", "list": "a list of texts", "table": "a table"}[self.kind]


@cache
def sections() -> dict[str, type[Section]]:
    """Section classes by name, in the order of the file."""
    hints = get_type_hints(Settings, include_extras=False)
    return {name: hint for name, hint in hints.items() if name not in TABLES}


@cache
def parameters() -> dict[str, Parameter]:
    """All parameters by dotted key, in the order of the file."""
    found: dict[str, Parameter] = {}
    for section, struct in sections().items():
        hints = get_type_hints(struct, include_extras=True)
        for field in msgspec.structs.fields(struct):
            row = _parameter(section, field.name, hints[field.name])
            found[row.key] = row
    return found


def meaning_of(section: str) -> str:
    """What a section is for: the first line of its docstring."""
    return (sections()[section].__doc__ or "").strip().splitlines()[0]


def table_annotation(name: str) -> Any:
    """The full annotation of one of `TABLES`."""
    return get_type_hints(Settings, include_extras=True)[name]


def _parameter(section: str, name: str, annotation: Any) -> Parameter:
    base, *metas = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    meta = next((item for item in metas if isinstance(item, Meta)), Meta())
    extra = meta.extra or {}
    choices = tuple(str(value) for value in get_args(base)) if get_origin(base) is Literal else ()
    return Parameter(
        key=f"{section}.{name}",
        section=section,
        name=name,
        meaning=meta.description or "",
        unit=extra.get("unit", ""),
        takes_effect=extra.get("takes_effect", "next start"),
        low=None if meta.ge is None else float(meta.ge),
        high=None if meta.le is None else float(meta.le),
        step=extra.get("step", 0.0),
        choices=choices,
        kind=_kind(base, choices),
        annotation=annotation,
    )


def _kind(base: Any, choices: tuple[str, ...]) -> Any:
    if choices:
        return "choice"
    simple = {bool: "switch", int: "whole", float: "number", str: "text"}
    if base in simple:
        return simple[base]
    return "table" if get_origin(base) is dict else "list"
