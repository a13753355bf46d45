"""The command `quarterdeck`: which subcommands there are, and how each ends.

Promises: `--help` imports no subcommand; whatever an operator can repair ends in one line on stderr and the exit code of its kind
(`core.model.errors`); Ctrl-C ends with 130. Only a bug shows a traceback, with exit code 1.
"""

from __future__ import annotations

from quarterdeck.cli.program_entry import EXIT_INTERRUPTED, exit_on_interrupt, raise_on_interrupt, speak_utf8

if __name__ == "__main__":
    speak_utf8()
    exit_on_interrupt()  # before all that takes time to import

# isort: split
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from quarterdeck.cli.renamed_options import with_current_words
from quarterdeck.core.model.errors import InvariantError, QuarterdeckError, StorageError, UsageError
from quarterdeck.core.model.plain_text import plain_text

PROGRAM = "quarterdeck"
_LETTERS_MAX = 10_000
"""Of an error, shown."""


class Subcommand(NamedTuple):
    """Where a subcommand's `command` function stands, its purpose in one line, and its parts where it is a `GROUP` of several."""

    module: str
    purpose: str
    parts: tuple[str, ...] = ()


SUBCOMMANDS: dict[str, Subcommand] = {
    "init": Subcommand("quarterdeck.cli.init", "Write a fresh settings.toml into the home folder."),
    "run": Subcommand("quarterdeck.cli.run", "Open the desk, with a screen or without one."),
    "monitor": Subcommand("quarterdeck.cli.monitor", "Attach a screen to the running engine."),
    "status": Subcommand("quarterdeck.cli.status", "Show the engine's state; the exit code says whether all is well."),
    "pause": Subcommand("quarterdeck.cli.pause", "Stop new entries; open positions are still managed."),
    "resume": Subcommand("quarterdeck.cli.resume", "Allow entries again after your pause or flatten."),
    "flatten": Subcommand("quarterdeck.cli.flatten", "Close every position of this desk, verified at the broker."),
    "close": Subcommand("quarterdeck.cli.close", "Close one position, a part of it, or a group."),
    "move-stop": Subcommand("quarterdeck.cli.move_stop", "Set the stop of one position."),
    "reset-drawdown": Subcommand("quarterdeck.cli.reset_drawdown", "Accept the drawdown and allow entries again."),
    "acknowledge": Subcommand("quarterdeck.cli.acknowledge", "Accept what stops entries, or end reminders."),
    "stop": Subcommand("quarterdeck.cli.stop", "Stop the engine; positions are closed or kept as set."),
    "why": Subcommand("quarterdeck.cli.why", "Why the desk traded, or did not."),
    "audit": Subcommand("quarterdeck.cli.audit", "Check that a fresh desk decides the same from the journal."),
    "report": Subcommand("quarterdeck.cli.report", "Report the account's performance from the journal."),
    "restart": Subcommand("quarterdeck.cli.restart", "Restart the engine; positions are kept."),
    "set": Subcommand("quarterdeck.cli.set", "Show settings, or change them in the running engine too."),
    "resolve": Subcommand("quarterdeck.cli.resolve", "Say what became of an unconfirmed order or of money."),
    "backtest": Subcommand("quarterdeck.cli.backtest", "Trade recorded days at the machine's speed, and report."),
    "doctor": Subcommand("quarterdeck.cli.doctor", "Check the connection to the broker, with a remedy for each fault."),
    "scan": Subcommand("quarterdeck.cli.scan", "Run a scan worker for engines on other machines."),
    "bot": Subcommand("quarterdeck.cli.bot", "Obey and report to your phone, over Telegram."),
    "gateway": Subcommand("quarterdeck.cli.gateway", "Host MetaTrader 5 for an engine on another machine."),
    "terminal": Subcommand(
        "quarterdeck.cli.terminal",
        "Trade manually in a simulated terminal, to rehearse.",
        (
            *("show", "deposit", "withdraw", "credit", "charge", "cancel", "open", "close", "stop"),
            *("rename", "freeze", "specify", "commission", "disconnect"),
        ),
    ),
    "data": Subcommand(
        "quarterdeck.cli.data", "Recorded prices: import, download, verify, list.", ("import", "verify", "list", "download")
    ),
    "check": Subcommand(
        "quarterdeck.cli.check", "Check whether a strategy looks ahead or needs more warm-up.", ("lookahead", "warmup")
    ),
    "optimize": Subcommand("quarterdeck.cli.optimize", "Search settings over recorded days, judged on days it never saw."),
    "compile": Subcommand("quarterdeck.cli.compile", "Compile the desk for backtests, about twice as fast."),
    "selftest": Subcommand("quarterdeck.cli.selftest", "Check that this installation decides as it should."),
    "whatif": Subcommand("quarterdeck.cli.whatif", "Show what another setting would have done in the last days."),
    "service": Subcommand("quarterdeck.cli.service", "Install the engine as a service of the system."),
}


class LazyGroup(TyperGroup):
    """The table of subcommands; each module is imported when its command is called."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Names in the table's order."""
        return list(SUBCOMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Build the command `cmd_name`. Raises UsageError with the nearest known name."""
        if cmd_name not in SUBCOMMANDS:
            near = get_close_matches(cmd_name, SUBCOMMANDS, n=1)
            hint = f"did you mean `{PROGRAM} {near[0]}`?" if near else f"`{PROGRAM} --help` lists what there is"
            raise UsageError(f"there is no command {cmd_name!r}", what_to_do=hint)
        module = importlib.import_module(SUBCOMMANDS[cmd_name].module)
        raise_on_interrupt()
        if SUBCOMMANDS[cmd_name].parts:
            return typer.main.get_command(module.GROUP)
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name=cmd_name)(module.command)
        return typer.main.get_command(app)

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        """List the table without importing any of it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.purpose) for name, entry in SUBCOMMANDS.items()])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. Whatever it writes is this user's alone."""
    before = os.umask(0o077)
    try:
        return _run(arguments)
    finally:
        os.umask(before)


def _run(arguments: Sequence[str] | None) -> int:
    given = with_current_words(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        code = typer.main.get_command(_application()).main(given, prog_name=PROGRAM, standalone_mode=False)
    except typer.TyperException as error:
        return _usage(error)
    except QuarterdeckError as error:
        return _say(error.shown(), getattr(error, "child_exit_code", error.exit_code))
    except InvariantError as error:
        return _say(f"stopped, a promise of the program does not hold: {error}", InvariantError.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _say("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        return _unread()
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):  # typer has caught it
            return _unread()
        raise
    except OSError as error:
        if _reader_left(error):
            return _unread()
        where = f" ({error.filename})" if error.filename else ""
        return _say(f"the system refused: {error.strerror or error}{where}", StorageError.exit_code)
    if code == EXIT_INTERRUPTED:  # typer has caught Ctrl-C
        return _say("interrupted", EXIT_INTERRUPTED)
    return code if isinstance(code, int) else 0


def _application() -> typer.Typer:
    app = typer.Typer(cls=LazyGroup, add_completion=True, rich_markup_mode=None)
    app.callback(invoke_without_command=True)(_top)
    return app


def _top(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version and end.", is_eager=True)] = False
) -> None:
    """A forex trading desk in a terminal.

    `quarterdeck run` opens it on a simulated market; `--help` after a command explains it.
    """
    if version:
        from quarterdeck.core.settings.version import code_version

        print(f"{PROGRAM} {code_version()}")
        raise typer.Exit


def _reader_left(error: OSError) -> bool:
    """Windows reports a pipe without a reader as "invalid argument"."""
    return sys.platform == "win32" and error.errno == errno.EINVAL and error.filename is None and not sys.stdout.isatty()


def _unread() -> int:
    """The reader of our output has had enough; say nothing, not even when the interpreter flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _usage(error: typer.TyperException) -> int:
    text = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else PROGRAM
    return _say(f"{' '.join(text.split()).rstrip('.')}; see `{path} --help`", UsageError.exit_code)


def _say(text: str, code: int) -> int:
    if len(text) > _LETTERS_MAX:  # a word of the command line may be endless; the remedy stands last
        text = f"{text[: _LETTERS_MAX // 2]} ... {text[-_LETTERS_MAX // 2 :]}"
    print(f"{PROGRAM}: {plain_text(text)}", file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
