"""`quarterdeck run`: open the desk, with a screen or without one, on the simulated market, recorded days, or an account.

With a screen the engine is a process of its own, so that neither a lost line nor a crashed screen stops it; a home whose engine
runs already is attached to. Without a terminal the run continues headless and says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quarterdeck.cli.option_parsing import (
    CRASH,
    is_example,
    parse_days,
    parse_pairs,
    parse_rates,
    parse_replay,
    parse_settings,
    parse_speed,
)
from quarterdeck.cli.options import FaultOption, FromOption, HomeOption, JsonOption, PairsOption, RateOption, SetOption, ToOption
from quarterdeck.cli.output import has_terminal, warn
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.journal.heartbeat import last_word, read_heartbeat
from quarterdeck.core.model.errors import AlreadyRunningError, QuarterdeckError, UsageError
from quarterdeck.core.settings.home import Home, resolve_home

if TYPE_CHECKING:
    from quarterdeck.core.engine.run_request import RunRequest


def command(
    no_ui: Annotated[bool, typer.Option("--no-ui", help="Without a screen, in this process; a supervisor may watch it.")] = False,
    in_process: Annotated[bool, typer.Option("--in-process", help="Screen and engine in one process, ending together.")] = False,
    replay: Annotated[
        list[str] | None,
        typer.Option(
            "--replay",
            metavar="FOLDER|example|crash",
            help="Trade recorded days; may be repeated. Or the built-in example, or the crash.",
        ),
    ] = None,
    first: FromOption = None,
    last: ToOption = None,
    pairs: PairsOption = None,
    speed: Annotated[
        str | None,
        typer.Option("--speed", metavar="N|max", help="Times real time. [as in settings; a replay without a screen: max]"),
    ] = None,
    rate: RateOption = None,
    values: SetOption = None,
    fault: FaultOption = None,
    yes_real: Annotated[int, typer.Option("--yes-real", metavar="LOGIN", min=0, help="Allow trading this real account.")] = 0,
    check: Annotated[
        bool, typer.Option("--check", help="Check settings, strategy and the connection to the broker; start nothing.")
    ] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open the desk.

    Without options it trades the simulated market that the settings describe, or the account that they name. Replays take UTC
    days, both inclusive; the warm-up comes from before the first. `--replay example` is a built-in history of simulated prices,
    `--replay crash` is sterling's night of 2016-10-06, scripted over the simulated market (`--replay ./crash` is a folder of that
    name). `--fault` makes the simulated terminal misbehave, on the simulated market and in replays, the same for the same seed:
    see docs/metatrader5.md.
    """
    _check(no_ui=no_ui, in_process=in_process, replay=replay or [], of_replay=bool(first or last or rate))
    from quarterdeck.core.engine.run_request import RunRequest

    crash, folders = parse_replay(replay or [])
    where, wanted, traded = resolve_home(home), parse_settings(values or []), parse_pairs(pairs) if pairs is not None else ()
    if is_example(replay or []):
        from quarterdeck.cli.default_prices import named_example

        folders = (named_example(where, None, [*wanted, *((("desk.pairs", list(traded)),) if traded else ())]),)
    wish = RunRequest(
        home=where,
        values=wanted,
        pairs=traded,
        replay=folders,
        crash=crash,
        from_day=parse_days(first, last)[0],
        to_day=parse_days(first, last)[1],
        speed=None if speed is None else parse_speed(speed),
        speed_given=speed is not None,
        rates=parse_rates(rate or []),
        faults=tuple(fault or ()),
        yes_real=yes_real,
    )
    if check:
        from quarterdeck.cli.headless import check_here

        raise typer.Exit(check_here(wish))
    if not no_ui and not has_terminal():
        warn("no terminal here: continuing without a screen")
        no_ui = True
    raise typer.Exit(_run(wish, no_ui=no_ui, in_process=in_process, as_json=as_json))


def _run(wish: RunRequest, *, no_ui: bool, in_process: bool, as_json: bool) -> int:
    """Run to the end; an engine that does not start says what its home's last one left open, which nothing manages now."""
    try:
        return _shown(wish, no_ui=no_ui, in_process=in_process, as_json=as_json)
    except QuarterdeckError as error:
        if not (wish.replay or wish.crash or isinstance(error, AlreadyRunningError)):
            _say_what_is_open(error, wish.home)
        raise


def _say_what_is_open(error: QuarterdeckError, home: Home) -> None:
    beat = read_heartbeat(home.heartbeat)
    if beat is not None and beat.positions and beat.mode not in ("replay", "simulated"):
        word = last_word(beat, WallClock().utc_ns())
        error.what_to_do = f"{error.what_to_do}; {word}" if error.what_to_do else word


def _shown(wish: RunRequest, *, no_ui: bool, in_process: bool, as_json: bool) -> int:
    """Run without a screen, with one in this process, or with one over a process of the engine's own."""
    if no_ui:
        from quarterdeck.cli.headless import run_headless

        return run_headless(wish, as_json=as_json)
    if in_process:
        from quarterdeck.cli.screen_in_process import screen_in_process

        return screen_in_process(wish, as_json=as_json)
    from quarterdeck.cli.screen_attached import screen_with_engine

    return screen_with_engine(wish, as_json=as_json)


def _check(*, no_ui: bool, in_process: bool, replay: list[str], of_replay: bool) -> None:
    if no_ui and in_process:
        raise UsageError("--no-ui has no screen to share a process with", what_to_do="leave --in-process out")
    if of_replay and (not replay or CRASH in replay):
        raise UsageError("--from, --to and --rate belong to a replay of recorded days", what_to_do="add --replay FOLDER")
