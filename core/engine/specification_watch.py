"""Reading the broker's specifications again while the desk trades: a record that was read once is not believed for ever.

Why: brokers change contract sizes, stop levels, volume limits, trade modes and swaps of a symbol while a position is open in it.
Guarantees: every `engine.specifications_s`, and soon after a refusal that names the specification, all are read again, and what
changed reaches the desk as an input. Figures that float with the price are sent when they moved by a hundredth, so that the
tape stays small.
Does not: decide what a change means (`core.desk.market_updates`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

import msgspec

from quarterdeck.core.brokers.base import Broker
from quarterdeck.core.brokers.mt5.return_codes import SPECIFICATION_CODES
from quarterdeck.core.model.inputs import ExecutionReport, Input, Instruments, OrderRejected
from quarterdeck.core.model.market_data import Instrument
from quarterdeck.core.model.reads import Unknown
from quarterdeck.core.settings.schema import Settings

_FLOATING = ("tick_value_profit_money", "tick_value_loss_money", "order_margin_buy_money", "order_margin_sell_money")
_MOVED_FRACTION = 0.01
_REFUSED_S = 10.0
"""Between two readings that refusals ask for: a broker that refuses again and again is not flooded with questions."""


class SpecificationWatch:
    """One loop over all selected symbols."""

    def __init__(self, broker: Broker, settings: Callable[[], Settings], post: Callable[[Input], None]) -> None:
        """`post` tells the desk."""
        self._broker = broker
        self._settings = settings
        self._post = post
        self._told: dict[str, Instrument] = {}
        self._refused = asyncio.Event()

    def listen(self, items: Iterable[Input]) -> None:
        """Read again soon where a report names the specification."""
        for item in items:
            refused = item.order_outcome if isinstance(item, ExecutionReport) else None
            if isinstance(refused, OrderRejected) and refused.code in SPECIFICATION_CODES:
                self._refused.set()

    async def watching(self) -> None:
        """Read at once (the start asks for no margins), then as often as settings say."""
        while True:
            self._refused.clear()
            await self._read()
            every_s = self._settings().engine.specifications_s
            await asyncio.sleep(min(_REFUSED_S, every_s))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(every_s - _REFUSED_S, 0.0)):
                    await self._refused.wait()

    async def _read(self) -> None:
        read = await self._broker.specifications()
        if isinstance(read, Unknown):
            return
        changed = tuple(spec for spec in read.value if differs(self._told.get(spec.symbol), spec))
        if changed:
            self._told |= {spec.symbol: spec for spec in changed}
            self._post(Instruments(instruments=changed))


def differs(told: Instrument | None, read: Instrument) -> bool:
    """Whether a specification is news to a desk that was given `told`."""
    if told is None:
        return True
    if _without_floating(told) != _without_floating(read):
        return True
    return any(_moved(getattr(told, name), getattr(read, name)) for name in _FLOATING)


def _moved(before: float, after: float) -> bool:
    return abs(after - before) > _MOVED_FRACTION * abs(before)


def _without_floating(spec: Instrument) -> Instrument:
    return msgspec.structs.replace(spec, **dict.fromkeys(_FLOATING, 0.0))
