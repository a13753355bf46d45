"""The gateway: a front that keeps socket, token, deadlines and the table of calls, and a child that owns the terminal's module.

Why two processes: the module holds the interpreter while it waits and its reads never time out; only a process that can be
killed bounds it (design, law 9). `gateway_server` listens, `worker_supervisor` feeds and replaces the child, `terminal_child`
is the child, `gateway_protocol` and `allowed_calls` are what may pass between them, `module_loader` are the modules a child can
own. The engine's end is `core.brokers.mt5.gateway_client`.
"""
