"""Proving a token without sending it: each side answers the other's number with a keyed hash of both numbers.

Why: whoever listens on the port while the gateway is down would otherwise be handed the token. Promises: neither side learns the
token from the other; a proof serves once, for one side. Does not: hide what is said afterwards (TLS does, beyond this machine).
"""

from __future__ import annotations

import hmac
import secrets
from typing import Literal

from quarterdeck.core.brokers.mt5.policy import Secret

NONCE_BYTES = 32


def new_nonce() -> bytes:
    """A number that was never used before."""
    return secrets.token_bytes(NONCE_BYTES)


def proof_of(token: Secret, side: Literal["gateway", "client"], client_nonce: bytes, front_nonce: bytes) -> bytes:
    """What the side that knows the token says to these numbers."""
    message = b"quarterdeck " + side.encode() + b"\0" + client_nonce + front_nonce
    return hmac.digest(token.reveal.encode(), message, "sha256")


def proves(given: bytes, wanted: bytes) -> bool:
    """Whether a proof is right; takes the same time whatever was given."""
    return hmac.compare_digest(given, wanted)
