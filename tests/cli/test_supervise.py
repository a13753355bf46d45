"""What the Windows task runs: a crash starts the engine again, a stop and a hopeless start end it."""

from __future__ import annotations

import pytest

from quarterdeck.cli.start_record import EXIT_RESTART
from quarterdeck.cli.supervise import FINAL_CODES, PAUSES_S, keep_running


class HandClock:
    """Monotonic seconds that a test moves."""

    now_s = 0.0

    def monotonic_s(self):
        return self.now_s

    def utc_ns(self):
        return 0


def kept(codes, lasted_s=1.0):
    clock, pauses, runs = HandClock(), [], iter(codes)

    def started(_arguments):
        clock.now_s += lasted_s
        return next(runs)

    return keep_running(("run",), started=started, sleep=pauses.append, clock=clock), pauses


@pytest.mark.parametrize("code", FINAL_CODES)
def test_an_end_that_another_start_cannot_change_is_final(code):
    assert kept([code]) == (code, [])


def test_a_crash_starts_the_engine_again_after_growing_pauses():
    crashes = [1, -9, 0xC0000005, 5, 10, 1, 1, 1]
    assert kept([*crashes, 0]) == (0, [*PAUSES_S, PAUSES_S[-1]])


def test_a_long_run_makes_the_next_pause_short_again():
    assert kept([1, 1, 1, 0], lasted_s=601.0) == (0, [PAUSES_S[0]] * 3)


def test_an_asked_restart_is_made_at_once():
    assert kept([EXIT_RESTART, EXIT_RESTART, 0]) == (0, [])
