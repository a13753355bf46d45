"""Connection, login, Market Watch, history that must first be fetched, and the switches of the terminal."""

from __future__ import annotations

from quarterdeck.core.brokers.simulator.terminal_state import SyncRules, TerminalState
from tests.core.brokers.simulator.kit import SECOND, Desk


def test_states_of_the_terminal():
    desk = Desk()
    mt, state = desk.mt, desk.terminal.state
    state.running = False
    assert mt.initialize() is False
    assert mt.last_error()[0] == -10003
    state.running, state.connected = True, False
    assert mt.initialize() is False
    assert mt.last_error() == (-10005, "IPC timeout")
    state.connected, state.password = True, "right"
    assert mt.initialize(login=1, password="wrong") is False
    assert mt.last_error() == (-6, "Terminal: Authorization failed")
    assert mt.initialize(login=2, password="right") is False
    assert mt.initialize(login="1") is False
    assert mt.last_error() == (-2, 'Invalid "login" argument')
    assert mt.initialize(login=1, password="right", server="Test") is True
    assert mt.login(1, "right") is True
    assert mt.version()[0] == 500
    assert mt.terminal_info().connected is True


def test_permissions_give_their_own_codes():
    desk = Desk()
    state = desk.terminal.state
    state.api_disabled = True
    assert desk.deal("buy", 0.1) is None
    assert desk.mt.last_error()[0] == -8
    state.api_disabled, state.algo_allowed = False, False
    refused = desk.deal("buy", 0.1)
    assert (refused.retcode, refused.order, refused.request_id, refused.bid) == (10027, 0, 0, 0.0)
    assert refused.request.symbol == "EURUSD"
    state.algo_allowed, state.connected = True, False
    assert desk.deal("buy", 0.1).retcode == 10031
    assert Desk(experts_allowed=False).deal("buy", 0.1).retcode == 10026
    assert Desk(trade_allowed=False).deal("buy", 0.1).retcode == 10017


def test_market_watch_and_its_delay():
    desk = Desk(state=TerminalState(sync=SyncRules(tick_delay_ns=2 * SECOND)))
    mt = desk.mt
    assert mt.symbol_info_tick("EURUSD") is None
    desk.tick("EURUSD", 1.08501, 1.08516, after_s=3)
    assert mt.symbol_info_tick("EURUSD").ask == 1.08516
    assert mt.symbol_select("EURUSD", False) is True
    assert mt.symbol_info_tick("EURUSD") is None
    assert mt.symbol_info("EURUSD").bid == 0.0
    assert mt.symbol_info("EURUSD").select is False
    assert mt.copy_rates_from_pos("EURUSD", 15, 0, 1) is None
    mt.symbol_select("EURUSD", True)
    desk.deal("buy", 0.1)
    assert mt.symbol_select("EURUSD", False) is False


def test_history_is_fetched_first():
    desk = Desk(state=TerminalState(sync=SyncRules(none_calls=2, short_calls=1)))
    counts = [desk.mt.copy_rates_from_pos("EURUSD", 15, 0, 80) for _ in range(4)]
    assert counts[0] is None
    assert counts[1] is None
    assert (len(counts[2]), len(counts[3])) == (25, 80)


def test_bars_are_capped_by_the_terminal():
    desk = Desk(state=TerminalState(bars_max=10))
    assert len(desk.mt.copy_rates_from_pos("EURUSD", 15, 0, 80)) == 10
    assert desk.mt.terminal_info().maxbars == 10


def test_coarser_timeframes_are_made_on_the_servers_clock():
    desk = Desk()
    day = desk.mt.copy_rates_from_pos("EURUSD", desk.mt.TIMEFRAME_D1, 0, 5)
    assert (day["time"] % 86_400).tolist() == [0, 0]
    four = desk.mt.copy_rates_from_pos("EURUSD", desk.mt.TIMEFRAME_H4, 0, 50)
    assert set((four["time"] % (4 * 3_600)).tolist()) == {0}
    assert len(desk.mt.copy_rates_from_pos("EURUSD", desk.mt.TIMEFRAME_MN1, 0, 5)) == 1
    assert len(desk.mt.copy_rates_from_pos("EURUSD", desk.mt.TIMEFRAME_W1, 0, 5)) == 1
    assert desk.mt.copy_rates_from_pos("EURUSD", 1, 0, 5) is None
    assert desk.mt.copy_rates_from_pos("EURUSD", 99, 0, 5) is None
    assert desk.mt.last_error()[0] == -2


def test_symbols_and_their_figures():
    desk = Desk("USDJPY", "EURUSD")
    assert [info.name for info in desk.mt.symbols_get("*JPY")] == ["USDJPY"]
    assert desk.mt.symbols_total() == 2
    info = desk.mt.symbol_info("USDJPY")
    assert (info.digits, info.point, info.currency_base, info.currency_profit) == (3, 0.001, "USD", "JPY")
    assert round(info.trade_tick_value_profit, 5) == 0.66269
    assert round(info.trade_tick_value_loss, 5) == 0.66273
    assert (info.spread, info.filling_mode, info.trade_exemode) == (10, 3, 2)
    assert desk.mt.market_book_add("EURUSD") is False
    assert desk.mt.market_book_get("EURUSD") is None


def test_helpers_of_the_module():
    desk = Desk("EURUSD", specs={"EURUSD": {"filling_flags": 1}})
    assert desk.mt.Buy("EURUSD", 0.2).retcode == 10009
    assert desk.mt.Sell("EURUSD", 0.1).retcode == 10009
    assert desk.mt.Close("EURUSD") is True
    assert desk.mt.Close("EURUSD") is False
    assert desk.mt.positions_total() == 0
