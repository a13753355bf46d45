"""Orders and reports by phone: a process of its own that is a client of the link, as a screen is.

`phone_bot` is the loop: Telegram's updates in, answers out. `bot_api` speaks the Bot API, `update_gate` decides which messages
are obeyed, `outbox` delivers the answers, `confirmation` keeps the words that confirm an order, `phone_text` and `phone_chart`
write what a phone shows.
May import core.link, core.journal (the heartbeat, locks) and all below; never an engine's own parts.
"""
