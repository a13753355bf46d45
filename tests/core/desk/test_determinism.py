"""The same tape gives the same decisions in another process, with another hash seed, also from a checkpoint half-way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.inputs import Restored, SequencedInput
from tests.core.desk.chaos import Chaos
from tests.core.desk.playbook import Play

CHECKOUT = Path(__file__).resolve().parents[3]
OTHER_PROCESS = """
import hashlib, sys, msgspec
from quarterdeck.core.desk.desk import Desk
from quarterdeck.core.model.inputs import SequencedInput
tape = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=list[SequencedInput])
desk, digest = Desk(), hashlib.sha256()
for stamped in tape:
    for effect in desk.on(stamped):
        digest.update(msgspec.msgpack.encode(effect))
print(digest.hexdigest(), hashlib.sha256(desk.checkpoint()).hexdigest())
"""


def decided(desk: Desk, tape: list[SequencedInput]) -> str:
    digest = hashlib.sha256()
    for stamped in tape:
        for effect in desk.on(stamped):
            digest.update(msgspec.msgpack.encode(effect))
    return f"{digest.hexdigest()} {hashlib.sha256(desk.checkpoint()).hexdigest()}"


def elsewhere(tape: list[SequencedInput], hash_seed: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS],
        input=msgspec.msgpack.encode(tape),
        capture_output=True,
        check=True,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    return run.stdout.decode().strip()


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_another_process_decides_the_same(hash_seed: str) -> None:
    chaos = Chaos(Play(run_id="det"), 4)
    chaos.play.start()
    chaos.day(8)
    tape = chaos.play.tape
    assert elsewhere(tape, hash_seed) == decided(Desk(), tape)


def test_a_checkpoint_restored_in_another_process_goes_on_the_same() -> None:
    chaos = Chaos(Play(run_id="det"), 5)
    chaos.play.start()
    chaos.day(8)
    tape, half = chaos.play.tape, len(chaos.play.tape) // 2
    here = Desk()
    decided(here, tape[:half])
    last = tape[half - 1]
    beginning = [
        SequencedInput(seq=last.seq - 1, at_utc_ns=tape[0].at_utc_ns, input=tape[0].input),
        SequencedInput(seq=last.seq, at_utc_ns=last.at_utc_ns, input=Restored(state=msgspec.Raw(here.checkpoint()))),
    ]
    there = elsewhere([*beginning, *tape[half:]], "99")
    started = Desk()
    first = hashlib.sha256()
    for stamped in beginning:
        for effect in started.on(stamped):
            first.update(msgspec.msgpack.encode(effect))
    for stamped in tape[half:]:
        for effect in here.on(stamped):
            first.update(msgspec.msgpack.encode(effect))
    assert there == f"{first.hexdigest()} {hashlib.sha256(here.checkpoint()).hexdigest()}"
