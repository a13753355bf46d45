"""Several machines scan: closed bars go out over a broker of messages (Redis), signals come back (D6).

`wire` is what travels, `place` where to, `asking` the engine's side of the line, `serving` a scanning machine, `scans` what the
engine does with both: it falls back to scanning itself.
"""
