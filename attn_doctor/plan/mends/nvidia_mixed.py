"""CUDA libraries of two majors write the same files: the one that is not torch's goes, torch's comes anew."""

from __future__ import annotations

from collections.abc import Iterator

from attn_doctor.judgement.rules.nvidia_libraries_mixed import SHARED
from attn_doctor.knowledge.versions import major
from attn_doctor.plan import steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Change, Step

# another framework may have brought them: then both stay
DEMANDED = """\
import importlib.metadata as metadata, re, sys
def tidy(name):
    return re.sub("[-_.]+", "-", str(name)).lower()
for one in metadata.distributions():
    for wanted in one.requires or ():
        name = tidy(re.match("[A-Za-z0-9._-]+", wanted)[0])
        if name in sys.argv[1:] and "extra" not in wanted.partition(";")[2] and tidy(one.metadata["Name"]) != "torch":
            sys.exit(str(one.metadata["Name"]) + " demands " + name + ": both stay as they are")"""


def parts(ailing: Ailing) -> Iterator[Part]:
    machine = ailing.machine
    if machine.torch is None or machine.torch.cuda is None:
        return
    right = f"cu{major(machine.torch.cuda)}"
    own = [f"{name}-{right}" for name in SHARED if f"{name}-{right}" in machine.packages]
    odd = [name for name in machine.packages if name.startswith(tuple(f"{one[: -len(right)]}cu" for one in own))]
    odd = [name for name in odd if name not in own]
    kept = [name for name in own if any(other.startswith(name[: -len(right)]) for other in odd)]
    if not odd:
        return
    why = f"{', '.join(odd)} and {', '.join(kept)} write the same files, and torch is CUDA {machine.torch.cuda}"
    wanted = [f"{name}=={machine.packages[name].version}" for name in kept]
    again = "--reinstall" if steps.uses_uv(machine) else "--force-reinstall"
    asked = Step(
        id="demanded",
        title=f"see that nothing else demands {', '.join(odd)}",
        kind="check",
        command=(steps.python(machine), "-c", steps.program(machine, DEMANDED), *odd),
    )
    yield Part(
        cures=("AD316",),
        title=f"without {', '.join(odd)}",
        why=why,
        steps=(
            asked,
            _parts.uninstall(machine, *odd, why=why),
            steps.install(
                machine,
                f"write the files of {', '.join(kept)} anew: they went with the others",
                again,
                "--no-deps",
                *wanted,
            ),
        ),
        changes=(
            *_parts.gone(machine, *odd),
            *(Change(name, machine.packages[name].version, machine.packages[name].version) for name in kept),
        ),
    )


MEND = Mend("nvidia_mixed", 47, ("AD316",), parts, even_info=("AD316",))
