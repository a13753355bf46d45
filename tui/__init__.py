"""The screen: a replica of the desk in a terminal, and the keys that steer it.

May import `core.link`, `core.model` and `core.settings`. Read next: `screen_state` (what the screen knows), `view` (pure
functions from that to lines of text), `widgets` and `screens` (which only place lines), `keys` (the one table of actions),
`app` (the door).
"""
