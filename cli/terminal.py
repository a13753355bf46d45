"""`quarterdeck terminal`: what an operator does in a simulated terminal, for rehearsing how an engine meets it.

Guarantees: acts on the running simulated gateway of a home, through its authenticated line, and on nothing else.
"""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from quarterdeck.cli.options import HomeOption, JsonOption
from quarterdeck.cli.output import print_json, say
from quarterdeck.core.brokers.base import TerminalError
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import TERMINAL_ACTION
from quarterdeck.core.brokers.mt5.gateway.gateway_state import read_state
from quarterdeck.core.brokers.mt5.gateway.gateway_token import token_of
from quarterdeck.core.brokers.mt5.gateway_client import CallTimeouts, GatewayTerminal
from quarterdeck.core.brokers.simulator.operator_actions import (
    CancelDeal,
    ChangeSpecification,
    CloseByHand,
    FreezeQuotes,
    LoseServer,
    MoveMoney,
    MoveStops,
    OpenByHand,
    RefuseRequests,
    RenameSymbol,
    SetCommission,
    ShowTerminal,
    SpikeQuote,
    TerminalAction,
)
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.model.errors import BrokerError, UsageError
from quarterdeck.core.settings.home import resolve_home

GROUP = typer.Typer(add_completion=False, rich_markup_mode=None)
_TIMEOUT_S = 20.0
_BALANCE, _CREDIT, _CHARGE = 2, 3, 4

MoneyArgument = Annotated[float, typer.Argument(metavar="MONEY", min=0.01, help="In the account's currency.")]
CommentOption = Annotated[str, typer.Option("--comment", metavar="TEXT", help="The deal's comment.")]
SymbolArgument = Annotated[str, typer.Argument(metavar="SYMBOL", help="The broker's name.")]
TicketArgument = Annotated[int, typer.Argument(metavar="TICKET")]


class _Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class _Old(StrEnum):
    GONE = "gone"
    DISABLED = "disabled"
    CLOSE_ONLY = "close_only"
    BESIDE = "beside"


class _Deals(StrEnum):
    BOTH = "both"
    OPEN = "open"
    CLOSE = "close"


@GROUP.callback(invoke_without_command=True)
def command(context: typer.Context) -> None:
    """Act in the simulated terminal of a running `quarterdeck gateway --simulated`; refused on anything else."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@GROUP.command("show")
def show(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Say market time, money, quotes, positions and the newest deals."""
    _act(ShowTerminal(), home, as_json=as_json)


@GROUP.command("deposit")
def deposit(
    money: MoneyArgument, comment: CommentOption = "Deposit", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Pay money in."""
    _act(MoveMoney(deal_type=_BALANCE, amount_money=money, comment=comment), home, as_json=as_json)


@GROUP.command("withdraw")
def withdraw(
    money: MoneyArgument, comment: CommentOption = "Withdrawal", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Take money out, at most the free margin."""
    _act(MoveMoney(deal_type=_BALANCE, amount_money=-money, comment=comment), home, as_json=as_json)


@GROUP.command("credit")
def credit(
    money: MoneyArgument,
    remove: Annotated[bool, typer.Option("--remove", help="Take credit back.")] = False,
    comment: CommentOption = "Credit",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give credit, which counts in equity and not in the balance."""
    amount = -money if remove else money
    _act(MoveMoney(deal_type=_CREDIT, amount_money=amount, comment=comment), home, as_json=as_json)


@GROUP.command("charge")
def charge(
    money: MoneyArgument,
    deal_type: Annotated[
        int, typer.Option("--type", metavar="NUMBER", help="MetaTrader's type of the deal; 7 is commission, 12 interest.")
    ] = _CHARGE,
    pay: Annotated[bool, typer.Option("--pay", help="Pay it instead.")] = False,
    comment: CommentOption = "Charge",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Charge the account, by a deal of any type."""
    amount = money if pay else -money
    _act(MoveMoney(deal_type=deal_type, amount_money=amount, comment=comment), home, as_json=as_json)


@GROUP.command("cancel")
def cancel(deal: TicketArgument, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Cancel a deal, as a broker does after a wrong price."""
    _act(CancelDeal(ticket=deal), home, as_json=as_json)


@GROUP.command("open")
def open_position(
    symbol: SymbolArgument,
    side: Annotated[_Side, typer.Argument(metavar="buy|sell")],
    lots: Annotated[float, typer.Argument(metavar="LOTS", min=0.0)],
    stop: Annotated[float, typer.Option("--stop", metavar="PRICE", help="0 is none.")] = 0.0,
    target: Annotated[float, typer.Option("--target", metavar="PRICE", help="0 is none.")] = 0.0,
    comment: CommentOption = "",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a position manually, with magic number 0."""
    action = OpenByHand(symbol=symbol, side=side.value, lots=lots, stop_price=stop, target_price=target, comment=comment)
    _act(action, home, as_json=as_json)


@GROUP.command("close")
def close_position(
    ticket: TicketArgument,
    lots: Annotated[float, typer.Option("--lots", metavar="LOTS", min=0.0, help="A part of it. [all]")] = 0.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close a position manually, whoever opened it."""
    _act(CloseByHand(ticket=ticket, lots=lots), home, as_json=as_json)


@GROUP.command("stop")
def move_stop(
    ticket: TicketArgument,
    price: Annotated[float, typer.Argument(metavar="PRICE", min=0.0, help="0 removes the stop.")],
    target: Annotated[float | None, typer.Option("--target", metavar="PRICE", help="0 removes it. [as it is]")] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move or remove the stop of a position."""
    _act(MoveStops(ticket=ticket, stop_price=price, target_price=target), home, as_json=as_json)


@GROUP.command("rename")
def rename(
    symbol: SymbolArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    old: Annotated[
        _Old, typer.Option("--old", help="What happens to the old name; unless it is gone, positions stay under it.")
    ] = _Old.GONE,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rename a symbol with its positions, or offer it under a second name."""
    _act(RenameSymbol(symbol=symbol, name=name, old=old.value), home, as_json=as_json)


@GROUP.command("freeze")
def freeze(
    symbol: SymbolArgument,
    minutes: Annotated[
        float | None, typer.Option("--minutes", metavar="MINUTES", min=0.0, help="Market minutes; 0 thaws. [until thawed]")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop the quotes of a symbol."""
    _act(FreezeQuotes(symbol=symbol, minutes=minutes), home, as_json=as_json)


@GROUP.command("spike")
def spike(
    symbol: SymbolArgument,
    pips: Annotated[float, typer.Argument(metavar="PIPS", help="How far the quote jumps; put `--` before a negative number.")],
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="SECONDS", min=0.0, max=3600.0, help="Market seconds before the next tick.")
    ] = 1.0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one bad tick; the broker's own stops are not touched by it."""
    _act(SpikeQuote(symbol=symbol, pips=pips, seconds=seconds), home, as_json=as_json)


@GROUP.command("refuse")
def refuse(
    code: Annotated[int, typer.Argument(metavar="CODE", help="Return code: 10016 invalid stops, 10004 requote, 10018 closed.")],
    times: Annotated[int, typer.Option("--times", metavar="N", min=0, max=1000, help="0 takes the rest back.")] = 1,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Refuse the next trade requests of the desk."""
    _act(RefuseRequests(code=code, times=times), home, as_json=as_json)


@GROUP.command("specify")
def specify(
    symbol: SymbolArgument,
    fields: Annotated[
        list[str], typer.Argument(metavar="FIELD=VALUE...", help="volume_max_lots=5, stops_level_points=50, trade_mode=disabled")
    ],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change the specification of a symbol while it is traded."""
    pairs = dict(field.partition("=")[::2] for field in fields)
    _act(ChangeSpecification(symbol=symbol, fields=pairs), home, as_json=as_json)


@GROUP.command("commission")
def commission(
    per_lot: Annotated[float, typer.Argument(metavar="MONEY", min=0.0, help="Per lot and deal.")],
    on: Annotated[_Deals, typer.Option("--on", help="Which deals of a position pay it.")] = _Deals.BOTH,
    minimum: Annotated[float, typer.Option("--minimum", metavar="MONEY", min=0.0, help="Minimum of one deal.")] = 0.0,
    currency: Annotated[str, typer.Option("--currency", metavar="CODE")] = "USD",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change how the broker charges deals."""
    action = SetCommission(per_lot_money=per_lot, currency=currency.upper(), on=on.value, minimum_money=minimum)
    _act(action, home, as_json=as_json)


@GROUP.command("disconnect")
def disconnect(
    minutes: Annotated[float, typer.Argument(metavar="MINUTES", min=0.0, help="Market minutes; 0 reconnects it.")],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Disconnect the terminal from its trade server."""
    _act(LoseServer(minutes=minutes), home, as_json=as_json)


def _act(action: TerminalAction, home: Path | None, *, as_json: bool) -> None:
    """Carry out an action and print what was done. Raises UsageError, BrokerError."""
    text = asyncio.run(_asked(action, resolve_home(home).root))
    say(text)
    if as_json:
        print_json({"ok": True, "text": text})


async def _asked(action: TerminalAction, home: Path) -> str:
    address = read_state(home).address
    if not address:
        raise UsageError(
            f"no simulated gateway runs in {home}",
            what_to_do="start `quarterdeck gateway --simulated` there, and give its --home here",
        )
    timeouts = CallTimeouts(read_s=_TIMEOUT_S, send_s=_TIMEOUT_S, start_s=_TIMEOUT_S)
    token = token_of(home, make=False)
    terminal = GatewayTerminal(address, token, timeouts, WallClock(), retry_min_s=1.0, retry_max_s=1.0)
    try:
        reply = await terminal.call(TERMINAL_ACTION, msgspec.json.encode(action).decode())
    except TerminalError as error:
        raise BrokerError(str(error), what_to_do=error.what_to_do) from error
    finally:
        await terminal.close()
    if not isinstance(reply.value, str):
        raise BrokerError(f"nothing was done: {reply.error_text}")
    return reply.value
