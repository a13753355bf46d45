"""Whether the account found is one that may be traded, and what is wrong with it.

Why: a terminal can be logged in to another account than yesterday, and a terminal on the same machine can be the wrong one.
Promises: a real account passes only if settings name its login and server and allow it; whatever is not the named account stops.
Pure: works on what was read.
"""

from __future__ import annotations

from quarterdeck.core.brokers.mt5.policy import Mt5Policy
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.money import CENT_CURRENCIES

_ROUGH_USD = {"USD": 1.0, "EUR": 1.1, "GBP": 1.25, "CHF": 1.1, "JPY": 0.0067, "AUD": 0.65, "CAD": 0.73, "NZD": 0.6}
"""Good enough to tell a nearly empty account from a funded one, and used for nothing else."""


def account_identity(account: Account) -> tuple[int, str, str]:
    """What must not change while the engine runs: login, server, demo or real."""
    return (account.login, account.server, account.mode)


def is_cent(account: Account) -> bool:
    """Whether balances count cents: 10,000 on such an account are 100."""
    return account.currency.upper() in CENT_CURRENCIES


def check_account(account: Account, policy: Mt5Policy) -> None:
    """Refuse an account that settings do not allow.

    Raises:
        BrokerError: another account than the named one, a real one that is not allowed or not said yes to, no trading rights.
    """
    found = f"login {account.login} at {account.server!r} ({account.mode})"
    if policy.mode is not None:
        return
    if policy.login and account.login != policy.login:
        raise BrokerError(
            f"the terminal is logged in as {found}, but account.login is {policy.login}",
            what_to_do="log the terminal in to that account, or change account.login",
        )
    if policy.server and account.server != policy.server:
        raise BrokerError(
            f"the terminal is logged in as {found}, but account.server is {policy.server!r}",
            what_to_do="log the terminal in there, or change account.server",
        )
    if account.mode == "real":
        _check_real(account, policy, found)
    if not account.trade_allowed:
        raise BrokerError(
            f"{found} may not trade",
            what_to_do="log in with the trading password, not the investor's; ask the broker if it was that one",
        )
    if not account.experts_allowed:
        raise BrokerError(f"{found} may not be traded by programs", what_to_do="ask the broker to allow automated trading")


def _check_real(account: Account, policy: Mt5Policy, found: str) -> None:
    named = policy.login == account.login and policy.server == account.server
    if not (policy.allow_real and named):
        raise BrokerError(
            f"{found} is a real account, and the settings do not allow trading it; nothing is traded",
            what_to_do=(
                f'to trade real money there, set account.login = {account.login}, account.server = "{account.server}" '
                "and account.allow_real = true in settings.toml; else log the terminal in to a demo account"
            ),
        )


def needs_confirmation(account: Account, policy: Mt5Policy, known_logins: tuple[int, ...] = ()) -> bool:
    """Whether the first start on this real account still has to be confirmed by the operator."""
    return account.mode == "real" and account.login not in (policy.yes_real, *known_logins)


def warnings_of(account: Account, policy: Mt5Policy) -> tuple[str, ...]:
    """What does not stop the start: a nearly empty account, a cent account, an unusual leverage."""
    found: list[str] = []
    unit = CENT_CURRENCIES.get(account.currency.upper())
    if unit:
        found.append(
            f"cent account: {account.balance_money:,.2f} {account.currency} are {account.balance_money / 100:,.2f} {unit}"
        )
    rate = _ROUGH_USD.get(unit or account.currency.upper())
    worth = None if rate is None else account.balance_money * rate / (100.0 if unit else 1.0)
    if worth is not None and worth < policy.balance_warn_usd:
        found.append(
            f"the balance is worth about {worth:,.2f} USD, under {policy.balance_warn_usd:,.0f}: most entries will be under the "
            "minimum volume; use a cent account or pay in"
        )
    if account.leverage <= 0:
        found.append("the broker reports no leverage: margin is computed by the terminal alone")
    return tuple(found)
