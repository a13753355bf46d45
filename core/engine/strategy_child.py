"""The process of a strategy of the operator's own: loads the file, answers one question after the other, dies with the engine.

Promises: what the strategy prints goes to stderr, which the engine reads into its log; the end of input is the end of the
process, also while the strategy runs; a question that takes longer than its limit ends the process with a traceback of where it
was; memory beyond the limit is refused by the system. Does not: hold anything between two questions.
Run as `python -m core.engine.strategy_child MEGABYTES`.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from quarterdeck.core.engine import strategy_messages as wire
from quarterdeck.core.engine.memory_limit import limit_memory
from quarterdeck.core.model.errors import SettingsError
from quarterdeck.core.pipes.framing import ChildPipe
from quarterdeck.core.scan.scan_request import answer_request, decode_request
from quarterdeck.core.strategy.strategy_loader import LoadedStrategy, load_strategy
from quarterdeck.core.strategy.strategy_proxy import strategy_declaration

_WAITING_MAX = 4


def main(arguments: Sequence[str]) -> int:
    """Serve until the engine closes the pipe."""
    pipe = ChildPipe()
    faulthandler.enable()
    waiting: queue.Queue[wire.ToChild] = queue.Queue(_WAITING_MAX)
    threading.Thread(target=_take, args=(pipe, waiting), daemon=True, name="engine's questions").start()
    first = waiting.get()
    if not isinstance(first, wire.LoadStrategy):
        return 1
    limit_memory(int(arguments[0]))
    try:
        loaded = load_strategy(first.settings, Path(first.home))
    except SettingsError as error:
        _send(pipe, wire.StrategyLoadError(error=str(error), what_to_do=error.what_to_do))
        return 0
    _send(pipe, strategy_declaration(loaded))
    while True:
        asked = waiting.get()
        if isinstance(asked, wire.StrategyQuestion):
            _send(pipe, _answer(loaded, asked))


def _answer(loaded: LoadedStrategy, asked: wire.StrategyQuestion) -> wire.StrategyAnswer:
    look = decode_request(asked.look)
    faulthandler.dump_traceback_later(asked.limit_s, exit=True)
    found = answer_request(loaded, look)
    faulthandler.cancel_dump_traceback_later()
    return wire.StrategyAnswer(number=asked.number, found=found)


def _take(pipe: ChildPipe, waiting: queue.Queue[wire.ToChild]) -> None:
    """Read questions as they come: whatever the strategy does, the end of the engine is noticed."""
    while True:
        data = pipe.receive()
        if data is None:
            # the engine is gone: nobody waits for what may still run
            os._exit(0)
        waiting.put(wire.decode_for_child(data))


def _send(pipe: ChildPipe, message: wire.FromChild) -> None:
    pipe.send(wire.encode(message))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
