"""Which model a call means: a type, a class, a config.json, a folder with one, or a Hub id that is cached here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from attn_doctor.errors import BadInput, UsageError
from attn_doctor.knowledge import frameworks
from attn_doctor.knowledge.spelling import bare, did_you_mean
from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.host import CannotLook, Host, join
from attn_doctor.machine.modeling.transformers import Flags, Sources
from attn_doctor.machine.target import Distribution, Target, distributions

CONFIG = "config.json"
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*(?<!\.json)")
DEEPEST = 3  # configs within configs


class Part(msgspec.Struct, frozen=True):
    """A model, or one within it. `key` is where its configuration stands: text_config; "" on top."""

    key: str
    model_type: str | None
    flags: Flags


class Found(msgspec.Struct, frozen=True):
    """A model and what its classes say."""

    transformers: str
    model_type: str | None
    parts: tuple[Part, ...]
    beside: bool = False  # its code lies beside its config.json, not in transformers
    unknown: tuple[str, ...] = ()  # parts of which nothing is known


class NotKnown(msgspec.Struct, frozen=True):
    """Why nothing is known of any model: the target has no transformers, one without the words, or not its files."""

    transformers: str | None  # the version that is installed
    why: str
    cure: Literal["install", "upgrade", "reinstall"] | None = None


NOT_INSTALLED = NotKnown(None, "transformers is not installed in the target", "install")


class _Config(msgspec.Struct, frozen=True):
    """What is asked of a config.json, and the folder it lies in."""

    values: dict[str, Any]
    folder: str | None = None


def find(host: Host, target: Target, asked: str) -> Found | NotKnown:
    """The model, by the transformers of the target. Raises UsageError or BadInput for a model that is not there."""
    installed = distributions(host, target).get("transformers")
    unfit = _unfit(host, installed)
    config = None if unfit and HUB_ID.fullmatch(asked) else _config(host, asked)
    if unfit or installed is None:
        return unfit or NOT_INSTALLED
    sources = Sources(host, join(installed.site, "transformers"), config.folder if config else None)
    try:
        if config is not None:
            return _of_config(sources, asked, config, installed.version)
        found = _of_name(sources, asked)
    except CannotLook as error:
        return NotKnown(installed.version, f"transformers {installed.version} could not be read: {error}")
    except UsageError:
        if sources.types:
            raise
        why = f"transformers {installed.version} is installed without its list of models"
        return NotKnown(installed.version, why, "reinstall")
    return Found(installed.version, found.model_type, (found,))


def _unfit(host: Host, installed: Distribution | None) -> NotKnown | None:
    """Why the target's transformers says nothing of any model; None where it does."""
    if installed is None:
        return NOT_INSTALLED
    version = installed.version
    first = frameworks.releases("transformers")[-1].since
    if numbers(version) < numbers(first):
        return NotKnown(
            version, f"transformers {version} takes no attn_implementation, {first} is the first that does", "upgrade"
        )
    if host.is_dir(join(installed.site, "transformers")):
        return None
    return NotKnown(version, f"transformers {version} is installed without its files", "reinstall")


def _config(host: Host, asked: str) -> _Config | None:
    """The configuration that is meant; None where the name of a type or of a class is."""
    if host.system()[0] == "windows":  # it takes both slashes; elsewhere this one is part of a name
        asked = asked.replace("\\", "/")
    if asked.endswith(".json") or host.is_file(asked):
        return _read(host, asked)
    if host.is_file(join(asked, CONFIG)):
        return _read(host, join(asked, CONFIG))
    if host.is_dir(asked) and "/" in asked:
        raise BadInput(f"--model {asked}: there is no {CONFIG} in this folder")
    if "/" not in asked:
        return None
    cached = _cached(host, asked)
    if cached is None:
        raise BadInput(
            f"--model {asked}: it is neither a file here nor in the cache of the Hub, and nothing is downloaded",
            "Give its model type (llama), its class (LlamaForCausalLM) or the path of its config.json.",
        )
    return _read(host, cached)


def _read(host: Host, path: str) -> _Config:
    text = None
    try:
        text = host.read_text(path)
        values = msgspec.json.decode(text, type=dict[str, Any]) if text is not None else None
    except CannotLook as error:
        raise BadInput(f"--model {path}: {error}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadInput(f"--model {path}: this is no configuration of a model: {error}") from None
    if values is None:
        raise BadInput(f"--model {path}: there is no such file")
    folder, slash, _ = path.rpartition("/")
    return _Config(values, folder or slash or ".")


def _cached(host: Host, asked: str) -> str | None:
    """The config.json of a Hub id in the cache: of main, else of any revision."""
    home = host.env("HF_HOME") or join(
        host.env("XDG_CACHE_HOME") or join(host.env("HOME") or "~", ".cache"), "huggingface"
    )
    places = (host.env("HF_HUB_CACHE"), host.env("HUGGINGFACE_HUB_CACHE"), join(home, "hub"))
    for place in filter(None, places):
        folder = join(place, f"models--{asked.replace('/', '--')}")
        main = (host.read_text(join(folder, "refs/main")) or "").strip()
        for revision in (main, *host.list_dir(join(folder, "snapshots"))):
            path = join(folder, "snapshots", revision, CONFIG)
            if revision and host.is_file(path):
                return path
    return None


def _of_config(sources: Sources, asked: str, config: _Config, version: str) -> Found:
    parts: list[Part] = []
    unknown: list[str] = []
    model_type = config.values.get("model_type")
    beside = False
    for key, values in _configs(config.values):
        found = _part(sources, key, values)
        if found is None:
            unknown.append(key or str(model_type))
            continue
        parts.append(found)
        beside = beside or found.flags.module.startswith("beside.")
    if not parts or parts[0].key:
        known = values_of(config.values, "architectures") or [str(model_type or "of this configuration")]
        raise UsageError(
            f"--model {asked}: transformers {version} has no model {known[0]}",
            "Its code may come with its weights (trust_remote_code): then only that code can say.",
        )
    return Found(version, str(model_type) if model_type else None, tuple(parts), beside, tuple(unknown))


def values_of(values: dict[str, Any], key: str) -> list[str]:
    """The strings of a list in a configuration."""
    found = values.get(key)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _configs(values: dict[str, Any], key: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """The configuration and those of its parts, by the keys that lead to them."""
    yield key, values
    for name, inner in values.items():
        if isinstance(inner, dict) and "config" in name and inner.get("model_type") and depth < DEEPEST:
            yield from _configs(inner, f"{key}.{name}" if key else name, depth + 1)


def _part(sources: Sources, key: str, values: dict[str, Any]) -> Part | None:
    model_type = values.get("model_type")
    kind = model_type if isinstance(model_type, str) else None
    remote = values.get("auto_map")
    for name in (*values_of(values, "architectures"), sources.usual(kind) if kind else None):
        found = _beside(sources, remote, name) or (_class(sources, name, kind) if name else None)
        if found is not None:
            return Part(key, kind, found)
    return _of_type(sources, key, kind) if kind else None


def _beside(sources: Sources, remote: object, name: str | None) -> Flags | None:
    """A class whose code lies beside the configuration, as auto_map says: modeling_phi4mm.Phi4MMForCausalLM."""
    named = [one for one in remote.values() if isinstance(one, str)] if isinstance(remote, dict) else []
    for one in named:
        module, _, class_name = one.rpartition("--")[2].rpartition(".")
        if class_name == name and module:
            return sources.flags(f"beside.{module}", class_name)
    return None


def _class(sources: Sources, name: str, kind: str | None) -> Flags | None:
    """A class by its name: in the files of its type first, then wherever it stands."""
    for path in sources.folders(kind) if kind else ():
        if found := sources.flags(sources.modeling[path], name):
            return found
    module = sources.whereabouts(name)
    return sources.flags(module, name) if module else None


def _of_type(sources: Sources, key: str, kind: str) -> Part | None:
    """A type that the auto classes do not name: the last model of its files, which the others lead up to."""
    for path in sources.folders(kind):
        if models := sources.models(sources.modeling[path]):
            return Part(key, kind, models[-1])
    return None


def _of_name(sources: Sources, asked: str) -> Part:
    kind = asked if asked in sources.types else next((one for one in sources.types if bare(one) == bare(asked)), None)
    if kind is None and asked[:1].isupper() and asked.isidentifier():
        module = sources.whereabouts(asked)
        found = sources.flags(module, asked) if module else None
        if module and found:
            place = module.split(".")
            own = place[2] if place[2] != "deprecated" else place[3]
            return Part("", next((one for one, folder in sources.types.items() if folder == own), own), found)
    if kind is not None and (part := _part(sources, "", {"model_type": kind})):
        return part
    raise UsageError(
        f"--model {asked}: this transformers has no such model",
        did_you_mean(asked.lower(), {one: one for one in sources.types}, most=3).rstrip()
        or "Give a model type (llama), a class, or a config.json.",
    )
