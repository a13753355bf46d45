"""What a home knows of an account: a real one that it never traded wants the operator's decision."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.engine.recovery import confirm_real_account
from quarterdeck.core.journal.journal_store import NewRun
from quarterdeck.core.journal.tape_reader import TAPE_VERSION
from quarterdeck.core.journal.writer import JournalWriter
from quarterdeck.core.model.broker_account import Account
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.settings.settings_loader import shipped_settings

REAL = Account(
    login=77,
    server="Broker-Real",
    mode="real",
    currency="USD",
    currency_digits=2,
    leverage=30,
    hedging=True,
    balance_money=1_000.0,
)


def journal(home: Path, *traded: Account) -> Path:
    path = home / "journal.sqlite"
    writer = JournalWriter(path, shipped_settings().journal, clock=WallClock(), durable=False, threaded=False)
    for account in traded:
        writer.begin_run(
            NewRun(
                run_id="r",
                mode=account.mode,
                account=account.login,
                server=account.server,
                code_version="test",
                started_utc_ns=1,
                tape_version=TAPE_VERSION,
            )
        )
        writer.end_run("over")
    writer.close()
    return path


def test_first_start_on_real_account_is_refused_and_explained(tmp_path: Path) -> None:
    with pytest.raises(BrokerError) as caught:
        confirm_real_account(journal(tmp_path), REAL, yes_real=0)
    assert "--yes-real 77" in caught.value.one_line()


def test_a_yes_for_another_login_is_none(tmp_path: Path) -> None:
    with pytest.raises(BrokerError):
        confirm_real_account(journal(tmp_path), REAL, yes_real=78)
    confirm_real_account(journal(tmp_path), REAL, yes_real=77)


def test_an_account_traded_before_passes_but_not_its_demo_twin(tmp_path: Path) -> None:
    demo = msgspec.structs.replace(REAL, mode="demo")
    with pytest.raises(BrokerError):
        confirm_real_account(journal(tmp_path, demo), REAL, yes_real=0)
    confirm_real_account(journal(tmp_path, demo), demo, yes_real=0)
    confirm_real_account(journal(tmp_path, REAL), REAL, yes_real=0)
