"""The gateway: a front that keeps socket, token, deadlines and the table of calls, and a child that owns the terminal's module.

Why two processes: the module holds the interpreter while it waits and its reads never time out; only a process that can be killed
bounds it (design, law 9). `front` listens, `keeper` feeds and replaces the child, `child` is the child, `wire` and `calls` are
what may pass between them, `hosts` are the modules a child can own. The engine's end is `core.brokers.mt5.gateway_client`.
"""
