"""Whole messages or none, whatever a child prints, and its end reported as what it is."""

from __future__ import annotations

import asyncio
import struct
import sys

import pytest

from quarterdeck.core.pipes.framing import FRAME_BYTES_MAX, MalformedMessage, pack_frame, read_frame
from tests.conftest import CHECKOUT

pytestmark = [pytest.mark.processes]
ECHO = """
import subprocess, sys
from quarterdeck.core.pipes.framing import ChildPipe
pipe = ChildPipe()
print("words of whoever prints")
subprocess.run([sys.executable, "-c", "print('a grandchild'); import sys; sys.stdout.write(repr(sys.stdin.read()))"])
while (data := pipe.receive()) is not None:
    pipe.send(data[::-1])
print("the end of the pipe")
"""


async def echo():
    return await asyncio.create_subprocess_exec(sys.executable, "-c", ECHO, stdin=-1, stdout=-1, stderr=-1, cwd=CHECKOUT)


async def test_whole_messages_pass_and_what_is_printed_goes_elsewhere():
    process = await echo()
    for message in (b"x", b"abc" * 100_000, bytes(range(256))):
        process.stdin.write(pack_frame(message)[:3])
        await process.stdin.drain()
        process.stdin.write(pack_frame(message)[3:])
        assert await read_frame(process.stdout) == message[::-1]
    process.stdin.close()
    printed = await process.stderr.read()
    assert {b"words of whoever prints", b"a grandchild", b"''the end of the pipe"} <= set(printed.splitlines())
    assert await process.stdout.read() == b""
    assert await process.wait() == 0


async def test_the_end_of_a_child_is_no_message():
    process = await echo()
    process.stdin.write(pack_frame(b"half of it")[:7])
    process.stdin.close()
    with pytest.raises(EOFError):
        await read_frame(process.stdout)
    assert await process.wait() == 0
    await process.stderr.read()
    with pytest.raises(EOFError):
        await read_frame(None)


@pytest.mark.parametrize("length", [0, FRAME_BYTES_MAX + 1, 0xFFFFFFFF])
async def test_a_length_that_cannot_be_is_not_waited_for(length):
    source = asyncio.StreamReader()
    source.feed_data(struct.pack(">I", length))
    with pytest.raises(MalformedMessage, match="bytes"):
        await read_frame(source)
