"""Talking to a process of our own over its pipes, in frames; what a frame means stands with who sends it."""
