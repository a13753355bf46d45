"""What an operator can order, from a key, the command line or a replay; the same types in process and over the link."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from quarterdeck.core.model.units import Lots, Price


class Pause(Struct, frozen=True, kw_only=True, tag="pause"):
    """No new entries until `Resume`; care and closes continue."""


class Resume(Struct, frozen=True, kw_only=True, tag="resume"):
    """Take the operator's own reasons away: pause, flat after flatten, acknowledged halts. Never a breaker's."""


class Flatten(Struct, frozen=True, kw_only=True, tag="flatten"):
    """Close everything in scope, verified; entries stop first."""

    scope: Literal["ours", "account"] = "ours"


class ClosePosition(Struct, frozen=True, kw_only=True, tag="close_position"):
    """Close one position of ours, wholly or `lots` of it."""

    position_id: int
    lots: Lots | None = None


class CloseGroup(Struct, frozen=True, kw_only=True, tag="close_group"):
    """Close what is ours and fits: the losers, the winners, or all that carry a currency or a symbol."""

    which: Literal["losers", "winners", "currency", "symbol"]
    name: str = ""


class MoveStop(Struct, frozen=True, kw_only=True, tag="move_stop"):
    """Set the stop of one position of ours; loosening it is the operator's right and is journaled."""

    position_id: int
    stop_price: Price


class SetSettings(Struct, frozen=True, kw_only=True, tag="set"):
    """Change parameters as one set, `(key, value as written in TOML)`; with `minutes` they go back afterwards."""

    changes: tuple[tuple[str, str], ...]
    minutes: float | None = None


class ResetDrawdown(Struct, frozen=True, kw_only=True, tag="reset_drawdown"):
    """The operator accepts the drawdown: the peak starts again from today's equity."""


class Acknowledge(Struct, frozen=True, kw_only=True, tag="acknowledge"):
    """The operator has seen an external position without a stop (or another acknowledgeable reason) and lets entries continue."""

    what: str


class Resolve(Struct, frozen=True, kw_only=True, tag="resolve"):
    """The operator's decision on an unconfirmed order: it surely did not execute, or it is the position named.

    With `UNEXPLAINED_MONEY` as id: money that no deal explains is a result, a transfer or a payout. With a deal's ticket as id:
    that deal, booked as a result or a withdrawal because its meaning is not known, is a transfer or a payout. With
    `MACHINE_CLOCK` as id and `pc_right`: this machine's clock is right, whatever else says otherwise.
    """

    client_id: str
    outcome: Literal["absent", "filled", "result", "transfer", "payout", "pc_right"]
    position_id: int = 0


UNEXPLAINED_MONEY = "money"
"""Id under which `Resolve` takes the operator's decision on money that no deal explains."""


MACHINE_CLOCK = "clock"
"""Id under which `Resolve` takes the operator's decision on this machine's clock."""


class StopEngine(Struct, frozen=True, kw_only=True, tag="stop"):
    """End the run by the shutdown policy, or with another one."""

    policy: Literal["settings", "flatten", "keep"] = "settings"
    why: str = ""


Command = (
    Pause
    | Resume
    | Flatten
    | ClosePosition
    | CloseGroup
    | MoveStop
    | SetSettings
    | ResetDrawdown
    | Acknowledge
    | Resolve
    | StopEngine
)
