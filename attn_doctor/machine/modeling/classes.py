"""Class attributes of Python sources by the rules of Python: bases through imports, the method resolution order."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeVar

LITERALS = (bool, str, int, type(None))
DEEPEST = 40  # no model is derived from so many
K = TypeVar("K")


class Unread:
    """An attribute whose value only running the code would tell."""

    def __init__(self, why: str) -> None:
        self.why = why


class Module:
    """One source file: its classes, what it imports, and what it sets on classes afterwards."""

    def __init__(self, name: str, text: str, *, package: bool = False) -> None:
        self.name = name
        self._package = name if package else name.rpartition(".")[0]
        self._body = _hollow(ast.parse(text).body)
        self.text = text

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        """By name; of two of one name the last one, as Python has it."""
        return {node.name: node for node in self._body if isinstance(node, ast.ClassDef)}

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        """Local name -> (module, name there)."""
        found: dict[str, tuple[str, str]] = {}
        for node in self._body:
            if isinstance(node, ast.ImportFrom):
                module = self._absolute(node.module or "", node.level)
                found |= {alias.asname or alias.name: (module, alias.name) for alias in node.names}
        return found

    @cached_property
    def afterwards(self) -> dict[tuple[str, str], ast.expr]:
        """(class, attribute) -> value, of assignments such as `LlamaModel._supports_sdpa = False`."""
        found: dict[tuple[str, str], ast.expr] = {}
        for node in self._body:
            for target, value in _assigned(node):
                if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
                    found[target.value.id, target.attr] = value
        return found

    @cached_property
    def names(self) -> dict[str, ast.expr]:
        """What the module assigns to plain names."""
        pairs = (pair for node in self._body for pair in _assigned(node))
        return {target.id: value for target, value in pairs if isinstance(target, ast.Name)}

    def _absolute(self, module: str, level: int) -> str:
        if not level:
            return module
        parts = self._package.split(".")
        above = ".".join(parts[: len(parts) - level + 1])
        return f"{above}.{module}" if module else above


def _hollow(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a module without what stands inside its functions: that is most of it, and is not asked for."""
    found = [*_flat(body)]
    for node in found:
        for inner in (node, *(_flat(node.body) if isinstance(node, ast.ClassDef) else ())):
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                inner.body = []
    return found


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, those of its conditions and handlers too."""
    for node in body:
        yield node
        if isinstance(node, (ast.If, ast.Try, ast.With)):
            if not _for_type_checkers(node):
                yield from _flat(node.body)
            for inner in ("orelse", "finalbody"):
                yield from _flat(getattr(node, inner, []))
        for handler in getattr(node, "handlers", ()):
            yield from _flat(handler.body)


def _for_type_checkers(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def _assigned(node: ast.stmt) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value


class Class:
    """One class of one module, with its bases as far as they can be followed."""

    def __init__(self, name: str, module: Module, bases: tuple[Class, ...]) -> None:
        self.name = name
        self.module = module
        self.bases = bases
        self.node = module.classes[name]

    @cached_property
    def order(self) -> tuple[Class, ...]:
        """The method resolution order, less the classes that could not be followed."""
        return (self, *merged([*(base.order for base in self.bases), self.bases]))

    @cached_property
    def _own(self) -> dict[str, ast.expr | None]:
        """Attributes of the class body; None: a property or a method, which only running it would tell."""
        found: dict[str, ast.expr | None] = {}
        for node in _flat(self.node.body):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[node.name] = None
            for target, value in _assigned(node):
                if isinstance(target, ast.Name):
                    found[target.id] = value
        after = self.module.afterwards
        return found | {attribute: value for (owner, attribute), value in after.items() if owner == self.name}

    def value(self, attribute: str, otherwise: object) -> object:
        """The attribute as Python would find it; Unread where it is no constant, `otherwise` where no class has it."""
        for one in self.order:
            if attribute in one._own:  # noqa: SLF001 - of the same kind
                return literal(one._own[attribute], f"{one.name}.{attribute}")  # noqa: SLF001
        return otherwise


def literal(value: ast.expr | None, what: str) -> object:
    """A constant, or a list of constants; Unread for what would have to be run."""
    if isinstance(value, ast.Constant) and isinstance(value.value, LITERALS):
        return value.value
    if isinstance(value, (ast.List, ast.Tuple)):
        items = [literal(item, what) for item in value.elts]
        return next((item for item in items if isinstance(item, Unread)), tuple(items))
    return Unread(f"{what} is worked out when the code runs")


def merged(orders: list[tuple[K, ...]]) -> tuple[K, ...]:
    """C3, as Python orders the bases of a class; in a tangle, depth first."""
    left = [list(order) for order in orders if order]
    found: list[K] = []
    while left:
        heads = (order[0] for order in left)
        head = next((one for one in heads if not any(one in order[1:] for order in left)), left[0][0])
        found.append(head)
        left = [[one for one in order if one is not head] for order in left]
        left = [order for order in left if order]
    return tuple(found)


class Library:
    """The modules of one package, each read once.

    `text` gives the source of a module; `elsewhere` names the module that has a class which a package passes on.
    """

    def __init__(self, text: Callable[[str], str | None], elsewhere: Callable[[str, str], str | None]) -> None:
        self._text = text
        self._elsewhere = elsewhere
        self._modules: dict[str, Module | None] = {}
        self._classes: dict[tuple[str, str], Class | None] = {}

    def module(self, name: str) -> Module | None:
        """A module by its dotted name; None where it is not there or is no Python that this one reads."""
        if name not in self._modules:
            text = self._text(name)
            try:
                self._modules[name] = Module(name, text) if text is not None else None
            except (SyntaxError, ValueError, RecursionError):
                self._modules[name] = None
        return self._modules[name]

    def find(self, module: str, name: str, depth: int = 0) -> Class | None:
        """A class by the module that has it or imports it."""
        key = (module, name)
        if key not in self._classes:
            self._classes[key] = None  # a circle ends here
            self._classes[key] = self._find(module, name, depth)
        return self._classes[key]

    def _find(self, module: str, name: str, depth: int) -> Class | None:
        if depth > DEEPEST:
            return None
        found = self.module(module)
        if found is None or name not in found.classes:
            if found and name in found.imports:
                return self.find(*found.imports[name], depth + 1)
            other = self._elsewhere(module, name)
            return self.find(other, name, depth + 1) if other else None
        bases = [self._base(found, base, depth) for base in found.classes[name].bases]
        return Class(name, found, tuple(base for base in bases if base is not None))

    def _base(self, module: Module, base: ast.expr, depth: int) -> Class | None:
        if isinstance(base, ast.Subscript):
            base = base.value
        return self.find(module.name, base.id, depth + 1) if isinstance(base, ast.Name) else None
