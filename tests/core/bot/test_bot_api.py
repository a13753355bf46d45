"""The Bot API's client: the token stays secret, and whatever a server answers is survived."""

from __future__ import annotations

import http.server
import threading

import pytest

from quarterdeck.core.bot.bot_api import BotApi, BotApiError
from quarterdeck.core.model.errors import SettingsError
from tests.core.bot.stand_in import TOKEN, telegram


@pytest.mark.parametrize(
    "url", ["http://api.telegram.org", "ftp://127.0.0.1", "api.telegram.org", "", "http://127.0.0.1.evil.example"]
)
def test_the_token_travels_protected_or_not_at_all(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        BotApi(url, TOKEN)
    assert TOKEN not in caught.value.one_line()


@pytest.mark.parametrize("token", ["", "a b", "a/b", "a\nb", "a?b"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(SettingsError):
        BotApi("https://api.telegram.org", token)


@pytest.mark.parametrize("fault", ["lost", "lost after", "500", "401", "302"])
async def test_no_failure_names_the_token(fault: str) -> None:
    with telegram() as api:
        api.fault = lambda _: fault
        with pytest.raises(BotApiError) as caught:
            await BotApi(api.base_url, TOKEN).updates(None, 0)
        assert TOKEN not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b'{"ok": 1}', b'{"ok": true, "result": {}}', b"\xff", b"[" * 100_000])
async def test_an_unreadable_answer_is_an_error_of_its_own(body: bytes) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request, daemon=True)
        thread.start()
        with pytest.raises(BotApiError):
            await BotApi(f"http://127.0.0.1:{server.server_port}", TOKEN).updates(None, 0)
        thread.join(30)
