"""An older install of a package that is still there beside the newer one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from attn_doctor.judgement.rules.stale_egg import EGGS
from attn_doctor.machine.facts import Known
from attn_doctor.plan import steps
from attn_doctor.plan.mends import _parts
from attn_doctor.plan.mends._mend import Ailing, Mend, Part
from attn_doctor.plan.plan import Step

# the record that says what the files say is the one that stays
FILES_SAY = """\
import os, re, sys
module, *paths = sys.argv[1:]
init = os.path.join(os.path.dirname(paths[0]), module, "__init__.py")
text = open(init, encoding="utf-8").read() if os.path.exists(init) else ""
found = re.search("__version__ *= *.([0-9][0-9A-Za-z.+]*)", text)
for path in paths:
    stated = os.path.basename(path).split("-")[1].removesuffix(".dist-info").removesuffix(".egg-info")
    if found and stated.split("+")[0] == found[1].split("+")[0]:
        sys.exit("the files of " + module + " are " + found[1] + ", as " + path + " says: install it anew instead")"""


def parts(ailing: Ailing) -> Iterator[Part]:
    machine, finding = ailing.machine, ailing.findings["AD318"]
    words = shlex.split(finding.fix[-1]) if machine.os != "windows" else []
    paths = tuple(word for word in words if word.startswith("/"))
    if not paths:
        return
    leftovers = machine.facts.readings.get("leftovers")
    rivals = leftovers.value.rivals if isinstance(leftovers, Known) else ()
    names = ", ".join(path.rpartition("/")[2] for path in paths)
    module = paths[0].rpartition("/")[2].partition("-")[0]
    look = Step(
        id="files",
        title=f"see that the files of {module} are not those that go",
        kind="check",
        command=(steps.python(machine), "-c", steps.program(machine, FILES_SAY), module, *paths),
    )
    yield Part(
        cures=("AD318",),
        title=names,
        why=f"{names}: an older install of a package that is there anew",
        steps=(
            *(() if paths[0].endswith(EGGS) else (look,)),
            _parts.remove(machine, paths, f"delete the older install of {module}, which takes the place of the newer"),
        ),
        removed=paths,
        stays=tuple(path for path in rivals if path not in paths),
    )


MEND = Mend("stale_egg", 12, ("AD318",), parts)
