"""Quarterdeck's core: everything but the command line and the screen.

Start reading at `core.model.inputs` and `core.model.effects`, then `core.desk.desk`. The map is docs/architecture.md.
"""
