"""Prices in JSON as a table of text, so that there is one reader of columns: lists of rows, lists of records, OANDA's candles.

Promises: figures keep the letters they are written with; an unfinished candle is left out.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quarterdeck.core.data.text import whole_text
from quarterdeck.core.model.errors import UNREADABLE, DataError

_KNOWN = "lists of rows or records and OANDA's candles are, and answers of Dukascopy's feed; or export it as CSV"


def json_value(path: Path) -> Any:
    """The value that a file holds, figures as they are written.

    Raises:
        DataError: when it is no JSON.
    """
    try:
        return json.loads(whole_text(path), parse_float=str, parse_int=str)
    except UNREADABLE as error:
        raise DataError(f"{path}: no JSON: {error}", what_to_do=_KNOWN) from error


def json_pieces(path: Path) -> Iterator[bytes]:
    """The rows of a file as comma separated text.

    Raises:
        DataError: when it holds no rows of a known kind.
    """
    value = json_value(path)
    rows = _rows(value)
    if not rows:
        what = f"{path}: layout not recognised: this JSON holds no rows of prices"
        raise DataError(what, what_to_do=_KNOWN)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    yield text.getvalue().encode()


def _rows(value: Any) -> list[list[str]]:
    if isinstance(value, dict) and isinstance(value.get("candles"), list):
        named = {"instrument": value["instrument"]} if isinstance(value.get("instrument"), str) else {}
        value = [{**named, **_flat(candle)} for candle in value["candles"] if isinstance(candle, dict) and _complete(candle)]
    if isinstance(value, dict):
        columns = [column for column in value.values() if isinstance(column, list)]
        if len(columns) < 3 or len(columns) != len(value) or len({len(column) for column in columns}) != 1:
            return []
        return [list(value), *([str(cell) for cell in row] for row in zip(*columns, strict=True))]
    if not isinstance(value, list) or not value:
        return []
    if all(isinstance(row, list) for row in value):
        return [[str(cell) for cell in row] for row in value]
    if not all(isinstance(row, dict) for row in value):
        return []
    records = [_flat(row) for row in value]
    names = list(records[0])
    return [names, *([str(record.get(name, "")) for name in names] for record in records)]


def _complete(candle: dict[str, Any]) -> bool:
    return candle.get("complete", True) is not False


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": part for inner, part in value.items()}
        else:
            flat[name] = value
    return flat
