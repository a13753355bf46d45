"""`quarterdeck audit`: does a fresh desk, fed with the tape alone, decide the same?"""

from __future__ import annotations

import sys
from typing import Annotated

import msgspec
import typer

from quarterdeck.cli.option_parsing import parse_settings
from quarterdeck.cli.options import HomeOption, JsonOption, SetOption
from quarterdeck.cli.output import print_json
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.effects import Effect
from quarterdeck.core.model.errors import CheckFailedError
from quarterdeck.core.model.inputs import SequencedInput, SettingsChanged, Started
from quarterdeck.core.settings.home import resolve_home
from quarterdeck.core.settings.settings_loader import Tree, settings_from_tape, validated, with_values
from quarterdeck.core.study.audit import AuditedDesk, DeskFactory, audit


def command(
    number: Annotated[
        int | None, typer.Option("--run", metavar="N", min=1, help="Another run of the journal. [the last]")
    ] = None,
    values: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Feed the tape of a run to a fresh desk, from the journal alone, and compare every decision.

    Ends with 0 when all agree and the tape is complete, else with 9. A run that an older version recorded by older rules ends
    with 0 when its tape is complete; decisions that today's rules change are listed. With --set the fresh desk gets other
    settings: the first difference is then the first decision that they change.
    """
    changes = parse_settings(values or [])
    factory: DeskFactory = (lambda: _OtherDesk(Desk(), changes)) if changes else Desk
    result = audit(
        resolve_home(home).journal,
        factory,
        run=number,
        other_settings=bool(changes),
        progress=_progress if sys.stderr.isatty() else None,
    )
    for line in result.lines():
        print(line)
    if as_json:
        print_json(result.fields())
    if not result.agrees:
        raise CheckFailedError(f"the audit found differences in run {result.run}")


class _OtherDesk:
    """A desk that gets other settings than the tape holds; all else passes through."""

    def __init__(self, desk: AuditedDesk, changes: tuple[tuple[str, object], ...]) -> None:
        self._desk = desk
        self._changes = changes

    def on(self, stamped: SequencedInput) -> tuple[Effect, ...]:
        told = stamped.input
        if isinstance(told, Started | SettingsChanged):
            stamped = msgspec.structs.replace(stamped, input=msgspec.structs.replace(told, settings=self._changed(told.settings)))
        return self._desk.on(stamped)

    def checkpoint(self) -> bytes:
        return self._desk.checkpoint()

    def _changed(self, raw: msgspec.Raw) -> msgspec.Raw:
        tree: Tree = msgspec.to_builtins(settings_from_tape(bytes(raw)))
        return msgspec.Raw(msgspec.msgpack.encode(validated(with_values(tree, self._changes), "--set")))


def _progress(done: int, of: int) -> None:
    print(f"\r{done:,} of {of:,} inputs", end="\n" if done >= of else "", file=sys.stderr, flush=True)
