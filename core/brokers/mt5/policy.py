"""What the adapter may do and must know, taken once from settings; percent have become fractions here.

Does not: hold a password longer than the login needs it; `password` never prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from quarterdeck.core.model.broker_account import TradeMode

if TYPE_CHECKING:
    from quarterdeck.core.settings.schema import Settings


class Secret(Struct, frozen=True):
    """A text that does not show itself."""

    reveal: str

    def __repr__(self) -> str:
        """Never the text."""
        return "Secret(…)"

    __str__ = __repr__


class Mt5Policy(Struct, frozen=True, kw_only=True):
    """The account that may be traded, our marks on it, and how long to wait for what."""

    login: int
    server: str
    allow_real: bool
    magic: int
    balance_warn_usd: float
    terminal_path: str
    symbol_suffix: str
    pips: dict[str, float]
    tick_value_gap_max_fraction: float
    bar_close_wait_s: float
    start_timeout_s: float
    retry_min_s: float
    retry_max_s: float
    time_server: str = ""
    """A network time server that may be asked; empty: none."""
    mode: TradeMode | None = None
    """What the account counts as where the terminal is a simulated one; None takes the account's own word."""
    password: Secret | None = None
    yes_real: int = 0
    """Login for which the operator said yes on the command line."""


def policy_from(
    settings: Settings, *, mode: TradeMode | None = None, password: str | None = None, yes_real: int = 0
) -> Mt5Policy:
    """The part of settings that concerns the adapter. Simulated, replay and paper accounts get no password."""
    account, engine = settings.account, settings.engine
    secret = Secret(password) if password and mode is None else None
    return Mt5Policy(
        login=account.login,
        server=account.server,
        allow_real=account.allow_real,
        magic=account.magic,
        balance_warn_usd=account.low_balance_warn_usd,
        terminal_path=account.terminal_path,
        symbol_suffix=account.symbol_suffix,
        pips=dict(settings.pip),
        tick_value_gap_max_fraction=settings.risk.tick_value_deviation_max_pct / 100.0,
        bar_close_wait_s=settings.scan.bar_close_wait_s,
        start_timeout_s=engine.broker_start_timeout_s,
        retry_min_s=engine.retry_min_s,
        retry_max_s=engine.retry_max_s,
        time_server=account.time_server,
        mode=mode,
        password=secret,
        yes_real=yes_real,
    )
