"""Who and where stand in no output: home folder, user, host, credentials. And what is left can still be used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from attn_doctor.execute import privacy
from attn_doctor.execute.privacy import Who, who
from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import parse
from attn_doctor.judgement.report import Finding, Report
from attn_doctor.machine import gather
from attn_doctor.machine.facts import Known, Unknown
from attn_doctor.machine.whatif import simulate
from attn_doctor.reporters import formats, reporter
from support import run_cli

ALICE = who(["/home/alice"], ["alice"], ["node017.cluster.example"], [b"hunter2hunter2"])
IN_A_SHELL = shutil.which("bash") is not None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("/home/alice/p/.venv/bin/python -m pip install x", "~/p/.venv/bin/python -m pip install x"),
        ("'/home/alice/my p/bin/python' -m pip", "~/'my p/bin/python' -m pip"),
        ("uv pip install --python /home/alice/p/bin/python", "uv pip install --python ~/p/bin/python"),
        ("pip install --target=/home/alice/x", "pip install --target=$HOME/x"),
        ("export LD_LIBRARY_PATH=/home/alice/a:/home/alice/b", "export LD_LIBRARY_PATH=$HOME/a:$HOME/b"),
        ("export X='a b:/home/alice/c d'", "export X='a b:'\"$HOME\"'/c d'"),
        ("rm -rf '/scratch/alice/a b'", "rm -rf '/scratch/'\"$USER\"'/a b'"),
        ("ls /scratch/alice_x", "ls /scratch/${USER}_x"),
        ("rm -rf /scratch/alice/a /home/alicea", "rm -rf /scratch/$USER/a /home/alicea"),
        ("cat /local/node017/x", "cat /local/$HOSTNAME/x"),
        ("pip install -i https://me:hunter2hunter2@idx/simple x", "pip install -i https://****@idx/simple x"),
        ("pip install torch==2.8.0", "pip install torch==2.8.0"),
    ],
)
def test_commands(text: str, wanted: str) -> None:
    assert privacy.command(text, ALICE) == wanted
    assert privacy.command(wanted, ALICE) == wanted


@pytest.mark.skipif(not IN_A_SHELL, reason="no bash here")
@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(("", "--to=", "a:", "/mnt")),
            st.sampled_from(("/home/alice", "/scratch/alice", "/opt/node017")),
            st.text("ab_/-$'\"~. ", max_size=8),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_cleaned_command_means_the_same_to_a_shell(words: list[tuple[str, str, str]]) -> None:
    import shlex

    given = ["".join(one) for one in words]
    cleaned = privacy.command(shlex.join(given), ALICE)
    assert "alice" not in cleaned.replace("alicea", "").replace("aliceb", "")
    assert "node017" not in cleaned.replace("node017a", "").replace("node017b", "")
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {cleaned}"],
        env={"HOME": "/home/alice", "USER": "alice", "HOSTNAME": "node017"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split("\0")[:-1] == given


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("seen in /home/alice/x, and in /home/alice.", "seen in ~/x, and in ~."),
        ("/home/alicea/x", "/home/alicea/x"),
        ("/mnt/home/alice/x", "/mnt/home/$USER/x"),
        ("file:///home/alice/x", "file://~/x"),
        ("alice", "$USER"),
        ("node017.cluster.example does not answer", "$HOSTNAME does not answer"),
        ("alice in wonderland", "alice in wonderland"),  # a name may be a word
        ("https://h/t/tk-1234-abcd/channel", "https://h/t/****/channel"),
    ],
)
def test_sentences(text: str, wanted: str) -> None:
    assert privacy.said(text, ALICE) == wanted


def test_windows_paths_in_any_spelling() -> None:
    of = who([r"C:\Users\alice"], ["alice"], [], [])
    assert privacy.said(r"in c:\users\Alice\x and C:/Users/alice/y", of) == r"in ~\x and ~/y"
    assert privacy.command(r"C:\Users\alice\v\Scripts\python.exe -m pip", of) == r"~\v\Scripts\python.exe -m pip"


def test_what_many_share_is_no_name() -> None:
    of = who(["/root", "/", "", "relative"], ["root", "a", ""], ["localhost", "x"], [])
    assert of == Who(homes=("/root",))
    facts = simulate(())
    assert privacy.cleaned_facts(facts, of) == facts


@pytest.mark.parametrize(
    ("folder", "text", "wanted"),
    [
        ("/srv/home", "/srv/home/p/.venv", "/home/user/p/.venv"),
        ("/srv/home", "/srv/home", "/home/user"),
        (
            "/srv/home",
            "'/srv/home' and \"/srv/home\", /srv/home too",
            "'/home/user' and \"/home/user\", /home/user too",
        ),
        ("/srv/home", "/srv/home/a:/srv/home/b", "/home/user/a:/home/user/b"),
        (
            "/srv/home",
            "/srv/homes/p /srv/home-2 /mnt/srv/home/x a/srv/home",
            "/srv/homes/p /srv/home-2 /mnt/srv/home/x a/srv/home",
        ),
        ("/srv/home", "at home on /srv", "at home on /srv"),
        (r"D:\data", r"d:\data\p and D:/data", "/home/user\\p and /home/user"),
        ("/root", "/root/p", "/root/p"),
        ("/home/ubuntu", "/home/ubuntu/p", "/home/ubuntu/p"),
        ("/usr/local", "/usr/local/cuda", "/usr/local/cuda"),
    ],
)
def test_a_home_whose_last_part_is_a_common_word(folder: str, text: str, wanted: str) -> None:
    of = who([folder], [], [], [])
    facts = simulate(())
    holding = msgspec.structs.replace(facts, readings=facts.readings | {"environment": Known({"X": text}, source="x")})
    cleaned = privacy.cleaned_facts(holding, of)
    assert cleaned.readings["environment"].value["X"] == wanted
    assert privacy.cleaned_facts(cleaned, of) == cleaned


names = st.from_regex(r"\A[a-z][a-z0-9]{5,12}\Z").filter(lambda name: name not in privacy.GENERIC)
secrets = st.from_regex(r"\A[A-Za-z0-9._~+-]{8,24}\Z")


def planted(home: str, user: str, host: str, secret: str) -> Report:
    """A report that holds all of it in every place that holds text."""
    at = f"{home}/proj/.venv"
    said = f"{at}/bin: see https://{user}:{secret}@{host}.corp.example/simple?token={secret} in /scratch/{user}/x"
    facts = simulate(("torch=2.13.0+cpu", "gpu=NVIDIA L4"))
    old = facts.readings["python"].value
    readings = facts.readings | {
        "python": Known(
            msgspec.structs.replace(old, prefix=at, executable=f"{at}/bin/python"), source=f"{at}/pyvenv.cfg"
        ),
        "environment": Known({"LD_LIBRARY_PATH": f"{home}/lib:/opt/{host}/lib", "PIP_CONSTRAINT": said}, source=said),
        "compiler": Unknown(said),
    }
    facts = msgspec.structs.replace(facts, readings=readings)
    report = check(facts, parse(()))
    fixes = (f"{at}/bin/python -m pip install -i https://{user}:{secret}@h/s x", f"'{home}/a b/py' /scratch/{user}")
    finding = Finding(
        code="AD103", severity="error", title=f"at {at}", detail=said, evidence=(said,), docs="", fix=fixes,
    )  # fmt: skip
    return msgspec.structs.replace(
        report,
        findings=(finding,),
        unreadable=(f"torch: {said}",),
        backends=tuple(msgspec.structs.replace(one, reasons=(said,)) for one in report.backends),
        recommendation=msgspec.structs.replace(report.recommendation, why=(said,), next_step=f"{at}/python {secret}"),
        skipped=tuple(msgspec.structs.replace(one, reason=said) for one in report.skipped),
    )


@settings(max_examples=15)
@given(
    names,
    names,
    names,
    secrets,
    st.sampled_from(
        (
            *("/home/{}", "/Users/{}", "/nfs/home7/{}", "/data/{}", "C:/Users/{}"),
            *("/nfs/{}/home", "/{}/data", "/srv/{}/users", "D:/{}/work"),
        )
    ),
)
def test_nothing_planted_is_in_any_output(home: str, user: str, host: str, secret: str, root: str) -> None:
    assume(len({home, user, host, secret}) == 4)
    assume(
        not any(
            one in other for one in (home, user, host, secret) for other in (home, user, host, secret) if one != other
        )
    )
    folder = root.format(home)
    report = planted(folder, user, host, secret)
    plain = json.dumps(msgspec.to_builtins(planted("/h", "u", "k", "s")))
    assume(not any(one in plain for one in (home, user, host, secret)))  # a word of ours, not theirs
    account = home if root.endswith("{}") else "home"  # what the whole path says, its last part may not
    of = who([folder], [user, account], [f"{host}.corp.example"], [secret.encode()])
    cleaned = privacy.cleaned(report, of)
    for form in formats():
        for verbose in (False, True):
            said = reporter(form)(cleaned, verbose=verbose, elapsed_s=None, plain=True)
            assert not [one for one in (home, user, host, secret) if one in said], form
    facts = gather.encode(privacy.cleaned_facts(report.facts, of)).decode()
    assert not [one for one in (home, user, host, secret) if one in facts]


def test_facts_stay_facts() -> None:
    """What rules compare stays as it was to each other, and cleaning twice changes nothing."""
    report = planted("/home/alice", "alice", "node017", "hunter2hunter2")
    once = privacy.cleaned_facts(report.facts, ALICE)
    assert once.readings["python"].value.executable == "/home/user/proj/.venv/bin/python"
    assert once.readings["environment"].value["LD_LIBRARY_PATH"] == "/home/user/lib:/opt/host/lib"
    again = gather.decode(gather.encode(once), "facts")
    assert again == once
    assert privacy.cleaned_facts(again, privacy.both(ALICE, privacy.of_facts(again))) == once
    verdicts = [[(one.name, one.status) for one in check(facts, parse(())).backends] for facts in (report.facts, again)]
    assert verdicts[0] == verdicts[1]


def test_facts_of_another_machine_are_cleaned_by_their_own_paths() -> None:
    report = planted("/home/alice", "alice", "idx", "hunter2hunter2")
    of = privacy.of_facts(report.facts)
    assert of.homes == ("/home/alice",)
    assert of.users == ("alice",)
    assert "alice" not in json.dumps(msgspec.to_builtins(privacy.cleaned(report, of)))


# --- as a person calls it

NAME, HOST, SECRETS = (
    "quillsworth",
    "brackenfell",
    ("pw-of-the-index", "pw-of-the-proxy", "tok-of-a-wheel", "hub-token-1234"),
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of somebody, with a project and an environment in it; secrets in every place that holds some."""
    home = tmp_path_factory.mktemp("people") / NAME
    project = home / "proj"
    project.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(project / ".venv")], check=True, timeout=60)
    site = next((project / ".venv").glob("[Ll]ib*/**/site-packages"))
    (site / "torch").mkdir()
    (site / "torch" / "version.py").write_text("__version__ = '2.8.0+cu128'\ncuda = '12.8'\nhip = None\n")
    for name, version in (("torch", "2.8.0+cu128"), ("flash_attn", "2.8.3")):
        (site / f"{name}-{version}.dist-info").mkdir()
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    address = f"https://{NAME}:{SECRETS[2]}@{HOST}.corp.example/flash_attn-2.8.3-cp312-cp312-linux_x86_64.whl?token={SECRETS[2]}"
    (site / "flash_attn-2.8.3.dist-info" / "direct_url.json").write_text(json.dumps({"url": address}))
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(
        f"[global]\nindex-url = https://{NAME}:{SECRETS[0]}@{HOST}.corp.example/simple\n"
    )
    return home


def surroundings(home: Path) -> dict[str, str | None]:
    return {
        "HOME": str(home),
        "USER": NAME,
        "LOGNAME": NAME,
        "HOSTNAME": f"{HOST}.corp.example",
        "HTTPS_PROXY": f"http://{NAME}:{SECRETS[1]}@{HOST}:3128",
        "PIP_INDEX_URL": f"https://{NAME}:{SECRETS[0]}@{HOST}/simple",
        "PIP_CONSTRAINT": f"https://{NAME}:{SECRETS[0]}@{HOST}/constraints.txt",
        "HF_TOKEN": SECRETS[3],
        "CUDA_HOME": str(home / "cuda 12"),
        "LD_LIBRARY_PATH": f"{home}/lib:/opt/{HOST}/lib:/scratch/{NAME}/lib",
        "PYTHONPATH": f"/scratch/{NAME}/{SECRETS[3]}",
        "XDG_CONFIG_HOME": None,
        "XDG_CACHE_HOME": str(home / ".cache"),
        "VIRTUAL_ENV": None,
    }


CALLS: list[tuple[Any, ...]] = [
    *(("check", "-v", "--format", form) for form in formats()),
    ("check", "--format", "text"),
    ("facts",),
]


@pytest.mark.parametrize("call", CALLS, ids="-".join)
def test_a_person_stays_private(home: Path, call: tuple[str, ...]) -> None:
    ran = run_cli(*call, env=surroundings(home), cwd=home / "proj")
    assert ran.code in (0, 1), ran
    assert len(ran.out) > 400
    said = ran.out + ran.err
    assert not [one for one in (NAME, HOST, *SECRETS) if one in said], said


OTHERS = [
    *(("issue", project) for project in ("pytorch", "flash-attention", "transformers", "vllm", "xformers")),
    ("resolve", "--format", "json"),
    ("history",),
    ("wheels", "flash_attention_2"),
    ("snippet", "transformers"),
    ("docker",),
    ("explain", "build.log", "--format", "json"),
    ("explain", "build.log", "-v"),
]


@pytest.mark.parametrize("call", OTHERS, ids="-".join)
def test_a_person_stays_private_elsewhere(home: Path, call: tuple[str, ...]) -> None:
    (home / "proj" / "build.log").write_text(
        f"Looking in indexes: https://{NAME}:{SECRETS[0]}@{HOST}.corp.example/simple\n"
        f"  Downloading https://{HOST}.corp.example/flash_attn-2.8.3.tar.gz?token={SECRETS[2]}\n"
        f"ImportError: {home}/proj/.venv/lib/flash_attn_2_cuda.so: undefined symbol: _ZN3c105ErrorC2\n"
        f"ERROR: No matching distribution found for flash-attn==9.9 (see /scratch/{NAME}/pip.log, {SECRETS[3]})\n"
    )
    ran = run_cli(*call, env=surroundings(home), cwd=home / "proj")
    assert ran.code in (0, 1), ran
    said = ran.out + ran.err
    assert said
    assert not [one for one in (NAME, HOST, *SECRETS) if one in said], said


@pytest.mark.parametrize("form", ["text", "json", "sh"])
def test_a_plan_has_real_paths_and_no_secrets(home: Path, form: str) -> None:
    ran = run_cli("install", "--dry-run", "--format", form, env=surroundings(home), cwd=home / "proj")
    assert ran.code in (0, 1), ran
    assert not [one for one in SECRETS if one in ran.out + ran.err], ran


def test_what_is_left_can_be_used(home: Path) -> None:
    there = surroundings(home)
    text = run_cli("check", env=there, cwd=home / "proj").out
    assert text.startswith("target  .venv · Python ")
    facts = run_cli("facts", env=there, cwd=home / "proj")
    as_is = run_cli("facts", "--as-is", env=there, cwd=home / "proj")
    assert as_is.json()["readings"]["python"]["value"]["prefix"] == str(home / "proj" / ".venv")
    assert not [one for one in SECRETS if one in as_is.out]
    reports = [
        run_cli(
            "check", "--facts", "-", "--format", "json", input=ran.out, env={"HOME": "/nonexistent"}, cwd="/"
        ).json()
        for ran in (facts, as_is)
    ]
    assert [one["status"] for one in reports[0]["backends"]] == [one["status"] for one in reports[1]["backends"]]
    assert [one["code"] for one in reports[0]["findings"]] == [one["code"] for one in reports[1]["findings"]]
    assert os.path.basename(home) == NAME
