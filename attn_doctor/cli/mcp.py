"""attn-doctor mcp."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from attn_doctor.cli import options
from attn_doctor.errors import BadInput, NoServer


def mcp(
    list_tools: Annotated[bool, typer.Option("--list", help="List the tools, and start nothing.")] = False,
) -> None:
    """Serve the read-only commands as tools to an assistant or an editor (Model Context Protocol, over stdio).

    A client starts it by itself; by hand there is nothing to see. It needs: pip install 'attn-doctor[mcp]'
    """
    try:
        from attn_doctor.cli import _tools
    except ImportError as error:
        raise NoServer(error.name or "mcp") from error
    if list_tools:
        options.write(_tools.listed(), None)
        return
    if sys.stdin is None or sys.stdout is None:
        raise BadInput("attn-doctor mcp talks over standard input and output, and they are closed")
    if sys.stdin.isatty():
        options.progress("attn-doctor: waiting for a client on standard input; Ctrl-C ends it")
    _tools.serve()
