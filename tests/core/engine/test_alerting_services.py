"""Alerts through the library to services of the test's own, over HTTP and by mail; who did not take one is named without secrets."""

from __future__ import annotations

import json
import logging
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from quarterdeck.core.engine.alerting import apprise_sender, deliveries

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the library still asks for modules that Python drops
PASSWORD = "hunter2-in-tests"


class Posted(BaseHTTPRequestHandler):
    """Takes a message at /good, refuses it elsewhere."""

    def do_POST(self) -> None:
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())  # type: ignore[attr-defined]
        self.send_response(200 if self.path == "/good" else 500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own word
        """Nothing on the test's output."""


class Mailed(socketserver.StreamRequestHandler):
    """As much of SMTP as one mail needs."""

    def handle(self) -> None:
        def say(text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

        say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                say("250-here")
                say("250 8BITMIME")
            elif word == "DATA":
                say("354 continue")
                mail = []
                while (part := self.rfile.readline()) != b".\r\n":
                    mail.append(part.decode())
                self.server.mails.append("".join(mail))  # type: ignore[attr-defined]
                say("250 taken")
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("250 well")


@pytest.fixture
def http() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Posted) as server:
        server.bodies = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def smtp() -> Iterator[socketserver.ThreadingTCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailed) as server:
        server.mails = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_over_http_each_service_answers_for_itself(http: ThreadingHTTPServer, caplog: pytest.LogCaptureFixture) -> None:
    place = f"json://me:{PASSWORD}@127.0.0.1:{http.server_port}"
    with caplog.at_level(logging.INFO):
        ways = apprise_sender((f"{place}/good", f"{place}/bad", "nobody://knows"))
        refused = [send("Quarterdeck: fill", "[info] EURUSD buy 0.10", "info") for send in ways]
    assert refused == ["", "JSON (2 of 3)", "address 3 of 3 (not a valid address)"]
    assert len(http.bodies) == 2  # type: ignore[attr-defined]
    assert "[info] EURUSD buy 0.10" in http.bodies[0]  # type: ignore[attr-defined]
    assert PASSWORD not in "".join(refused) + caplog.text


def test_by_mail(smtp: socketserver.ThreadingTCPServer) -> None:
    port = smtp.server_address[1]
    address = f"mailto://127.0.0.1:{port}?from=desk@example.com&to=operator@example.com&mode=insecure"
    (send,) = apprise_sender((address,))
    assert send("Quarterdeck: breaker", "[critical] day's loss reached", "critical") == ""
    assert "Subject: Quarterdeck: breaker" in smtp.mails[0]  # type: ignore[attr-defined]
    assert "operator@example.com" in smtp.mails[0]  # type: ignore[attr-defined]


def test_nobody_there_is_one_refusal(http: ThreadingHTTPServer) -> None:
    http.shutdown()
    http.server_close()
    (send,) = apprise_sender((f"json://127.0.0.1:{http.server_port}/good",))
    assert send("t", "b", "info") == "JSON (1 of 1)"


async def test_a_service_that_never_ends_its_answer_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quarterdeck.core.engine.alerting.SEND_S", 0.3)
    over = threading.Event()
    monkeypatch.setattr("quarterdeck.core.engine.alerting.apprise_sender", lambda urls: [lambda *_: f"{over.wait()}"] * len(urls))
    (deliver,) = deliveries(("json://somewhere",))
    assert await deliver("t", "b", "info") == "address 1 of 1 (no answer within 0.3 s)"
    assert await deliver("t", "b", "info") == "address 1 of 1 (an earlier request has not ended yet)"
    over.set()


async def test_a_service_that_raises_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: str) -> str:
        raise TypeError("the library met what it did not expect")

    monkeypatch.setattr("quarterdeck.core.engine.alerting.apprise_sender", lambda urls: [breaks] * len(urls))
    (deliver,) = deliveries(("json://somewhere",))
    assert await deliver("t", "b", "info") == "address 1 of 1 (it failed with TypeError)"


@pytest.mark.parametrize(
    ("level", "kind"), [("info", "info"), ("warning", "warning"), ("critical", "failure"), ("resolved", "success")]
)
def test_the_service_is_told_how_bad_it_is(http: ThreadingHTTPServer, level: str, kind: str) -> None:
    (send,) = apprise_sender((f"json://127.0.0.1:{http.server_port}/good",))
    assert send("t", "b", level) == ""  # type: ignore[arg-type]
    assert json.loads(http.bodies[0])["type"] == kind  # type: ignore[attr-defined]
