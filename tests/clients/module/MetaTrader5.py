"""The simulated terminal under the name that programs import."""

from tests.core.brokers.simulator.kit import Desk

DESK = Desk("EURUSD", "USDJPY")
_module = DESK.mt
globals().update({name: getattr(_module, name) for name in dir(_module) if not name.startswith("_")})
__version__, __author__ = _module.__version__, _module.__author__
