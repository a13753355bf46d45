"""systemd is informed of readiness and life through the socket that it names, and nobody else through it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from quarterdeck.core.engine.systemd_notify import SystemdNotifier

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such supervisor")


@pytest.fixture
def listener(tmp_path: Path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(5.0)
        yield line


def test_words_reach_the_socket_and_the_environment_forgets_it(listener: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid()), "A": "b"}
    system = SystemdNotifier(environ)
    assert system.notify_systemd("READY=1", "STATUS=simulated market")
    assert listener.recv(200) == b"READY=1\nSTATUS=simulated market"
    assert system.every_s == 15.0
    assert environ == {"A": "b"}


async def test_signs_of_life_are_given_while_there_is_life(listener: socket.socket) -> None:
    system = SystemdNotifier({"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "20000"})
    answers, asked = [True, False, True], asyncio.Event()

    def alive() -> bool:
        if len(answers) == 1:
            asked.set()
        return answers.pop(0) if answers else False

    task = asyncio.create_task(system.watch(alive))
    await asyncio.wait_for(asked.wait(), 10.0)
    task.cancel()
    assert [listener.recv(50), listener.recv(50)] == [b"WATCHDOG=1"] * 2
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(50)


async def test_without_a_supervisor_nothing_is_said() -> None:
    system = SystemdNotifier({})
    assert not system.notify_systemd("READY=1")
    await asyncio.wait_for(system.watch(lambda: True), 5.0)


def test_other_watchdog_and_missing_socket_are_ignored(tmp_path: Path) -> None:
    system = SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"})
    assert not system.notify_systemd("READY=1")
    assert system.every_s == 0.0
