"""A gateway on loopback for an engine on the same machine: `python -P -m core.brokers.mt5.gateway HOST [ARGUMENT...]`.

The token comes in the environment; one line of JSON on stdout says the port, or why there is none; the end of stdin is the end.
For operators there is `quarterdeck gateway`.
"""

from __future__ import annotations

import asyncio
import os
import sys

import msgspec

from quarterdeck.core.brokers.mt5.gateway.gateway_protocol import ChildFailed
from quarterdeck.core.brokers.mt5.gateway.gateway_server import GatewayOptions
from quarterdeck.core.brokers.mt5.gateway.gateway_token import TOKEN_VARIABLE
from quarterdeck.core.brokers.mt5.gateway.serve import GatewayListening, serve_gateway
from quarterdeck.core.brokers.mt5.policy import Secret
from quarterdeck.core.clock.wall import WallClock
from quarterdeck.core.model.errors import QuarterdeckError
from quarterdeck.core.settings.version import code_version


def _say(word: GatewayListening | ChildFailed) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(word) + b"\n")
    sys.stdout.buffer.flush()


def main() -> int:
    """Serve until the parent closes our input."""
    token = Secret(os.environ.pop(TOKEN_VARIABLE, ""))
    options = GatewayOptions(host="127.0.0.1", port=0, token=token, version=code_version())
    try:
        asyncio.run(serve_gateway(options, tuple(sys.argv[1:]), WallClock(), _say, end_with_parent=True))
    except QuarterdeckError as error:
        _say(ChildFailed(str(error), error.what_to_do))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
