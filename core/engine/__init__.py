"""The asynchronous shell around the desk: it feeds, performs, supervises, alerts, and keeps the fence around one account.

May import everything below it. Next: `runner` (the one consumer), `lockstep` and `live_feed` (who feeds it), `engine` (the
whole).
"""
