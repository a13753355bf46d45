"""From nothing to ready: accounts that may be traded, names that brokers invent, clocks that brokers keep."""

from __future__ import annotations

import pytest
from msgspec import structs

from quarterdeck.core.brokers.mt5.account_check import check_account, is_cent, needs_confirmation, warnings_of
from quarterdeck.core.brokers.mt5.policy import Secret, policy_from
from quarterdeck.core.brokers.mt5.server_time import ServerClock
from quarterdeck.core.brokers.mt5.symbol_names import resolve
from quarterdeck.core.brokers.simulator.simulated_server_time import SimulatedServerClock as TerminalClock
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.model.inputs import EngineFault
from quarterdeck.core.model.reads import Known
from quarterdeck.core.settings.settings_loader import shipped_settings
from tests.core.brokers.mt5.kit import START, Rig, drive

DEMO = Account(
    login=5001,
    server="Sim-Demo",
    mode="demo",
    currency="USD",
    currency_digits=2,
    leverage=100,
    hedging=True,
    balance_money=10_000.0,
)
REAL = structs.replace(DEMO, mode="real", server="Broker-Live")


def policy(**changes):
    return structs.replace(policy_from(shipped_settings()), **changes)


def refusal(account, rules):
    with pytest.raises(BrokerError) as caught:
        check_account(account, rules)
    return caught.value.one_line()


def test_any_demo_is_taken_unless_settings_name_one():
    check_account(DEMO, policy())
    check_account(DEMO, policy(login=5001, server="Sim-Demo"))
    assert "but account.login is 7" in refusal(DEMO, policy(login=7))
    assert "account.server" in refusal(DEMO, policy(login=5001, server="Other-Demo"))


def test_a_real_account_needs_login_server_and_leave():
    named = {"login": 5001, "server": "Broker-Live"}
    check_account(REAL, policy(**named, allow_real=True))
    for rules in (policy(), policy(**named), policy(allow_real=True), policy(login=5001, allow_real=True)):
        text = refusal(REAL, rules)
        assert "account.login = 5001" in text
        assert 'account.server = "Broker-Live"' in text
    assert needs_confirmation(REAL, policy())
    assert not needs_confirmation(REAL, policy(yes_real=5001))
    assert not needs_confirmation(REAL, policy(), known_logins=(5001,))
    assert not needs_confirmation(DEMO, policy())


def test_an_account_without_rights_is_refused_with_the_remedy():
    assert "investor" in refusal(structs.replace(DEMO, trade_allowed=False), policy())
    assert "automated" in refusal(structs.replace(DEMO, experts_allowed=False), policy())
    assert "investor" in refusal(structs.replace(DEMO, mode="demo", trade_allowed=False), policy(login=5001))


def test_a_simulated_account_is_not_asked():
    check_account(structs.replace(REAL, mode="paper"), policy(mode="paper", login=7))


def test_cent_accounts_and_nearly_empty_ones_are_pointed_out():
    cent = structs.replace(DEMO, currency="USC", balance_money=5_000.0)
    assert is_cent(cent)
    assert len(warnings_of(cent, policy())) == 2
    assert not is_cent(DEMO)
    assert warnings_of(DEMO, policy()) == ()
    assert len(warnings_of(structs.replace(DEMO, balance_money=50.0), policy())) == 1
    assert warnings_of(structs.replace(DEMO, currency="JPY", balance_money=1_000_000.0), policy()) == ()


def test_a_password_never_shows_and_paper_holds_none():
    settings = shipped_settings()
    live = policy_from(settings, password="hunter2")
    assert live.password == Secret("hunter2")
    assert "hunter2" not in f"{live!r} {live.password} {live.password!r}"
    assert policy_from(settings, mode="paper", password="hunter2").password is None


def test_connect_tells_what_it_found():
    rig = Rig(connect=False)
    found = drive(rig.broker.connect())
    assert (found.account.login, found.account.mode, found.bars_max) == (5001, "demo", 100_000)
    rig.terminal.state.algo_allowed = False
    rig.terminal.state.api_disabled = True
    assert len(drive(rig.broker.connect()).warnings) == 2
    named = Rig(connect=False, policy={"mode": "replay"})
    assert drive(named.broker.connect()).account.mode == "replay"


def test_connect_gives_up_in_time_and_says_why():
    rig = Rig(connect=False)
    rig.terminal.state.connected = False
    before = rig.clock.monotonic_s()
    with pytest.raises(BrokerError, match="within 30 s"):
        drive(rig.broker.connect())
    assert rig.clock.monotonic_s() - before <= 31.0
    rig = Rig(connect=False)
    rig.terminal.state.running = False
    with pytest.raises(BrokerError, match="-10003"):
        drive(rig.broker.connect())


def test_a_wrong_password_stops_at_once():
    rig = Rig(connect=False, policy={"login": 5001, "server": "Sim-Demo", "password": Secret("wrong")})
    rig.terminal.state.password = "right"
    with pytest.raises(BrokerError, match="-6") as caught:
        drive(rig.broker.connect())
    assert not rig.slept
    assert "wrong" not in caught.value.one_line().replace("wrong password", "")


def test_another_account_than_the_named_stops_the_start():
    with pytest.raises(BrokerError, match=r"but account\.login is 1"):
        Rig(policy={"login": 1})


def record(name, base="EUR", profit="USD", mode=4, custom=False):
    return {"name": name, "currency_base": base, "currency_profit": profit, "trade_mode": mode, "custom": custom}


@pytest.mark.parametrize(
    ("offered", "suffix", "expected"),
    [
        (["EURUSD", "EURUSDm"], "", "EURUSD"),
        (["EURUSD", "EURUSDm"], "m", "EURUSDm"),
        (["EURUSDm"], "", "EURUSDm"),
        (["EURUSD.a"], "", "EURUSD.a"),
        (["#EURUSD"], "", "#EURUSD"),
        (["EURUSD.pro", "EURUSD.a"], "", "EURUSD.a"),
        (["eurusd"], "", "eurusd"),
        (["GBPUSD.a"], "", None),
        ([], "", None),
    ],
)
def test_names_that_brokers_invent(offered, suffix, expected):
    records = [record(name, *(("GBP", "USD") if "GBP" in name else ())) for name in offered]
    found = resolve("EURUSD", records, suffix)
    assert (found.broker if found else None) == expected


def test_untradable_symbol_sorts_last_and_alternatives_are_named():
    found = resolve("EURUSD", [record("EURUSD.x", mode=0), record("EURUSD.long")])
    assert (found.broker, found.among) == ("EURUSD.long", ("EURUSD.x",))
    gold = [record("XAUUSD.m", "XAU", "USD"), record("XAUUSDq", "USD", "USD")]
    assert resolve("XAUUSD", gold).broker == "XAUUSD.m"


def test_suffixed_symbols_are_plain_inside():
    rig = Rig(suffix=".a")
    assert [item.symbol for item in rig.instruments] == ["EURUSD", "GBPUSD", "USDJPY"]
    assert [item.pip for item in rig.instruments] == [0.0001, 0.0001, 0.01]
    assert [quote.symbol for quote in drive(rig.broker.quotes(("USDJPY",))).value] == ["USDJPY"]
    assert drive(rig.broker.available_symbols(("EURUSD", "AUDUSD"))) == ("EURUSD",)
    assert isinstance(drive(rig.broker.bars("EURUSD", "M15", 5)), Known)


def test_all_missing_symbols_are_named_at_once():
    rig = Rig()
    with pytest.raises(BrokerError, match="AUDUSD, NZDUSD"):
        drive(rig.broker.select(("EURUSD", "AUDUSD", "NZDUSD")))


def test_a_tick_value_that_lies_is_taken_away():
    rig = Rig(connect=False)
    rig.faults.tick_value_factor = 1.2
    drive(rig.broker.connect())
    assert [item.tick_value_loss_money for item in drive(rig.broker.select(("EURUSD", "USDJPY")))] == [0.0, 0.0]
    rig.faults.tick_value_factor = 1.0
    assert all(item.tick_value_loss_money > 0.0 for item in drive(rig.broker.select(("EURUSD", "USDJPY"))))


class Ticking:
    """A terminal whose quotes move while the adapter waits."""

    def __init__(self, rig):
        self.rig = rig
        self.number = 0

    async def __call__(self, seconds):
        self.number += 1
        self.rig.tick("EURUSD", 1.085 + self.number * 1e-5, 1.0852 + self.number * 1e-5, after_s=seconds)


@pytest.mark.parametrize(("rule", "fixed"), [("new_york_plus_7", 0), ("eet", 0), ("fixed", 0), ("fixed", 10_800 * 2)])
def test_the_servers_clock_is_measured_from_ticks_that_change(rule, fixed):
    rig = Rig(rule=rule, fixed_s=fixed, known_clock=False)
    rig.broker._session.sleep = Ticking(rig)
    found = drive(rig.broker.server_clock_rule())
    assert found.confirmed
    assert found.offset_s == rig.terminal.clock.offset_s(START)
    quote = drive(rig.broker.quotes(("EURUSD",))).value[0]
    assert abs(quote.at_utc_ns - rig.terminal.now_utc_ns) < 1_000_000


def test_a_silent_market_confirms_nothing():
    rig = Rig(known_clock=False)
    assert not drive(rig.broker.server_clock_rule()).confirmed


def test_a_clock_that_moves_is_noticed_and_followed():
    rig = Rig(rule="eet", known_clock=False)
    rig.broker._session.sleep = Ticking(rig)
    before = drive(rig.broker.server_clock_rule()).offset_s
    rig.broker.take_events()
    rig.terminal.set_clock(TerminalClock("fixed", before + 3_600))
    after = drive(rig.broker.server_clock_rule())
    assert (after.offset_s, after.confirmed) == (before + 3_600, True)
    (trouble,) = rig.broker.take_events()
    assert isinstance(trouble, EngineFault)
    assert trouble.kind == "clock"
    rig.terminal.ledger.cash(10.0, "later")
    assert len(drive(rig.broker.new_deals()).value) == 1
    assert drive(rig.broker.server_clock_rule()) == after
    (over,) = rig.broker.take_events()
    assert (over.kind, over.active) == ("clock", False), "confirmed once more"
    assert drive(rig.broker.server_clock_rule()) == after
    assert rig.broker.take_events() == ()


def test_a_measurement_without_history_keeps_the_rule_that_was_recognised():
    rig = Rig(rule="eet", known_clock=False)
    rig.broker._session.sleep = Ticking(rig)
    assert drive(rig.broker.server_clock_rule()).rule == "new_york_plus_7", (
        "two weeks tell no rule from another of the same offset"
    )
    rig.broker._session.server = ServerClock("eet")  # as a year of weeks would have reported
    assert drive(rig.broker.server_clock_rule()).rule == "eet"
