"""The simulated MetaTrader 5 terminal: a market, an account, the module's face, and a way to let time pass.

Why: live code, paper trading, replay and tests all need a broker; this one is deterministic and costs nothing.
Promises: it moves only when asked to (`advance`, `advance_to`); same market, same calls, same ledger. It never reads a clock.
Use: `terminal.module` is what the adapter calls; the driver asks `next_ns`, calls `advance`, looks at `trades_changed_counter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from quarterdeck.core.brokers.simulator.faults import Faults
from quarterdeck.core.brokers.simulator.ledger import Ledger
from quarterdeck.core.brokers.simulator.ledger_changes import list_symbol
from quarterdeck.core.brokers.simulator.ledger_rows import (
    CANCELED,
    ORDER_BUY,
    ORDER_SELL,
    REASON_CLIENT,
    AccountTerms,
    LedgerOrder,
)
from quarterdeck.core.brokers.simulator.market_recorded import RecordedMarket
from quarterdeck.core.brokers.simulator.market_source import MarketSource, MarketStep
from quarterdeck.core.brokers.simulator.mt5_api import SimulatedMetaTrader5
from quarterdeck.core.brokers.simulator.rate_arrays import RateArrays
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock
from quarterdeck.core.brokers.simulator.terminal_state import TerminalState
from quarterdeck.core.brokers.simulator.trade_server import MqlTradeRequest, MqlTradeResult, execute
from quarterdeck.core.brokers.simulator.triggers import Triggers
from quarterdeck.core.model.errors import DataError, InvariantError
from quarterdeck.core.model.inputs import NewsEvent
from quarterdeck.core.model.market_data import Instrument, Quote, Side
from quarterdeck.core.model.units import UtcNs


class Advanced(NamedTuple):
    """Where the terminal stands after a step, and which symbols have a new quote."""

    at_utc_ns: UtcNs
    symbols: tuple[str, ...]


class SimulatedTerminal:
    """See the module."""

    def __init__(
        self,
        market: MarketSource,
        instruments: Sequence[Instrument],
        terms: AccountTerms,
        *,
        clock: SimulatedServerClock,
        faults: Faults | None = None,
        state: TerminalState | None = None,
    ) -> None:
        """Begins at the market's start with its last quotes. Raises DataError when the commission cannot be converted."""
        self.market = market
        self.clock = clock
        self.state = state or TerminalState()
        self.faults = faults or Faults()
        self.ledger = Ledger(instruments, terms, clock, market.start_utc_ns)
        for symbol, bid, ask, at in market.initial():
            self.ledger.quotes[symbol] = (bid, ask, at)
        self._triggers = Triggers(self.ledger, target_first=market.target_first)
        self._arrays = RateArrays(market, clock)
        self.module = SimulatedMetaTrader5(self.ledger, self._arrays, self.state, self.faults)

    @property
    def now_utc_ns(self) -> UtcNs:
        """Market time."""
        return self.ledger.now_utc_ns

    @property
    def trades_changed_counter(self) -> int:
        """Rises with each deal, order or change of a position; cheap to compare."""
        return self.ledger.changes

    @property
    def label(self) -> str:
        """What the market is, for people."""
        return self.market.label

    def news(self) -> tuple[NewsEvent, ...] | None:
        """The market's own calendar; None where it has none."""
        return self.market.news()

    def require_conversions(self, symbols: Sequence[str]) -> None:
        """Make sure that results in these symbols can be converted to the account currency.

        Raises:
            DataError: naming the pair that the data lack.
        """
        for symbol in symbols:
            missing = self.ledger.money.missing_conversion(symbol)
            if missing is not None:
                raise DataError(
                    f"{symbol} cannot be valued: nothing converts {missing[:3]} to {missing[3:]}",
                    what_to_do=f"load {missing} or its reverse beside the traded pairs, or give --rate {missing}=...",
                )

    def next_ns(self) -> UtcNs | None:
        """Instant of the next step; None when the market is over and nothing is due."""
        ahead, due = self.market.next_ns(), self.faults.due_utc_ns
        if due is not None and due > self.ledger.now_utc_ns and (ahead is None or due < ahead):
            return due
        return ahead

    def advance(self) -> Advanced:
        """Go to the next instant. Only while `next_ns` is not None."""
        due = self.faults.due_utc_ns
        if due is not None:
            return self._advance_with_due(due)
        step = self._step()
        self._triggers.on_step(step)
        return Advanced(step.at_utc_ns, tuple([tick[0] for tick in step.ticks]))

    def advance_to(self, utc_ns: UtcNs) -> tuple[str, ...]:
        """Take all steps up to an instant, and are there; returns the symbols that ticked, in order of their first."""
        ticked: dict[str, None] = {}
        while (ahead := self.next_ns()) is not None and ahead <= utc_ns:
            ticked.update(dict.fromkeys(self.advance().symbols))
        if utc_ns > self.ledger.now_utc_ns:
            self._triggers.on_time(utc_ns)
        return tuple(ticked)

    def skip_to(self, place: int) -> None:
        """Go on at a step of a recorded market; the caller knows that nothing happened in its forerunners.

        Raises:
            InvariantBroken: an order waits, which any price may touch.
        """
        market, ledger = self.market, self.ledger
        if ledger.orders or not isinstance(market, RecordedMarket):
            raise InvariantError(f"steps are skipped only of a recording, while no order waits ({market.label}, {ledger.orders})")
        ledger.quotes.update(market.skip_to(place))

    def safe_at_stops(self) -> bool:
        """Whether no stop-out is possible while every position stays on the better side of its stop."""
        return self._triggers.safe_at_stops()

    def close_everything(self, rule: str = "end") -> None:
        """Close all positions at the last bid or ask and drop all pending orders; the deals carry `rule`."""
        ledger = self.ledger
        for order in list(ledger.orders.values()):
            ledger.retire(order, CANCELED)
        for held in list(ledger.positions.values()):
            kind = ORDER_SELL if held.side is Side.BUY else ORDER_BUY
            price = ledger.money.close_price(held)
            order = LedgerOrder(
                0, held.symbol, kind, held.lots, price, 0.0, 0.0, ledger.now_utc_ns, held.magic, held.comment, REASON_CLIENT
            )
            ledger.fill(ledger.new_order(order), held.lots, price, rule, closing=held)

    def perform(self, request: MqlTradeRequest) -> MqlTradeResult:
        """Carry out a trade request on the ledger without the module's face, for the backtest."""
        return execute(self.ledger, request)

    def quotes_for_display(self, symbols: Sequence[str]) -> tuple[Quote, ...]:
        """Newest quotes for people to look at; beside the module, so that looking changes nothing."""
        held = ((symbol, self.ledger.quotes.get(symbol)) for symbol in symbols)
        return tuple(Quote(symbol=symbol, at_utc_ns=quote[2], bid=quote[0], ask=quote[1]) for symbol, quote in held if quote)

    def healthy_face(self) -> SimulatedMetaTrader5:
        """The module again, with a connection of its own and no faults: for who looks on and must not change a run."""
        return SimulatedMetaTrader5(self.ledger, self._arrays, TerminalState(), Faults())

    def set_clock(self, clock: SimulatedServerClock) -> None:
        """Exchange the server's clock, as a broker does that changes its zone."""
        self.clock = clock
        self.ledger.clock = clock
        self._arrays.set_clock(clock)

    @property
    def names(self) -> dict[str, str]:
        """Symbols beside the market's own, and which of its symbols prices each."""
        return self._arrays.priced_as

    def list_symbol(self, spec: Instrument, like: str) -> None:
        """Offer a symbol beside the market's own; it is quoted as `like` is."""
        self._arrays.priced_as[spec.symbol] = self.names.get(like, like)
        list_symbol(self.ledger, spec, like)

    def _step(self) -> MarketStep:
        step = self.market.step()
        if self.names:
            step = self._under_all_names(step)
        return self.faults.quoted(step) if self.faults.silences else step

    def _under_all_names(self, step: MarketStep) -> MarketStep:
        """The step's prices under each name that the broker offers now."""
        names = {symbol: [symbol] for symbol in self.market.symbols if symbol in self.ledger.instruments}
        for name, symbol in self.names.items():
            if name in self.ledger.instruments:
                names.setdefault(symbol, []).append(name)
        ticks = tuple((name, *tick[1:]) for tick in step.ticks for name in names.get(tick[0], ()))
        ranges = tuple((name, *span[1:]) for span in step.ranges for name in names.get(span[0], ()))
        return MarketStep(step.at_utc_ns, ticks, ranges)

    def _advance_with_due(self, due: UtcNs) -> Advanced:
        ahead = self.market.next_ns()
        if ahead is None or due < ahead:
            step = MarketStep(max(due, self.ledger.now_utc_ns), ())
        else:
            step = self._step()
        self._triggers.on_step(step)
        self.faults.settle(self.ledger)
        return Advanced(step.at_utc_ns, tuple([tick[0] for tick in step.ticks]))
