"""Class attributes from sources, held against what Python makes of the same sources."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from attn_doctor.machine.modeling.classes import Library, Unread, merged

SOURCES = {
    "base": """
class Root:
    flag = False
    other = False
    def method(self): ...
class Mixin:
    other = True
""",
    "llama": """
from typing import Generic, TypeVar, TYPE_CHECKING
from .base import Root as R, Mixin
T = TypeVar("T")
if TYPE_CHECKING:
    class Imagined(R):
        flag = True
class PreTrained(R):
    flag: bool = True
    a = b = True
class Model(PreTrained, Generic[T]):
    def method(self):
        flag = False
class Mixed(Mixin, Model[int]):
    pass
class Late(PreTrained):
    pass
Late.flag = False
try:
    class Tried(PreTrained):
        flag = False
except ImportError:
    Tried = None
class Left(PreTrained): pass
class Right(R):
    flag = None
class Diamond(Left, Right): pass
class Worked(PreTrained):
    @property
    def flag(self): return True
    other = not False
class Listed(R):
    flag = ["one", "two"]
class Outside(Exception, Late): pass
""",
    "again": """
from .llama import Late
from . import llama
class Once(Late): pass
class Twice(llama.Late): pass
""",
}
ATTRIBUTES = ("flag", "other", "a", "b", "missing")


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("sources")
    package = folder / "sources_of_this_test"
    package.mkdir()
    for name, text in {"__init__": "", **SOURCES}.items():
        (package / f"{name}.py").write_text(text)
    sys.path.insert(0, str(folder))
    yield {name: import_module(f"{package.name}.{name}") for name in SOURCES}
    sys.path.remove(str(folder))


def library() -> Library:
    def text(name: str) -> str | None:
        return SOURCES.get(name.partition(".")[2])

    return Library(text, lambda module, name: None)


NAMES = [
    ("base", "Root"),
    *(
        ("llama", name)
        for name in ("PreTrained", "Model", "Mixed", "Late", "Tried", "Left", "Diamond", "Listed", "Outside")
    ),
    ("again", "Once"),
    ("again", "Late"),
]


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_an_attribute_is_what_python_says(modules: Any, module: str, name: str) -> None:
    found = library().find(f"sources.{module}", name)
    assert found is not None
    for attribute in ATTRIBUTES:
        real = getattr(getattr(modules[module], name), attribute, "nothing")
        assert found.value(attribute, "nothing") == (tuple(real) if isinstance(real, list) else real), attribute


def test_what_only_running_would_tell_is_not_guessed() -> None:
    found = library().find("sources.llama", "Worked")
    assert found is not None
    for attribute in ("flag", "other"):
        value = found.value(attribute, None)
        assert isinstance(value, Unread)
        assert f"Worked.{attribute}" in value.why


def test_what_is_not_there_is_not_found() -> None:
    assert library().find("sources.llama", "Imagined") is None
    assert library().find("sources.nowhere", "Late") is None


def test_a_circle_and_a_file_that_is_no_python_end() -> None:
    circle = Library({"x": "from x import A\n"}.get, lambda module, name: None)
    assert circle.find("x", "A") is None
    assert Library(lambda name: "class (", lambda module, name: None).find("x", "A") is None
    deep = "\n".join(f"class C{number}(C{number + 1}): pass" for number in range(2000))
    assert Library(lambda name: deep, lambda module, name: None).find("x", "C0") is not None


def test_the_order_of_bases_is_that_of_python() -> None:
    class A: ...

    class B(A): ...

    class C(A): ...

    class D(B, C): ...

    assert merged([B.__mro__, C.__mro__, (B, C)]) == D.__mro__[1:]


def test_the_sources_of_this_test_are_all_read() -> None:
    assert Path(__file__).stem == "test_classes"
    assert {module for module, _ in NAMES} == set(SOURCES)
