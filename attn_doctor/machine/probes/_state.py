"""Where attn-doctor's own state lies on the host that is asked; execute/folders.py makes it."""

from __future__ import annotations

from attn_doctor.machine.host import Host, join


def state(host: Host, name: str) -> str:
    """'/home/user/.local/state/attn-doctor/NAME'; '' where nothing says."""
    windows = host.system()[0] == "windows"
    base = host.env("LOCALAPPDATA" if windows else "XDG_STATE_HOME")
    if not base:
        home = host.env("HOME")
        base = join(home, ".local/state") if home else ""
    return join(base, f"attn-doctor/{name}") if base else ""
