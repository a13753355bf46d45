"""`python -m quarterdeck` is the `quarterdeck` command."""

from __future__ import annotations

import sys

from quarterdeck.cli.program_entry import main

if __name__ == "__main__":
    sys.exit(main())
