"""The child process: owns the module, makes one call after the other, and dies with its front.

Promises: results are plain data; the end of input is the end of the process; what a front asked for before it died does not
enter after it (where the system tells: not on Windows). Does not: bound a call in time; whoever started this process kills it.
Run as `python -m core.brokers.mt5.gateway.terminal_child HOST [ARGUMENT...]`; hosts are named in `module_loader`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence

from quarterdeck.core.brokers.base import CallReply
from quarterdeck.core.brokers.mt5.gateway import gateway_protocol
from quarterdeck.core.brokers.mt5.gateway.allowed_calls import TERMINAL_ACTION, problem_with
from quarterdeck.core.brokers.mt5.gateway.module_loader import HostedModule, hosted
from quarterdeck.core.brokers.mt5.in_process_terminal import InProcessTerminal
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.pipes.framing import ChildPipe


def main(arguments: Sequence[str]) -> int:
    """Serve until the front closes the pipe."""
    # Ctrl-C reaches the whole console; the front decides what it means
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    front = os.getppid()
    pipe = ChildPipe()
    try:
        host = hosted(arguments[0], list(arguments[1:]))
    except QuarterdeckError as error:
        pipe.send(gateway_protocol.encode(gateway_protocol.ChildFailed(str(error), error.what_to_do)))
        return error.exit_code
    terminal = InProcessTerminal(host.module)
    pipe.send(gateway_protocol.encode(gateway_protocol.ChildReady(host.name, host.version)))
    while True:
        data = pipe.receive()
        if data is None or os.getppid() != front:
            # a frozen process may thaw long after an order was proven absent
            break
        ask = gateway_protocol.from_client(data)
        if isinstance(ask, gateway_protocol.CallBatch):
            replies = tuple(_made(terminal, host, call.name, call.args, call.kwargs) for call in ask.calls)
            pipe.send(
                gateway_protocol.encode(gateway_protocol.CallResult(ask.id, "ok", gateway_protocol.encode_replies(replies)))
            )
    host.module.shutdown()
    return 0


def _made(
    terminal: InProcessTerminal, host: HostedModule, name: str, args: tuple[object, ...], kwargs: dict[str, object]
) -> CallReply:
    wrong = problem_with(name, args, kwargs)
    if wrong:
        return CallReply(None, -2, wrong)
    host.before_call()
    reply = _acted(host, str(args[0])) if name == TERMINAL_ACTION else terminal.call_now(name, args, kwargs)
    delay_s = host.after_call()
    if delay_s > 0.0:
        time.sleep(delay_s)
    return reply


def _acted(host: HostedModule, action: str) -> CallReply:
    """What the operator did in a simulated terminal, in words; an error where it cannot be done or nothing is simulated."""
    if host.act is None:
        return CallReply(None, -2, f"this gateway hosts {host.name}; only a simulated terminal takes such commands")
    try:
        return CallReply(host.act(action), 1, "Success")
    except QuarterdeckError as error:
        return CallReply(None, -2, "; ".join(filter(None, (str(error), error.what_to_do))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
