"""Arbitrary answers of a strategy, each made from a number: plain ones, numpy's, and whatever Python can hold."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pandas as pd
from msgspec.structs import force_setattr

from quarterdeck.core.model.market_data import Side
from quarterdeck.core.model.signals import Check
from quarterdeck.core.strategy.interface import Decision


class Way(IntEnum):
    UP = 1


class EvilFloat(float):
    def __float__(self):
        raise RuntimeError("no float")

    def __repr__(self):
        raise RuntimeError("no words")


class EvilText(str):
    __slots__ = ()

    def __str__(self):
        return "another"

    def encode(self, *_):
        raise RuntimeError("no bytes")


class Hidden:
    def __repr__(self):
        raise RuntimeError("no words")


class Late(Decision):
    @property
    def __class__(self):
        return Decision


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


NUMBERS = (
    np.float64,
    np.float32,
    np.longdouble,
    np.array,
    lambda price: Decimal(repr(price)),
    Fraction,
    EvilFloat,
    lambda _: 1,
    lambda _: np.int16(1),
    lambda _: np.uint8(0),
)
"""Numbers of other kinds, as a price gives them."""
ODDITIES = (
    None, True, False, 0, -1, 10**400, float("nan"), float("inf"), -float("inf"), 1e308, -0.0, 1j, "", "1.1", "up", "low", "\ud800",
    "x" * 5000, b"1", (), [], {}, set(), frozenset({1}), object, Hidden(), Way.UP, Side.BUY, Side.SELL, Check("a", 1.0, None, True),
    np.bool_(True), np.bool_(False), np.int64(-1), np.nan, np.str_("low"), np.timedelta64(5, "ns"), np.datetime64("2024-01-01"),
    np.complex128(1), np.array([1.0]), np.array([]), np.array(["a"]), np.array(None), np.ma.masked, np.void(b"ab"),
    pd.NA, pd.NaT, pd.Timestamp("2024-01-01"), pd.Series([1.0]), Decimal("NaN"), Decimal("sNaN"), Decimal("1e999"),
    Fraction(10**400, 1), dt.timedelta(1), EvilText("low"), (x for x in ()), lambda: 1, Decision(), NotImplemented, ...,
)  # fmt: skip
ERRORS = (
    ValueError("no"),
    Unspeakable(),
    SystemExit(3),
    GeneratorExit(),
    StopIteration(),
    RecursionError("deep"),
    OSError(2, "\ud800"),
)
VOTES = (
    lambda odd, price: (Check("a", np.float64(price), np.int64(1), np.bool_(True)),),
    lambda odd, price: [Check("a", float("nan"), None, True, "n" * 999)],
    lambda odd, price: (Check(odd, odd, odd, odd, odd),),
    lambda odd, price: (Check("a", odd, None, True),),
    lambda odd, price: (Check("\udfff", None, odd, True, "\udfff"),),
    lambda odd, price: (odd,),
    lambda odd, price: (Check("a", 1.0, None, True),) * 5000,
    lambda odd, price: odd,
)
_FIELDS = ("side", "entry_price", "stop_price", "target_price", "confidence", "exit_now", "regime", "h1_trend", "m15_state")


def answer(number, price):
    """What `decide` answers; raises for some numbers."""
    dice = random.Random(number)
    kind = dice.random()
    if kind < 0.05:
        raise dice.choice(ERRORS)
    if kind < 0.15:
        return dice.choice(ODDITIES)
    side = dice.choice((Side.BUY, Side.SELL))
    fields = {
        "side": side,
        "entry_price": price,
        "stop_price": price - side * 0.01,
        "target_price": price + side * 0.02,
        "confidence": dice.choice((0.9, 0.0, 1.0, 0.5)),
    }
    made = (Late if dice.random() < 0.05 else Decision)(**fields)
    for _ in range(dice.choice((0, 1, 1, 1, 2))):
        name = dice.choice(_FIELDS)
        value = dice.choice(NUMBERS)(fields[name]) if name in fields and dice.random() < 0.4 else dice.choice(ODDITIES)
        force_setattr(made, name, value)
    if dice.random() < 0.3:
        force_setattr(made, "votes", dice.choice(VOTES)(dice.choice(ODDITIES), price))
    return made


def candidates(number, bars):
    """What `candidates` answers."""
    dice = random.Random(number)
    found = np.ones(bars, np.bool_)
    if dice.random() < 0.2:
        return dice.choice(ODDITIES)
    return dice.choice(
        (
            lambda: found,
            found.tolist,
            lambda: tuple(found.tolist()),
            lambda: pd.Series(found),
            lambda: pd.Series(found).shift(1),
            lambda: pd.Series(found).shift(1, fill_value=False),
            lambda: pd.array(found, dtype="boolean"),
            lambda: pd.Series(found).astype("boolean").shift(1),
            lambda: found.astype(float),
            lambda: np.where(found, 1.0, np.nan),
            lambda: found.astype(int),
            lambda: found.astype(object),
            lambda: found.astype(str),
            lambda: np.ma.array(found, mask=~found),
            lambda: found[:-1],
            lambda: np.append(found, True),
            lambda: found[:, None],
            lambda: np.flatnonzero(found),
            lambda: found[0],
            lambda: [[True], True],
            lambda: {"rows": found},
            lambda: (at for at in found),
            lambda: np.asmatrix(found),
        )
    )()
