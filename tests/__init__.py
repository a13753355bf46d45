"""The tests. They mirror the source: tests/core, tests/cli, tests/tui; the laws of the design are attacked in tests/laws."""
