"""The maintained package of that interface, under the name that programs import."""

from pandas_ta_classic import *  # noqa: F403
