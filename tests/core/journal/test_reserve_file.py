"""The reserve keeps whole records through a crash and takes no new room."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quarterdeck.core.journal.reserve_file import ReserveFile, ReserveRecord
from quarterdeck.core.model.errors import StorageError

ONE = ReserveRecord(1, 5, 123, b"input", (b"a", b"bb"))
TWO = ReserveRecord(1, 6, 124, b"other", ())


def test_records_come_back_in_order_after_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "reserve"
    reserve = ReserveFile(path, 65_536)
    assert reserve.record([ONE])
    reserve.close()
    again = ReserveFile(path, 65_536)
    assert again.record([TWO])
    assert again.read() == (ONE, TWO)
    assert path.stat().st_size == 65_536
    again.clear()
    assert again.read() == ()
    again.close()


@given(cut=st.integers(0, 200))
def test_a_torn_record_is_left_out(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("torn") / "reserve"
    reserve = ReserveFile(path, 1_024)
    reserve.record([ONE])
    reserve.record([TWO])
    reserve.close()
    content = path.read_bytes()
    path.write_bytes(content[:cut] + bytes(len(content) - cut))
    again = ReserveFile(path, 1_024)
    assert again.read() == (ONE, TWO)[: len(again.read())]
    assert again.record([TWO])
    assert again.read()[-1] == TWO
    again.close()


def test_what_does_not_fit_is_refused_and_the_rest_stays(tmp_path: Path) -> None:
    reserve = ReserveFile(tmp_path / "reserve", 100)
    assert reserve.record([ONE])
    assert not reserve.record([ReserveRecord(1, 7, 1, b"x" * 100, ())])
    assert reserve.read() == (ONE,)
    reserve.close()


def test_a_reserve_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be allocated"):
        ReserveFile(tmp_path / "nowhere" / "reserve", 100)
