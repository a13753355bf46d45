"""Several machines scan: closed bars go out over a broker of messages (Redis), signals come back.

`scan_messages` is what travels, `address` where to, `client` the engine's side of the line, `worker` a scanning machine,
`dispatcher` what the engine does with both: it falls back to scanning itself.
"""
