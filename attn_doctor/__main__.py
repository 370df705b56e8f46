"""python -m attn_doctor, and the command itself."""

from __future__ import annotations

import sys


def run() -> None:
    """The command line; an interrupt while it is still being imported ends as one that comes later."""
    try:
        from attn_doctor.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    main()


if __name__ == "__main__":
    run()
