"""Someone who knows the truth (the simulated broker's ledger) and holds every input, effect and request against the laws.

Nothing here trusts the desk's own figures where the ledger has one. A finding raises `LawBroken` where it happens and is kept, so
that it is not lost in a task that nobody waits for.
"""

from __future__ import annotations

from typing import Any

from quarterdeck.core.brokers.simulator.ledger_rows import ENTRY_IN, ENTRY_INOUT, LedgerDeal
from quarterdeck.core.model.commands import Flatten, Pause, Resolve, Resume
from quarterdeck.core.model.effects import Close, Effect, Modify, ReservationReleased, StateChanged, Submit, TradeClosed
from quarterdeck.core.model.inputs import (
    BrokerBook,
    CommandReceived,
    ExecutionReport,
    Filled,
    Input,
    NewDeal,
    NotExecuted,
    OrderRejected,
    Unconfirmed,
)
from quarterdeck.core.model.units import UtcNs
from tests.sim.simulated_engine import World

DEAL = 1
NOISE = 1e-6


class LawBroken(AssertionError):
    """A law does not hold."""


class Watch:
    """Watches one world from its first second to its last, over all of its runs."""

    def __init__(self, world: World) -> None:
        """Begins to look."""
        self.world = world
        self.found: list[str] = []
        self.submitted: dict[str, Submit] = {}
        self.closes: dict[str, Close] = {}
        self.traded_signals: dict[str, str] = {}
        self.state = "REDUCE_ONLY"
        self.trades: list[TradeClosed] = []
        self._order_owner: dict[int, str] = {}
        """Client id by the order ticket that the broker gave."""
        self._orders_made = world.terminal.ledger._orders_made
        self._deals_seen = len(world.terminal.ledger.deals)
        self._fates: dict[str, str] = {}
        self._released: dict[str, str] = {}
        self._ours: dict[int, bool] = {}
        self._paused = False
        self._close_of: dict[str, int] = {}
        """Position by the client id of a close."""
        self._unread: dict[int, str] = {}
        """Positions with an unconfirmed close since which no known book came."""
        self._asked_after: dict[str, bool] = {}
        self._whole_account = False
        world.watchers.append(self._input)
        world.requests.append(self._request)

    def wrong(self, law: str, **values: object) -> None:
        """A law is broken: keep it and raise."""
        text = f"{law} ({', '.join(f'{name}={value!r}' for name, value in values.items())}) at {self.world.now_utc_ns}"
        self.found.append(text)
        raise LawBroken(text)

    def check(self) -> None:
        """Raise what was found, also where nobody heard it."""
        if self.found:
            raise LawBroken("; ".join(self.found[:3]))
        if self.world.unhandled:
            raise AssertionError(f"nobody handled: {self.world.unhandled[:3]}")

    # --------------------------------------------------------------------------------------------- what the desk does
    def _input(self, at_utc_ns: UtcNs, item: Input, effects: tuple[Effect, ...]) -> None:
        self._note_fates(item)
        self._note_words(item)
        for effect in effects:
            if isinstance(effect, StateChanged):
                self.state = effect.state
            elif isinstance(effect, Submit):
                self._submit(effect)
            elif isinstance(effect, ReservationReleased):
                self._release(effect, item)
            elif isinstance(effect, Close):
                self._close(effect)
            elif isinstance(effect, Modify):
                self._modify(effect)
            elif isinstance(effect, TradeClosed):
                self.trades.append(effect)

    def _note_fates(self, item: Input) -> None:
        """What is proven of which order by what the desk has just been reported."""
        if isinstance(item, ExecutionReport) and isinstance(item.order_outcome, Filled | OrderRejected | NotExecuted):
            self._fates[item.client_id] = type(item.order_outcome).__name__
        elif isinstance(item, CommandReceived) and isinstance(item.command, Resolve):
            self._fates[item.command.client_id] = "resolved"
        elif isinstance(item, NewDeal):
            owner = self._order_owner.get(item.deal.order_ticket)
            if owner is not None:
                self._fates[owner] = "deal"
        elif isinstance(item, BrokerBook) and item.known:
            for held in item.positions:
                owner = self._order_owner.get(held.position_id)
                if owner is not None:
                    self._fates.setdefault(owner, "book")

    def _note_words(self, item: Input) -> None:
        """What the operator said, and which closes nobody knows about."""
        if isinstance(item, CommandReceived):
            if isinstance(item.command, Pause):
                self._paused = True
            elif isinstance(item.command, Resume):
                self._paused = False
            elif isinstance(item.command, Flatten) and item.command.scope == "account":
                self._whole_account = True
        elif (
            isinstance(item, ExecutionReport) and isinstance(item.order_outcome, Unconfirmed) and item.client_id in self._close_of
        ):
            if self._fates.get(item.client_id) is None and item.client_id not in self._asked_after:
                # later looks without a trace say nothing new
                self._asked_after[item.client_id] = True
                self._unread.setdefault(self._close_of[item.client_id], item.client_id)
        elif isinstance(item, BrokerBook) and item.known:
            self._unread.clear()

    def _submit(self, sent: Submit) -> None:
        if self._paused:
            self.wrong("law 8: no entry while the operator paused", sent=sent.client_id)
        if self.state != "ACTIVE":
            self.wrong("law 8: nothing that adds risk leaves in REDUCE_ONLY or HALTED", state=self.state, sent=sent.client_id)
        if sent.client_id in self.submitted or sent.client_id in self.closes:
            self.wrong("law 5: an id is used once", client_id=sent.client_id)
        if sent.signal_id in self.traded_signals and self._fates.get(self.traded_signals[sent.signal_id]) != "OrderRejected":
            self.wrong("D6: a signal is traded at most once", signal=sent.signal_id)
        self.traded_signals[sent.signal_id] = sent.client_id
        self.submitted[sent.client_id] = sent
        if not sent.stop_price:
            self.wrong("law 7: an entry has its stop", client_id=sent.client_id)
        self._cap()

    def _cap(self) -> None:
        """Open risk by the ledger and all orders whose outcome the desk cannot know: never above the cap."""
        ledger, world = self.world.terminal.ledger, self.world
        open_money = 0.0
        for held in ledger.positions.values():
            valuer = ledger.money.valuer(held.symbol)
            if held.magic != world.magic or valuer is None:
                continue
            now = ledger.money.close_price(held)
            worse = min(held.open_price, now) if held.side > 0 else max(held.open_price, now)
            lost = valuer.profit_money(held.side, held.lots, worse, held.stop_price, ledger.money)
            open_money += max(-(lost or 0.0), 0.0)
        owned = set(self._order_owner.values())
        waiting = [
            sent.risk_money
            for client_id, sent in self.submitted.items()
            if client_id not in self._fates and client_id not in owned and client_id not in self._released
        ]
        cap = world.settings.risk.open_risk_max_pct / 100.0 * ledger.equity_money() * 1.02
        if open_money + sum(waiting) > cap:
            self.wrong("E2: open and reserved risk stay within the cap", open=open_money, waiting=waiting, cap=cap)

    def _release(self, gone: ReservationReleased, item: Input) -> None:
        fate = self._fates.get(gone.client_id)
        if fate is None:
            self.wrong("law 6: a reservation ends by a proven outcome", client_id=gone.client_id, told=type(item).__name__)
        self._released[gone.client_id] = gone.release_cause

    def _close(self, sent: Close) -> None:
        if sent.client_id in self.closes or sent.client_id in self.submitted:
            self.wrong("law 5: an id is used once", client_id=sent.client_id)
        if sent.position_id in self._unread:
            self.wrong(
                "law 5: no close again before the book is known", first=self._unread[sent.position_id], then=sent.client_id
            )
        self.closes[sent.client_id] = sent
        self._close_of[sent.client_id] = sent.position_id

    def _modify(self, sent: Modify) -> None:
        held = next((one for one in self.world.terminal.ledger.positions.values() if one.position_id == sent.position_id), None)
        if held is None or sent.stop_price is None or not held.stop_price:
            if sent.stop_price is None:
                self.wrong("law 7: a stop is never taken away", position=sent.position_id)
            return
        if (sent.stop_price - held.stop_price) * held.side < -1e-9 and sent.why not in ("command", "restore"):
            self.wrong("G3: a stop is only ever tightened", was=held.stop_price, to=sent.stop_price, why=sent.why)

    # ------------------------------------------------------------------------------------------------ what was sent
    def _request(self, name: str, args: tuple[Any, ...]) -> None:
        ledger = self.world.terminal.ledger
        if name == "order_send":
            self._sent(args[0], range(self._orders_made, ledger._orders_made))
        self._orders_made = ledger._orders_made
        for deal in ledger.deals[self._deals_seen :]:
            self._deal(deal)
        self._deals_seen = len(ledger.deals)
        self._stands()

    def _sent(self, request: dict[str, Any], made: range) -> None:
        """Before its deals are looked at: whose order this is, and whether it may leave at all."""
        client_id = str(request.get("comment", ""))
        if request["action"] != DEAL:
            return
        for ticket in made:
            self._order_owner[ticket] = client_id
        if request.get("position"):
            close = self.closes.get(client_id)
            if close is None:
                self.wrong("a close leaves by the desk's word", client_id=client_id)
            held = self.world.foreign.get(request["position"])
            if held is not None and not self._whole_account:
                self.wrong("law 11: what is not ours is left alone", position=request["position"])
            return
        if client_id not in self.submitted:
            self.wrong("A3: a request without a position is an entry, and the desk's", request=request)
        if not request.get("sl"):
            self.wrong("law 7: the stop is in the request that opens", client_id=client_id)
        self._durable(client_id)

    def _durable(self, client_id: str) -> None:
        engine = self.world.engine
        assert engine is not None
        for entry in engine.journal._pending:
            if isinstance(entry, tuple) and any(
                isinstance(effect, Submit) and effect.client_id == client_id for effect in entry[1]
            ):
                self.wrong("law 5: the intent is on disk before the order is sent", client_id=client_id)

    def _deal(self, deal: LedgerDeal) -> None:
        owner = self._order_owner.get(deal.order)
        if deal.entry == ENTRY_INOUT:
            self.wrong("A3: no close ends on the other side", deal=deal.ticket)
        if deal.magic != self.world.magic or not deal.symbol:
            return
        if deal.entry == ENTRY_IN:
            if owner is None:
                return
            if owner in self.closes:
                self.wrong("A3: a close opens nothing", client_id=owner)
            orders = {order for order, client_id in self._order_owner.items() if client_id == owner and self._dealt_in(order)}
            if len(orders) > 1:
                self.wrong("F1: no order is doubled", client_id=owner, orders=sorted(orders))
            if self._released.get(owner) in ("refused", "absent"):
                self.wrong("law 6: what was released as never executed was executed", client_id=owner)
            self._ours[deal.position_id] = True

    def _dealt_in(self, order: int) -> bool:
        return any(deal.order == order and deal.entry == ENTRY_IN for deal in self.world.terminal.ledger.deals)

    def _stands(self) -> None:
        """Every position of ours has its stop at the broker."""
        for held in self.world.terminal.ledger.positions.values():
            if held.magic == self.world.magic and not held.stop_price and held.position_id in self._ours:
                self.wrong("law 7: a position of ours always has its stop", position=held.position_id)

    # --------------------------------------------------------------------------------------------------- at the end
    def converged(self) -> None:
        """After the calm: one book, nothing on its way, the same money."""
        self.check()
        world, ledger = self.world, self.world.terminal.ledger
        state = world.state()
        if world.desk_lots() != world.ledger_lots():
            self.wrong("F1: the book is the broker's", desk=world.desk_lots(), broker=world.ledger_lots())
        for name in ("orders", "reservations", "closes"):
            if state[name]:
                self.wrong(f"nothing is left on its way: {name}", left=state[name])
        if abs(state["balance_money"] - ledger.balance_money) > 0.005:
            self.wrong("the desk counts the broker's money", desk=state["balance_money"], broker=ledger.balance_money)
        for held in ledger.positions.values():
            owner = self._order_owner.get(held.position_id)
            if held.magic == world.magic and owner is not None and owner not in self.submitted:
                self.wrong("F1: no orphan", position=held.position_id)
        self.equity(state)
        opened = [
            deal.position_id for deal in ledger.deals if deal.entry == ENTRY_IN and deal.magic == world.magic and deal.symbol
        ]
        closed = [trade.position_id for trade in self.trades]
        if len(set(closed)) != len(closed):
            self.wrong("a trade ends once", trades=closed)
        if world.settings.simulation.hedging and len(set(opened)) != len(opened) and not world.faults.drawn["partial_fill"]:
            self.wrong("F1: one position an order", opened=opened)
        missing = set(opened) - set(closed) - set(world.ledger_lots())
        if missing:
            self.wrong("every position ends as a trade", missing=sorted(missing))

    def equity(self, state: dict[str, Any]) -> None:
        """Equity by the desk's quotes and by the ledger's money are one, where both saw the same quotes."""
        ledger = self.world.terminal.ledger
        same = all(
            (state["quotes"][name]["bid"], state["quotes"][name]["ask"]) == ledger.quotes[name][:2] for name in state["quotes"]
        )
        unit = 0.02 if ledger.digits else 2.0
        if (same or not ledger.positions) and abs(state["equity_money"] - ledger.equity_money()) > unit:
            self.wrong("equity is the broker's", desk=state["equity_money"], broker=ledger.equity_money())

    def flat(self) -> None:
        """All closed: balance is what the trades brought."""
        self.converged()
        ledger = self.world.terminal.ledger
        if self.world.ledger_lots():
            self.wrong("A3: flat is flat", left=self.world.ledger_lots())
        brought = sum(trade.net_money for trade in self.trades)
        gained = ledger.balance_money - ledger.terms.balance_money
        foreign = sum(
            deal.profit_money + deal.commission_money + deal.swap_money
            for deal in ledger.deals
            if deal.symbol and deal.position_id not in {trade.position_id for trade in self.trades}
        )
        if abs(brought + foreign - gained) > 0.01 * (1 + len(self.trades)):
            self.wrong("the trades bring what the balance gained", trades=brought, others=foreign, balance=gained)
