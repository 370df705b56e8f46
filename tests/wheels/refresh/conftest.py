from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest

from attn_doctor.wheels import catalogue
from imagined import Called, call
from refresh.world import World, serving
from support import Ran, run_cli

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def world() -> Iterator[World]:
    """Everything answers; nothing is published but one file for each index."""
    with serving(World()) as served:
        yield served


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def wheels(world: World, cache: Path, tmp_path: Path) -> Callable[..., Ran]:
    """`attn-doctor wheels ARGUMENTS` in that world, with a cache of its own."""

    def run(*arguments: object, env: dict[str, str | None] | None = None, **how: Any) -> Ran:
        return run_cli("wheels", *arguments, env=world.env(cache) | (env or {}), cwd=tmp_path, **how)

    return run


@pytest.fixture
def here(world: World, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Called]]:
    """The same within this process, which is quicker."""

    def run(*arguments: object, env: dict[str, str | None] | None = None) -> Called:
        with monkeypatch.context() as patch:
            for name, value in (world.env(cache) | (env or {})).items():
                patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
            catalogue.forget()
            try:
                return call("wheels", *map(str, arguments))
            finally:
                gc.enable()  # the command line turns it off

    yield run
    catalogue.forget()


@pytest.fixture
def refresh(here: Callable[..., Called], wheels: Callable[..., Ran]) -> Callable[..., Any]:
    """`wheels refresh --format json`: the document, after a look at the exit code; and each source by its name.

    `apart`: in a process of its own.
    """

    def run(*arguments: object, code: int = 0, apart: bool = False, env: dict[str, str | None] | None = None) -> Any:
        ran = (wheels if apart else here)("refresh", "--format", "json", *arguments, env=env)
        assert ran.code == code, ran
        document = ran.json()
        document["by_name"] = {one["name"]: one for one in document["sources"]}
        return document

    return run


@pytest.fixture
def found(here: Callable[..., Called]) -> Callable[..., Any]:
    """The files that a search among all of the catalogue finds, by name."""

    def search(*options: object, env: dict[str, str | None] | None = None) -> Any:
        ran = here("--all", "--format", "json", *options, env=env)
        assert ran.code in (0, 1), ran
        return {wheel["filename"]: wheel for wheel in ran.json()["fitting"]}

    return search
