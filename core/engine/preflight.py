"""Whether an engine could start: settings, strategy and the way to the broker, without starting anything.

Why: a restart that ends an engine before it knows that the next can begin leaves positions to nobody.
Promises: nothing is traded, locked or written; a terminal is asked for its version alone; what was opened is closed.
Does not: promise that the start succeeds; what changes in between is the start's own concern.
"""

from __future__ import annotations

import asyncio

from quarterdeck.core.brokers.base import CallNotSent, ReplyLost
from quarterdeck.core.clock.wall import Clock
from quarterdeck.core.engine.run_request import RunRequest, settings_for_run
from quarterdeck.core.engine.start_sequence import StepReporter
from quarterdeck.core.engine.strategy_supervision import strategy_for_run
from quarterdeck.core.model.errors import BrokerError
from quarterdeck.core.settings.home import Home
from quarterdeck.core.settings.schema import Settings
from quarterdeck.core.settings.secrets import read_secrets


async def check_start(wish: RunRequest, clock: Clock, on_step: StepReporter) -> None:
    """Check all that a start needs first. Raises the QuarterdeckError that the start would end with."""
    on_step("checking settings")
    settings = settings_for_run(wish).settings
    read_secrets(wish.home.secrets)
    on_step(f"checking the strategy {settings.strategy.file or settings.strategy.name}")
    _, apart = await strategy_for_run(settings, wish.home.root, clock)
    if apart is not None:
        await apart.stop()
    if settings.desk.mode != "simulated" and settings.account.gateway and not wish.replay and not wish.crash:
        await _reached(settings, wish.home, clock, on_step)


async def _reached(settings: Settings, home: Home, clock: Clock, on_step: StepReporter) -> None:
    """A terminal behind a gateway answers. One on this machine is the running engine's own, and is left to it."""
    from quarterdeck.core.brokers.mt5.terminal_choice import open_terminal

    on_step(f"checking the way to {settings.account.gateway}")
    terminal = open_terminal(settings, home.root, clock)
    limit_s = settings.engine.broker_start_timeout_s
    try:
        async with asyncio.timeout(limit_s):
            await terminal.call("version")
    except (ReplyLost, CallNotSent) as error:
        raise BrokerError(str(error), what_to_do=error.what_to_do) from error
    except TimeoutError as error:
        raise BrokerError(f"The terminal did not answer within {limit_s:g} s", what_to_do="see `quarterdeck doctor`") from error
    finally:
        await terminal.close()
