"""The keys of the object that each command prints last with `--json`. Other programs rely on them: they are only added to.

`docs/commands.md` lists them, and `tests/cli/test_json_keys.py` compares them with what the commands print.
"""

from __future__ import annotations

_RESULT = (
    "digest trades signals entered waiting refusals result_money result_r gross_money commission_money swap_money costs_r won "
    "best_r worst_r by_pair by_side exits result_by_pair_money ambiguous worst_day_money"
)
_ORDER = "ok text"
_TERMINAL = "show deposit withdraw credit charge cancel open close stop rename freeze specify commission disconnect"
_CHECK = "passed strategy columns pairs"

JSON_KEYS: dict[str, tuple[str, ...]] = {
    name: tuple(keys.split())
    for name, keys in {
        "init": "home settings strategy kept",
        "run": f"{_RESULT} clean ended currency mode home",
        "status": (
            "running ok wrong mode state reasons run_id pid market_time equity_money day_result_money day_loss_money "
            "open_risk_money all_stops_money all_stops_weekend_money positions foreign without_stop unknown_fates tape_seq "
            "tape_bytes_day replay_fraction scanning clock calendar_available calendar_why news_off parts alarms last"
        ),
        "pause": _ORDER,
        "resume": _ORDER,
        "flatten": "flat text left",
        "close": _ORDER,
        "move-stop": _ORDER,
        "reset-drawdown": _ORDER,
        "acknowledge": _ORDER,
        "stop": _ORDER,
        "resolve": _ORDER,
        "why": "run refusals bars unjudged",
        "audit": (
            "run_id run recorded_by inputs decisions agree first_difference first_decision changed findings pruned_before_seq "
            "states states_agree reworded older_rules agrees"
        ),
        "report": "mode account server currency runs performance by_pair by_hour by_confidence by_exit results refusals errors",
        "restart": "before after pid",
        "set": "changed running text",
        "backtest": (
            f"report {_RESULT} label pairs from_utc_ns to_utc_ns currency start_money complete ended path strategy "
            "code_version bars bars_fed elapsed_s bars_per_s settings_changed figures months pair_figures equity findings notes "
            "paths same_trades"
        ),
        "doctor": "verdict running findings",
        "gateway": "address port module child_pid",
        **{f"terminal {action}": _ORDER for action in _TERMINAL.split()},
        "data import": "store files",
        "data verify": "ok files",
        "data list": "files",
        "data download": "store pairs",
        "check lookahead": _CHECK,
        "check warmup": _CHECK,
        "optimize": "finished goal trials judged best neighbours falls standing luck days walked page study",
        "compile": "compiled folder took_s",
        "selftest": "ok wrong elapsed_s digest signals trades refusals made_by",
        "whatif": (
            "label from_utc_ns to_utc_ns complete bars elapsed_s currency changes begin as_is changed same_trades "
            "equity_end_money difference_money figures decisions exits positions only_as_is only_changed reality notes"
        ),
        "service": "action home",
    }.items()
}
"""By command. `init` prints `settings` or `strategy`; `status` prints `running` and `last` alone where no engine runs; `set KEY`
without a value prints the asked parameters by their own keys."""
