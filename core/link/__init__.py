"""The line between an engine and whoever watches or steers it: the same types in process and over a socket.

`messages` and `link_client` are what screens load; `link_server` and `link_address` are the engine's side. Only this
room reaches a running engine.
"""
