"""The facts as they will be once a part is carried out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from attn_doctor.machine import whatif
from attn_doctor.machine.facts import Absent, AnyReading, Known
from attn_doctor.machine.gather import Facts
from attn_doctor.machine.target import normalise
from attn_doctor.plan.mends._mend import Part

FORESEEN = "what the plan does"


def after(facts: Facts, part: Part) -> Facts:
    """What is changed is imagined, what is removed is gone; what was imported before says nothing any more."""
    found = whatif.apply(facts, list(_assignments(part)))
    readings = dict(found.readings)
    for name, alter in (("leftovers", _without), ("torch", _fewer_records)):
        reading = readings.get(name)
        if isinstance(reading, Known):
            readings[name] = Known(alter(reading.value, part.removed), reading.source)
    _records(readings, part)
    _imports(readings, part)
    _libraries(readings, part)
    readings |= {name: Known(value, FORESEEN) for name, value in part.readings.items()}
    return Facts(schema=found.schema, version=found.version, readings=readings)


def _assignments(part: Part) -> Iterator[str]:
    for change in part.changes:
        shown = change.after if change.after and change.after[:1].isdigit() else None
        version = part.built.get(change.package, shown)
        if change.package == "torch" and version:
            yield f"torch={version}"
        yield f"pkg.{change.package}={version or 'none'}"


def _without(leftovers: Any, removed: tuple[str, ...]) -> Any:
    copies = [
        (copy, version)
        for copy, version in zip(leftovers.torch_copies, leftovers.torch_versions, strict=False)
        if copy not in removed
    ]
    return replace(
        leftovers,
        half_removed=tuple(path for path in leftovers.half_removed if path not in removed),
        rivals=_rivals(tuple(path for path in leftovers.rivals if path not in removed)),
        torch_copies=tuple(copy for copy, _ in copies) or tuple(set(leftovers.torch_copies) - {*removed}),
        torch_versions=tuple(version for _, version in copies) if len(copies) > 1 else (),
    )


def _records(readings: dict[str, AnyReading], part: Part) -> None:
    """Of two records of one package the other one counts, once the first is gone."""
    packages = readings.get("packages")
    if not isinstance(packages, Known):
        return
    found = dict(packages.value)
    for path in part.removed:
        name, version = _stated(path)
        other = next((_stated(one)[1] for one in part.stays if _stated(one)[0] == name), None)
        if name in found and other and found[name].version.partition("+")[0] == version:
            found[name] = replace(found[name], version=other)
    readings["packages"] = Known(found, packages.source)


def _stated(path: str) -> tuple[str, str]:
    """('flash-attn', '2.7.0') of flash_attn-2.7.0-py3.11-linux-x86_64.egg and of flash_attn-2.7.0.dist-info."""
    name, _, rest = path.rpartition("/")[2].rpartition(".")[0].partition("-")
    return normalise(name), rest.partition("-py3")[0].partition("+")[0]


def _rivals(paths: tuple[str, ...]) -> tuple[str, ...]:
    """One alone is nobody's rival."""
    names = [path.rpartition("/")[2].partition("-")[0] for path in paths]
    return tuple(path for path, name in zip(paths, names, strict=True) if names.count(name) > 1)


def _fewer_records(torch: Any, removed: tuple[str, ...]) -> Any:
    gone = {path.rpartition("/")[2] for path in removed}
    return replace(torch, records=tuple(record for record in torch.records if record not in gone))


def _imports(readings: dict[str, AnyReading], part: Part) -> None:
    deep = readings.get("deep")
    moved = {change.package for change in part.changes}
    if not isinstance(deep, Known) or "deep" in part.readings:
        return
    if "torch" in moved or "python" in part.readings or any(name.startswith("nvidia-") for name in moved):
        readings["deep"] = Absent((FORESEEN,))
        return
    readings["deep"] = Known({name: one for name, one in deep.value.items() if name not in moved}, deep.source)


def _libraries(readings: dict[str, AnyReading], part: Part) -> None:
    """A library of torch's that comes anew is found again."""
    extensions = readings.get("extensions")
    if isinstance(extensions, Known) and any(change.package.startswith("nvidia-") for change in part.changes):
        readings["extensions"] = Known(replace(extensions.value, torch=None), extensions.source)
