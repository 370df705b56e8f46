from __future__ import annotations

import os
import sys

import msgspec
import pytest

from attn_doctor.machine.facts import Unknown
from attn_doctor.machine.host import LiveHost
from attn_doctor.machine.probes.disk import PROBE, Place
from attn_doctor.machine.probes.memory import GIB
from support import Described, ask, value

HOME = {"HOME": "/home/ada"}


def test_the_places_in_order_and_rounded() -> None:
    disks = {
        "/venv": (100 * GIB + 7, 200 * GIB, ""),
        "/tmp": (GIB - 1, 2 * GIB, "noexec"),
        "/home/ada/.cache": (5 * GIB, 6 * GIB, "ro,noexec"),
    }
    assert value(ask(PROBE, Described(disks=disks, env=HOME))).places == (
        Place("target", "/venv", 100 * GIB),
        Place("temporary", "/tmp", GIB - GIB // 8, noexec=True),
        Place("cache", "/home/ada/.cache", 5 * GIB, noexec=True, read_only=True),
    )


def test_variables_move_them() -> None:
    disks = {"/venv": (0, 0, ""), "/scratch": (GIB, GIB, ""), "/big/cache": (GIB, GIB, "")}
    env = HOME | {"TMPDIR": "/scratch", "XDG_CACHE_HOME": "/big/cache"}
    assert [place.path for place in value(ask(PROBE, Described(disks=disks, env=env))).places] == [
        "/venv",
        "/scratch",
        "/big/cache",
    ]


@pytest.mark.parametrize("there", ["/big/cache", "/big", "/"])
def test_a_folder_that_is_yet_to_be_made_has_the_space_of_what_it_will_stand_in(there: str) -> None:
    machine = Described(disks={there: (3 * GIB, 9 * GIB, "")}, env=HOME | {"XDG_CACHE_HOME": "/big/cache/new"})
    assert Place("cache", "/big/cache/new", 3 * GIB - 0) in value(ask(PROBE, machine)).places


def test_no_file_system_answers() -> None:
    assert isinstance(ask(PROBE, Described(env=HOME)), Unknown)


@pytest.mark.skipif(not hasattr(os, "statvfs"), reason="needs statvfs")
def test_a_real_file_system_against_the_standard_library() -> None:
    import shutil

    free, total, flags = LiveHost().disk("/") or (0, 0, "?")
    usage = shutil.disk_usage("/")
    assert total == usage.total
    assert abs(free - usage.free) < GIB
    assert set(flags.split(",")) <= {"", "ro", "noexec"}


@pytest.mark.skipif(not os.path.ismount("/proc"), reason="needs /proc")
def test_mount_flags_of_a_real_mount() -> None:
    with open("/proc/mounts", encoding="utf-8") as mounts:
        rows = [line.split() for line in mounts]
    options = {row[1]: row[3].split(",") for row in rows}
    found = [(path, flags) for path, flags in options.items() if path in ("/proc", "/sys", "/dev/pts", "/")]
    for path, flags in found:
        answer = LiveHost().disk(path)
        assert answer is not None
        assert ("noexec" in answer[2]) == ("noexec" in flags), path


MOUNTINFO = r"""23 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
28 1 259:2 / / rw,relatime - ext4 /dev/root rw
741 28 0:57 / /venv rw,relatime shared:1 master:2 - tmpfs none rw,size=1048576k
742 28 259:2 /var/lib/a /data/with\040blanks rw,relatime - ext4 /dev/root rw
half a line
"""


def test_a_target_that_is_a_file_system_of_its_own() -> None:
    disks = {"/": (GIB, GIB, "")}
    on_a_volume = Described({"/proc/self/mountinfo": MOUNTINFO}, disks=disks, env=HOME)
    assert value(ask(PROBE, on_a_volume)).mounts == ("/venv",)
    elsewhere = Described(
        {"/proc/self/mountinfo": MOUNTINFO}, disks=disks, env=HOME, links={"/venv": "/data/with blanks"}
    )
    assert value(ask(PROBE, elsewhere)).mounts == ("/data/with blanks",), "by the real path, blanks and all"
    inside = Described({"/proc/self/mountinfo": MOUNTINFO}, disks=disks, env=HOME, links={"/venv": "/data"})
    assert value(ask(PROBE, inside)).mounts == ()
    assert value(ask(PROBE, Described(disks=disks, env=HOME))).mounts == (), "where nobody tells, none"


def test_its_copies_lie_in_it_and_it_is_not_made_anew() -> None:
    from attn_doctor.judgement.view import Machine
    from attn_doctor.machine import whatif
    from attn_doctor.machine.facts import Known
    from attn_doctor.machine.gather import Facts
    from attn_doctor.machine.probes.disk import Disk
    from attn_doctor.machine.probes.python import Python
    from attn_doctor.plan import steps
    from attn_doctor.plan.mends import _anew

    facts = whatif.simulate(["torch=2.8.0+cpu"])
    plain = Machine(facts).python
    assert isinstance(plain, Python)
    python = Known(
        msgspec.structs.replace(plain, executable=sys.executable, prefix="/venv", real_prefix="/venv", kind="venv"), "x"
    )

    def machine(*mounts: str) -> Machine:
        disk = Known(Disk((Place("target", "/venv", 9 * GIB),), mounts), "x")
        return Machine(Facts(readings=facts.readings | {"disk": disk, "python": python}))

    here, there = steps.kept(machine("/venv")) or ("", "")
    assert (here, there.rpartition("-")[0]) == ("/venv", "/venv/.attn-doctor/before")
    assert steps.aside(here, there) == there.replace("before-", "failed-")
    here, there = steps.kept(machine()) or ("", "")
    assert (here, there.rpartition("-")[0]) == ("/venv", "/venv.before")
    assert steps.aside(here, there) == there.replace(".before-", ".failed-")
    assert _anew.possible(machine())
    assert not _anew.possible(machine("/venv")), "to make it anew would take the copies in it along"
    changed = whatif.apply(machine("/venv").facts, ["disk=2GiB"])
    assert Machine(changed).mounts == ("/venv",)
