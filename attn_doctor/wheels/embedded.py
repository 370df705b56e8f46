"""The files of the catalogue that is part of the package."""

from __future__ import annotations

import os
from functools import cache
from typing import TypeVar

import msgspec

from attn_doctor.errors import CatalogueUnusable
from attn_doctor.wheels.tables import Format, Sources

FORMAT = 1
FOLDER = os.path.join(os.path.dirname(__file__), "catalogue")
WRONG = (LookupError, ValueError, RecursionError, msgspec.MsgspecError)  # what reading something damaged ends in
T = TypeVar("T")


@cache
def stems() -> tuple[str, ...]:
    """Every file, by its name. Raises CatalogueUnusable."""
    sources()  # says in words where there is nothing to list
    return tuple(sorted(name[:-5] for name in os.listdir(FOLDER) if name.endswith(".json")))


def table(stem: str, kind: type[T]) -> T:
    """A table of the embedded catalogue. Raises CatalogueUnusable."""
    try:
        return msgspec.json.decode(_read(stem), type=kind)
    except WRONG as error:
        raise CatalogueUnusable(f"{stem}.json is damaged ({error})") from error


def _read(stem: str) -> bytes:
    try:
        with open(os.path.join(FOLDER, f"{stem}.json"), "rb") as file:
            return file.read()
    except OSError as error:
        raise CatalogueUnusable(f"{stem}.json cannot be read ({error.strerror})") from error


@cache
def sources() -> Sources:
    """The sources, and the day of the catalogue. Raises CatalogueUnusable."""
    written = table("sources", Format).format
    if written != FORMAT:
        raise CatalogueUnusable(f"it is of format {written}, and this attn-doctor reads format {FORMAT}")
    return table("sources", Sources)
