"""The line between an engine and whoever watches or steers it: the same types in process and over a socket.

`messages` and `client` are what screens load; `server` and `place` are the engine's side. Only this
room reaches a running engine.
"""
