"""Whose wheel an address leads to, by the catalogue."""

from __future__ import annotations

from attn_doctor.wheels import catalogue

UNLISTED = "a source that the catalogue does not know"


def source_of(package: str, url: str) -> str | None:
    """The name of the source; UNLISTED for a wheel from anywhere else; None for what is no wheel of the catalogue's."""
    address = url.partition("#")[0].partition("?")[0].replace("%2B", "+").replace("%2b", "+")
    if not address.endswith(".whl") or "://" not in address or address.startswith("file:"):
        return None
    wheels = catalogue.wheels(package)
    if not wheels:
        return None
    filename = address.rpartition("/")[2]
    named = [wheel for wheel in wheels if wheel.filename == filename]
    exact = [wheel.source for wheel in named if wheel.url and wheel.url.replace("%2B", "+") == address]
    # several sources may publish a file of one name: its address says which
    if exact:
        return exact[0]
    return _by_head(address) or UNLISTED


def _by_head(address: str) -> str | None:
    """A file too new for the catalogue, by the place it lies in."""
    from attn_doctor.wheels.embedded import sources

    for name, row in sources().sources.items():
        head = (row.url_template or "").partition("{")[0]
        if head and "{owner}" not in (row.url_template or "") and address.startswith(head):
            return name
    return None
