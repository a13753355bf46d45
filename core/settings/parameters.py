"""The parameters as a flat table: what the tweak screen, `set --help`, error texts, settings.toml and the docs are made of.

A strategy declares parameters of its own, with the same kind of annotations (`declared_parameters`); whoever knows the
strategy gives
them along, and they stand where `strategy.parameters` stands else.
Promises: one row per leaf of the schema, in the schema's order. Does not: hold any value but the defaults of a strategy's own.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from quarterdeck.core.settings.schema import Section, Settings

TABLES = ("pip", "pair")
"""Top-level keys that are tables by symbol, not sections."""
OWN = "strategy.parameters"
"""Where the strategy's own parameters stand, each under its name."""
_OWN_KINDS = ("number", "whole", "switch", "choice", "text")


_UNBOUNDED = 1e9
"""An upper bound from here on only keeps numbers finite; an operator is not informed of it."""


def range_words(low: float | None, high: float | None) -> str:
    """A range as a person writes it, with a blank before it; empty where there is none."""
    top = high if high is not None and high < _UNBOUNDED else None
    if low is not None and top is not None:
        return f" from {_plain(low)} to {_plain(top)}"
    if low is not None:
        return f" of at least {_plain(low)}"
    return "" if top is None else f" of at most {_plain(top)}"


def _plain(bound: float) -> str:
    return f"{bound:,.0f}" if abs(bound) >= 10_000 else f"{bound:g}"


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
    choices: tuple[str | int, ...]
    kind: Literal["number", "whole", "switch", "choice", "text", "list", "table"]
    annotation: Any = None
    """The schema's type. None where a strategy declared it: then kind, bounds and choices say all, and the row may travel."""
    default: float | int | str | bool | None = None
    """Of a strategy's own parameter; all others have theirs in the shipped settings.toml."""

    @property
    def allowed(self) -> str:
        """What a value may be, in words."""
        if self.choices:
            return "one of " + ", ".join(map(str, self.choices))
        if self.kind == "switch":
            return "true or false"
        if self.kind in ("number", "whole"):
            what = "a whole number" if self.kind == "whole" else "a number"
            unit = f" {self.unit}" if self.unit else ""
            return f"{what}{range_words(self.low, self.high)}{unit}"
        if self.members:
            return f"a list of {', '.join(self.members)}"
        return {"text": "a text", "list": "a list of texts", "table": "a table"}[self.kind]

    @property
    def members(self) -> tuple[str, ...]:
        """The words that a list may hold, where only some are."""
        base = get_args(self.annotation)[0] if get_origin(self.annotation) is Annotated else self.annotation
        member = next(iter(get_args(base)), None) if self.kind == "list" else None
        return tuple(map(str, get_args(member))) if get_origin(member) is Literal else ()

    def takes(self, value: Any) -> bool:
        """Whether a value is one of those allowed."""
        try:
            msgspec.convert(value, _type_of(self) if self.annotation is None else self.annotation, strict=True)
        except msgspec.ValidationError:
            return False
        return True


@cache
def sections() -> dict[str, type[Section]]:
    """Section classes by name, in the order of the file."""
    hints = get_type_hints(Settings, include_extras=False)
    return {name: hint for name, hint in hints.items() if name not in TABLES}


@cache
def parameters(own: tuple[Parameter, ...] = ()) -> dict[str, Parameter]:
    """All parameters by dotted key, in the order of the file; `own` are those of the strategy, where it is known."""
    found: dict[str, Parameter] = {}
    for section, struct in sections().items():
        hints = get_type_hints(struct, include_extras=True)
        for field in msgspec.structs.fields(struct):
            row = _parameter(section, field.name, hints[field.name])
            found.update({mine.key: mine for mine in own} if own and row.key == OWN else {row.key: row})
    return found


def declared_parameters(declared: type[Struct]) -> tuple[Parameter, ...]:
    """What a strategy declares, as rows; a field that no setting could hold (a list, a struct) is none of them.

    Whatever moment of effect it names, a strategy is made at the start of a run.
    """
    hints = get_type_hints(declared, include_extras=True)
    found = []
    for field in msgspec.structs.fields(declared):
        row = _parameter("strategy", field.encode_name, hints[field.name])
        if row.kind in _OWN_KINDS:
            default = field.default if isinstance(field.default, float | int | str | bool) else None
            key = f"{OWN}.{field.encode_name}"
            found.append(msgspec.structs.replace(row, key=key, annotation=None, default=default, takes_effect="next start"))
    return tuple(found)


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
    choices = tuple(get_args(base)) if get_origin(base) is Literal else ()
    low, high = (meta.gt if meta.ge is None else meta.ge), (meta.lt if meta.le is None else meta.le)
    return Parameter(
        key=f"{section}.{name}",
        section=section,
        name=name,
        meaning=meta.description or "",
        unit=extra.get("unit", ""),
        takes_effect=extra.get("takes_effect", "next start"),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        step=extra.get("step", 0.0),
        choices=choices,
        kind=_kind(base, choices),
        annotation=annotation,
    )


def _type_of(row: Parameter) -> Any:
    """A type that takes what a row says that it takes."""
    if row.kind == "choice":
        return Literal[row.choices]
    if row.kind == "number":
        return Annotated[float, Meta(ge=row.low, le=row.high)]
    if row.kind == "whole":
        low, high = (None if bound is None else round(bound) for bound in (row.low, row.high))
        return Annotated[int, Meta(ge=low, le=high)]
    return bool if row.kind == "switch" else str


def _kind(base: Any, choices: tuple[str | int, ...]) -> Any:
    if choices:
        return "choice"
    simple = {bool: "switch", int: "whole", float: "number", str: "text"}
    if base in simple:
        return simple[base]
    return "table" if get_origin(base) is dict else "list"
