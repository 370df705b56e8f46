"""What a call is held to: the command line over the policy, the policy over the defaults, and who said what."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from msgspec import UNSET, UnsetType

from attn_doctor.errors import UsageError
from attn_doctor.judgement import names
from attn_doctor.judgement.allowed import Allowed
from attn_doctor.judgement.report import Setting
from attn_doctor.policy import find, sense
from attn_doctor.policy.call import DEFAULT_LEVEL, Call, Settings
from attn_doctor.policy.keys import Gpu
from attn_doctor.policy.read import Policy, read
from attn_doctor.policy.target import refuse_a_stranger_s


def load(found: find.Found, today: str, keys: Collection[str] | None = None) -> Policy | None:
    """The policy of a file, if it can be followed. `keys`: those that count; None: all. Raises BadPolicy."""
    policy = read(found)
    if policy is not None:
        sense.check(policy, today, keys)
    return policy


def merge(call: Call, policy: Policy) -> Settings:
    """`--need`, `--require` and `--ignore` add to the policy; `--fail-on`, `--python` and `--venv` take its place."""
    _refuse_contradiction(call, policy)
    keys = policy.keys
    own_target = call.python or call.venv or call.facts
    if not own_target:
        refuse_a_stranger_s(policy)
    python, venv = _path(policy, keys.target.python), _path(policy, keys.target.venv)
    return Settings(
        call,
        fail_on=call.fail_on or (DEFAULT_LEVEL if keys.fail_on is UNSET else keys.fail_on),
        need=tuple(one for one in keys.need if one.partition("=")[0] not in _said(call)),
        of_policy=tuple(dict.fromkeys(names.backend(one) for one in keys.require)),
        ignored=tuple(one.code for one in keys.ignore),
        target=(call.python, call.venv) if own_target else (python, venv),
        allowed=allowed(policy),
        told=(*_of_file(policy, call), *_given(call), *_level(call, policy)),
        policy=policy,
    )


def allowed(policy: Policy) -> Allowed | None:
    """Whose wheels may be installed, where the policy says it."""
    sources = policy.keys.wheel_sources
    return Allowed(sources, policy.source.origin(("wheel-sources",))) if sources else None


def _said(call: Call) -> set[str]:
    """Needs that the call speaks of: what the policy says of them does not hold."""
    return {one.partition("=")[0] for one in call.need}


def _refuse_contradiction(call: Call, policy: Policy) -> None:
    for code, key in sense.ALWAYS.items():
        if code in call.ignore and getattr(policy.keys, key):
            place = policy.source.origin((key,))
            raise UsageError(
                f"--ignore {code} contradicts {key!r} of the policy ({place})", "Without the policy: --no-policy"
            )


def _path(policy: Policy, path: str | UnsetType) -> str | None:
    """A path of the policy, which speaks from its own folder."""
    return None if path is UNSET else os.path.join(policy.source.folder, os.path.expanduser(path))


def _of_file(policy: Policy, call: Call) -> Iterator[Setting]:
    """Each thing that the policy says, and what the call puts in its place."""
    keys, origin = policy.keys, policy.source.origin
    target = "--python" if call.python else "--venv" if call.venv else "--facts" if call.facts else None
    for name in ("venv", "python"):
        path = getattr(keys.target, name)
        if path is not UNSET and target is None:
            yield Setting(f"target.{name}", path, origin(("target", name)))
    for number, one in enumerate(keys.require):
        yield Setting("require", names.backend(one), origin(("require", number)))
    for number, one in enumerate(keys.need):
        if one.partition("=")[0] not in _said(call):
            yield Setting("need", one, origin(("need", number)))
    for number, entry in enumerate(keys.ignore):
        until = "" if entry.until is UNSET else f" until {entry.until}"
        yield Setting("ignore", f"{entry.code}{until}: {entry.reason}", origin(("ignore", number)))
    for name, allowed in keys.versions.items():
        yield Setting("versions", f"{name} {allowed}", origin(("versions", name)))
    yield from _lists(policy)


def _lists(policy: Policy) -> Iterator[Setting]:
    keys, origin = policy.keys, policy.source.origin
    for number, one in enumerate(keys.wheel_sources):
        yield Setting("wheel-sources", one, origin(("wheel-sources", number)))
    for number, gpu in enumerate(keys.gpus):
        yield Setting("gpus", described(gpu), origin(("gpus", number)))
    if keys.lock is not UNSET:
        yield Setting("lock", keys.lock, origin(("lock",)))


def described(gpu: str | Gpu) -> str:
    """'A100, vram 40GiB, driver 550' for a GPU of the list."""
    if isinstance(gpu, str):
        return gpu
    details = {"count": gpu.count, "vram": gpu.vram, "driver": gpu.driver}
    return ", ".join([gpu.name, *(f"{key} {value}" for key, value in details.items() if value is not UNSET)])


def _given(call: Call) -> Iterator[Setting]:
    places: tuple[tuple[str, Sequence[str]], ...] = (
        ("python", (call.python,) if call.python else ()),
        ("venv", (call.venv,) if call.venv else ()),
        ("facts", (call.facts,) if call.facts else ()),
        ("need", call.need),
        ("require", call.require),
        ("ignore", call.ignore),
    )
    for option, values in places:
        key = f"target.{option}" if option in ("python", "venv", "facts") else option
        yield from (Setting(key, value, f"--{option}") for value in values)


def _level(call: Call, policy: Policy) -> Iterator[Setting]:
    if call.fail_on is not None:
        yield Setting("fail-on", call.fail_on, "--fail-on")
    elif policy.keys.fail_on is not UNSET:
        yield Setting("fail-on", policy.keys.fail_on, policy.source.origin(("fail-on",)))
    else:
        yield Setting("fail-on", DEFAULT_LEVEL, "default")
