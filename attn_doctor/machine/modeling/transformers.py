"""The sources of an installed transformers: which models it has, in which files, and what each class supports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property

import msgspec

from attn_doctor.machine.host import Host, join
from attn_doctor.machine.modeling.classes import Class, Library, Module, Unread

FLAGS = (
    "_supports_sdpa",
    "_supports_flash_attn",
    "_supports_flash_attn_2",
    "_supports_flash_attn_3",
    "_supports_flex_attn",
    "_supports_attention_backend",
)
COMPATIBLE = "_compatible_flash_implementations"
BASE = "PreTrainedModel"
# tasks, most usual first: of several classes of a model type this is the one that is meant
TASKS = ("CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM", "IMAGE_TEXT_TO_TEXT", "VISION_2_SEQ", "MASKED_LM", "IMAGE_CLASSIFICATION")


class Flags(msgspec.Struct, frozen=True):
    """What one class says. A flag that is not there is one that this transformers does not have."""

    name: str
    module: str
    flags: dict[str, bool]
    unread: dict[str, str] = {}  # flags whose value only running the code would tell, and why
    compatible: tuple[str, ...] | None = None  # the only FlashAttentions it takes; None: any
    absent: dict[str, str] = {}  # implementations that it says it supports, and the table in which they are missing


class Sources:
    """One transformers, by its folder, and code that lies beside a configuration. Files are read when asked for."""

    def __init__(self, host: Host, folder: str, beside: str | None = None) -> None:
        self._host = host
        self.folder = folder
        self._beside = beside
        self._tables: dict[str, dict[str, str]] = {}
        self._library = Library(self._text, self._elsewhere)

    def _text(self, module: str) -> str | None:
        """The source of `transformers.models.llama.modeling_llama`; of the huge base only what is asked of it."""
        package, _, rest = module.partition(".")
        place = {"transformers": self.folder, "beside": self._beside}.get(package)
        if place is None or not rest:
            return None
        path = join(place, rest.replace(".", "/"))
        text = self._host.read_text(path + ".py") or self._host.read_text(path + "/__init__.py")
        return _heads(text) if text and rest == "modeling_utils" else text

    def _elsewhere(self, module: str, name: str) -> str | None:
        """Packages pass on what their modules have: `from transformers import PreTrainedModel`."""
        if module == "transformers":
            return "transformers.modeling_utils" if name == BASE else self.whereabouts(name)
        own = (one for one in self.modeling.values() if one.rpartition(".")[0] == module)
        return next((one for one in own if (found := self._library.module(one)) and name in found.classes), None)

    @cached_property
    def modeling(self) -> dict[str, str]:
        """Every modeling module of PyTorch, by its file's path below the folder."""
        found = {}
        for place in ("models", "models/deprecated"):
            for model in self._host.list_dir(join(self.folder, place)):
                for file in self._host.list_dir(join(self.folder, place, model)):
                    if file.startswith("modeling_") and file.endswith(".py") and not file.startswith(ELSEWHERE):
                        path = f"{place}/{model}/{file}"
                        found[path] = "transformers." + path.removesuffix(".py").replace("/", ".")
        return found

    def flags(self, module: str, name: str) -> Flags | None:
        """What a class says; None where there is no such class, or it is no model."""
        found = self._model(module, name)
        if found is None:
            return None
        return msgspec.structs.replace(_flags(found), absent=self._absent(found.module))

    def _model(self, module: str, name: str) -> Class | None:
        found = self._library.find(module, name)
        return found if found and any(one.name == BASE for one in found.order) else None

    def _absent(self, module: Module) -> dict[str, str]:
        """Older modules choose the class of their attention from a table, and what is not in it is a KeyError.

        Where another model of the module does not claim the support, that one may be who the table is for.
        """
        if module.name not in self._tables:
            asked = set(BY_NAME.findall(module.text))  # with the very name that was asked for, not with another
            tables = {name: keys for name in asked if (keys := _keys(module.names.get(name)))}
            models = [model for name in module.classes if tables and (model := self._model(module.name, name))]
            self._tables[module.name] = {
                word: next(iter(tables))
                for flag, claimed in CLAIMS.items()
                if models and all(model.value(flag, None) is True for model in models)
                for word in claimed
                if not any(word in keys for keys in tables.values())
            }
        return self._tables[module.name]

    def models(self, module: str) -> list[Flags]:
        """Every model class that a module defines."""
        found = self._library.module(module)
        flags = (self.flags(module, name) for name in (found.classes if found else ()))
        return [one for one in flags if one is not None]

    @cached_property
    def types(self) -> dict[str, str]:
        """Model type -> its module below transformers.models, as the auto classes have it."""
        special = self._pairs("SPECIAL_MODEL_TYPE_TO_MODULE_NAME")
        known = self._pairs("CONFIG_MAPPING_NAMES")
        return {key: special.get(key, key.replace("-", "_")) for key in known}

    def _pairs(self, name: str, *modules: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for module in modules or ("auto_mappings", "configuration_auto"):
            source = self._library.module(f"transformers.models.auto.{module}")
            value = source.names.get(name) if source else None
            found |= dict(_strings(value)) if value is not None else {}
        return found

    def folders(self, model_type: str) -> list[str]:
        """The modeling modules of a model type, by path."""
        name = self.types.get(model_type, model_type.replace("-", "_"))
        places = (f"models/{name}/", f"models/deprecated/{name}/")
        return [path for path in self.modeling if path.startswith(places)]

    def usual(self, model_type: str) -> str | None:
        """The class that is mostly meant by a model type: one that generates, else another task's, else the model."""
        for task in TASKS:
            found = self._pairs(f"MODEL_FOR_{task}_MAPPING_NAMES", "modeling_auto").get(model_type)
            if found:
                return found
        return self._pairs("MODEL_MAPPING_NAMES", "modeling_auto").get(model_type)

    def whereabouts(self, name: str) -> str | None:
        """The module that defines a class, found by its text."""
        head = re.compile(rf"^class {re.escape(name)}\b", re.MULTILINE)
        for path, module in self.modeling.items():
            text = self._host.read_text(join(self.folder, path)) or ""
            if name in text and head.search(text):
                return module
        return None


ELSEWHERE = ("modeling_tf_", "modeling_flax_")
# what a flag claims, in the words of the tables of classes
CLAIMS = {
    "_supports_sdpa": ("sdpa",),
    "_supports_flash_attn": ("flash_attention_2", "flash_attention_3", "flash_attention_4"),
    "_supports_flash_attn_2": ("flash_attention_2",),
    "_supports_flash_attn_3": ("flash_attention_3",),
    "_supports_flex_attn": ("flex_attention",),
}
BY_NAME = re.compile(r"\b(\w+_CLASSES)\[(?:self\.)?config\._attn_implementation\]")
# a method, a decorator, or whatever comes after the class
ONE_LINE = re.compile(r"class [^\n]*:[ \t]*[^\s#]")
END_OF_HEAD = re.compile(r"^(    (@|def |async def )|(?!class )[^\s#)\]}])", re.MULTILINE)


def _heads(text: str) -> str:
    """The classes of a module without their methods: what is asked of them stands before, and the rest is long."""
    found = []
    for part in re.split(r"^(?=class )", text, flags=re.MULTILINE)[1:]:
        first = END_OF_HEAD.search(part)
        head = part[: first.start()] if first else part
        found.append(head if ONE_LINE.match(head) else head + "    pass\n")
    try:
        ast.parse("".join(found))
    except SyntaxError:  # written in another way than this expects
        return text
    return "".join(found)


def _strings(value: ast.expr) -> Iterator[tuple[str, str]]:
    """The pairs of OrderedDict([("bert", "BertConfig"), ...]), of a dictionary, and of what they are joined from."""
    if isinstance(value, ast.Dict):
        for key, item in zip(value.keys, value.values, strict=True):
            yield from _pair(key, item)
    elif isinstance(value, ast.Call):
        for argument in value.args:
            yield from _strings(argument)
        for keyword in value.keywords:
            yield from _strings(keyword.value)
    elif isinstance(value, (ast.List, ast.Tuple)):
        for item in value.elts:
            if isinstance(item, ast.Tuple) and len(item.elts) == 2:  # noqa: PLR2004 - a pair
                yield from _pair(*item.elts)


def _pair(key: ast.expr | None, item: ast.expr) -> Iterator[tuple[str, str]]:
    if isinstance(item, ast.Tuple) and item.elts:  # several classes: the first is the usual one
        item = item.elts[0]
    if isinstance(key, ast.Constant) and isinstance(item, ast.Constant):
        yield str(key.value), str(item.value)


def _flags(found: Class) -> Flags:
    flags: dict[str, bool] = {}
    unread: dict[str, str] = {}
    for flag in FLAGS:
        value = found.value(flag, None)
        if isinstance(value, Unread):
            unread[flag] = value.why
        elif value is not None:
            flags[flag] = bool(value)
    return Flags(found.name, found.module.name, flags, unread, _compatible(found))


def _keys(value: ast.expr | None) -> set[str]:
    """The keys of a dictionary such as LLAMA_ATTENTION_CLASSES."""
    if not isinstance(value, ast.Dict):
        return set()
    return {key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


def _compatible(found: Class) -> tuple[str, ...] | None:
    value = found.value(COMPATIBLE, None)
    return tuple(str(one) for one in value) if isinstance(value, tuple) else None
