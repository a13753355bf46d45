"""The command line: one subcommand, one module, imported when it is called.

Start reading at `cli.main`, which holds the table of commands and turns errors into one line and an exit code. A command module
has one function `command`; its options are typer's annotations. May import all of `core`, and `tui` where a screen is wanted.
"""
