"""The module in a real gateway's child: forwards each call to the terminal of a simulated week, after saying whose process it is."""

from __future__ import annotations

import os
import sys

from quarterdeck.core.brokers.mt5.gateway.module_loader import HostedModule
from tests.core.brokers.mt5.gateway.far_child import Forwarder, send

HOST = "tests.sim.gateway_child:make"


def make(arguments: list[str]) -> HostedModule:
    """The host that the child loads; its argument is the port of the terminal."""
    # a terminal that hangs up on a call is a blow of the test, not news for its output
    sys.excepthook = lambda kind, error, trace: (
        None if kind in (EOFError, BrokenPipeError) else sys.__excepthook__(kind, error, trace)
    )
    module = Forwarder(int(arguments[0]))
    send(module._line, os.getpid())
    return HostedModule(module=module, name="week", version="1")
