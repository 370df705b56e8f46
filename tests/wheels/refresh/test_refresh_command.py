"""`attn-doctor wheels refresh` against a server on loopback: what is published, and everything that goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

import attn_doctor
import imagined
from attn_doctor.wheels import catalogue, embedded
from attn_doctor.wheels.refresh.run import Refreshed
from refresh.world import OFFICIAL, RELEASES, REPOSITORIES, asset, digest, fail, release, say
from support import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.server import BaseHTTPRequestHandler

    from refresh.world import World
    from support import Ran

NEW = "flash_attn-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl"
LYING = "flash_attn-2.9.0+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl"
# of v2.7.4.post1: in the embedded catalogue because the build matrix says so
DERIVED = "flash_attn-2.7.4.post1+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl"
GITHUB = set(REPOSITORIES)
needs_posix = pytest.mark.skipif(os.name == "nt", reason="signals, limits and /proc")
DAY = time.strftime("%Y-%m-%d", time.gmtime())


def files(cache: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(cache.rglob("*")) if path.is_file()}


def copy_of(cache: Path) -> Path:
    return cache / "attn-doctor" / "wheels" / "catalogue"


# what is published


def test_a_new_release_is_found_with_its_digest(world: World, refresh: Any, found: Any, wheels: Any) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW, LYING, "flash_attn-2.9.0.tar.gz", "flash_attn-2.9.0-x.whl")]
    assert NEW not in found("--version", "2.9.0")
    document = refresh()
    official = document["by_name"]["fa-official"]
    assert (official["state"], official["new"], official["gone"], official["skipped"]) == ("refreshed", 2, 0, 1)
    assert document["as_of"] == DAY
    wheel = found("--version", "2.9.0")[NEW]
    assert (wheel["sha256"], wheel["size_bytes"]) == (digest(NEW), 1000 + len(NEW))
    assert (wheel["evidence"], wheel["confidence"], wheel["as_of"]) == ("listed", "high", DAY)
    assert wheel["url"].endswith(f"/v2.9.0/{NEW.replace('+', '%2B')}")
    keys = ("gpu=NVIDIA L4", "torch=2.8.0+cu128")
    answer = wheels("--facts", "-", "--format", "json", input=imagined.facts(*keys)).json()
    assert (answer["fitting"][0]["filename"], answer["as_of"], answer["stale"]) == (NEW, DAY, False)


def test_the_label_that_lies_is_known_of_new_files_too(world: World, refresh: Any, found: Any) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", LYING)]
    refresh()
    wheel = found("--version", "2.9.0")[LYING]
    assert (wheel["cxx11abi"], wheel["label_lies"]) == (True, True)


def test_the_second_time_nothing_has_changed(world: World, refresh: Any, cache: Path) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    refresh()
    before = files(cache)
    world.log.clear()
    document = refresh()
    assert {one["state"] for one in document["sources"]} == {"unchanged"}
    assert {one["new"] + one["gone"] for one in document["sources"]} == {0}
    statuses = [status for _, _, status in world.log if status != 404]
    assert statuses
    assert set(statuses) == {304}
    assert files(cache) == before


def test_pages_are_followed_and_each_has_its_own_etag(world: World, refresh: Any) -> None:
    world.page_size = 2
    names = [NEW.replace("2.9.0", f"2.9.{patch}") for patch in range(5)]
    world.releases[OFFICIAL] = [release(f"v2.9.{patch}", name) for patch, name in enumerate(names)]
    assert refresh("--source", "fa-official")["by_name"]["fa-official"]["new"] == 5
    assert [path.rpartition("=")[2] for path, _, _ in world.asked(RELEASES)] == ["30", "2", "3"]
    world.log.clear()
    world.releases[OFFICIAL][4]["assets"].append(asset(LYING))
    official = refresh("--source", "fa-official")["by_name"]["fa-official"]
    assert (official["state"], official["new"]) == ("refreshed", 1)
    assert [status for _, _, status in world.log] == [304, 304, 200]


def test_a_name_that_only_followed_from_the_matrix_goes(world: World, refresh: Any, found: Any) -> None:
    assert found("--version", "2.7.4.post1")[DERIVED]["evidence"] == "derived-from-matrix"
    kept = [name for name in found("--version", "2.7.4.post1", "--source", "fa-official") if name != DERIVED]
    other = set(found("--version", "2.7.4", "--source", "fa-official"))
    world.releases[OFFICIAL] = [release("v2.7.4.post1", *kept)]
    official = refresh()["by_name"]["fa-official"]
    assert (official["new"], official["gone"]) == (0, 1)
    after = found("--version", "2.7.4.post1", "--source", "fa-official")
    assert set(after) == set(kept)
    assert {wheel["evidence"] for wheel in after.values()} == {"listed"}
    assert set(found("--version", "2.7.4", "--source", "fa-official")) == other, "a release that is not listed stays"


def test_what_only_we_know_stays(world: World, refresh: Any, found: Any) -> None:
    lying = "flash_attn-2.8.3+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl"

    def of_the_release() -> Any:
        every = found("--version", "2.8.3", "--source", "fa-official")
        return {name: wheel for name, wheel in every.items() if wheel["tag"] == "v2.8.3"}

    before = of_the_release()
    world.releases[OFFICIAL] = [release("v2.8.3", *before)]
    refresh()
    after = of_the_release()
    assert after[lying]["label_lies"]
    same = ("cxx11abi", "label_lies", "gpu_code", "needs_glibc", "built_with_torch", "note", "torch", "cuda")
    assert {name: [wheel[key] for key in same] for name, wheel in after.items()} == {
        name: [wheel[key] for key in same] for name, wheel in before.items()
    }
    assert {wheel["sha256"] for wheel in after.values()} == {digest(name) for name in after}


def test_an_empty_release_takes_the_derived_names_and_keeps_the_seen_ones(world: World, refresh: Any) -> None:
    seen = {wheel.evidence for wheel in catalogue.wheels("flash-attn") if wheel.tag == "v2.8.0"}
    assert seen == {"derived-from-matrix"}
    world.releases[OFFICIAL] = [release("v2.8.0"), release("v2.8.2")]
    assert refresh()["by_name"]["fa-official"]["gone"] == 38


def test_drafts_and_unfinished_uploads_are_not_published(world: World, refresh: Any) -> None:
    world.releases[OFFICIAL] = [
        release("v2.9.0", NEW, draft=True),
        release("v2.9.1", assets=[asset(NEW, state="starter")]),
        release("v2.9.2#fragment", NEW),
    ]
    assert refresh()["by_name"]["fa-official"]["new"] == 0


GARBAGE = [
    "flash_attn-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.exe.whl",
    "flash_attn-2.9.0+cu12torch2.8-cp312-cp312-linux_x86_64.whl",
    "flash_attn-2.9.0-cp312-cp312-linux_x86_64.whl",
    "flash_attn-2.9.0+rocm62torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
    "flash_attn-2.9.0+cu12torch2.8cxx11abiMAYBE-cp312-cp312-linux_x86_64.whl",
    "flash_attn-2.9.0%2Bcu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
    "flash_attn-two+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
    "flash_attn-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-musllinux_1_2_x86_64.whl",
    "flash_attn-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64\n.whl",
    "flash_attn-\u0662.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
    "numpy-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
    "../../flash_attn-2.9.0+cu12torch2.8cxx11abiTRUE-cp312-cp312-linux_x86_64.whl",
    "\x1b[2J.whl",
    ".whl",
    "-" * 5000 + ".whl",
]


def test_names_that_are_not_understood_are_counted_and_left_out(world: World, refresh: Any, wheels: Any) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", *GARBAGE)]
    official = refresh()["by_name"]["fa-official"]
    assert (official["new"], official["skipped"]) == (0, len(GARBAGE))
    ran = wheels("refresh")
    assert f"fa-official: {len(GARBAGE)} names were not understood" in ran.out
    assert "\x1b" not in ran.out + ran.err


def test_a_link_list_does_not_repeat_what_a_release_lists(world: World, refresh: Any, found: Any) -> None:
    name = "sageattention-2.2.0+cu128torch2.9.0andhigher.post4-cp39-abi3-win_amd64.whl"
    rows = [wheel for wheel in catalogue.wheels("sageattention") if wheel.filename == name]
    assert {wheel.source for wheel in rows} == {"wildminder-list"}
    tag = "v2.2.0-windows.post4"
    world.releases["woct0rdho/SageAttention"] = [release(tag, name)]
    refresh()
    ran = found("--source", "wildminder-list")
    assert name not in ran
    wheel = found("sageattention")[name]
    assert (wheel["source"], wheel["torch"], wheel["sha256"]) == ("woct0rdho/SageAttention", ">=2.9.0", digest(name))


# the PyTorch index and the package index


def test_the_pytorch_index_gives_digests_and_the_files_of_each_directory(
    world: World, refresh: Any, wheels: Callable[..., Ran]
) -> None:
    def of_index(package: str, directory: str) -> Any:
        listed = wheels(package, "--all", "--source", "pytorch-index", "--format", "json").json()["fitting"]
        return [wheel for wheel in listed if wheel["tag"] == directory]

    fa3 = "flash_attn_3-3.0.0-cp39-abi3-manylinux_2_28_x86_64.whl"
    known = "xformers-0.0.35-py39-none-manylinux_2_28_x86_64.whl"
    unknown = "xformers-0.0.36-py39-none-manylinux_2_28_x86_64.whl"
    world.directories = {("cu128", "flash-attn-3"): [fa3], ("cu130", "xformers"): [known, unknown]}
    index = refresh()["by_name"]["pytorch-index"]
    assert index["skipped"] == 1, "nothing says which torch the new one is for"
    (wheel,) = of_index("fa3", "cu128")
    assert (wheel["filename"], wheel["sha256"], wheel["torch"]) == (fa3, digest(fa3), ">=2.9")
    (wheel,) = of_index("xformers", "cu130")
    assert (wheel["filename"], wheel["sha256"], wheel["torch"]) == (known, digest(known), ">=2.10")


@pytest.mark.parametrize("json_index", [True, False])
def test_a_new_xformers_is_believed_for_what_its_own_metadata_says(
    world: World, refresh: Any, found: Any, json_index: bool
) -> None:
    new = "xformers-0.0.36-py39-none-manylinux_2_28_x86_64.whl"
    world.json_index = json_index
    world.packages["xformers"] = [
        {"filename": new, "core-metadata": {"sha256": "0" * 64}, "data-core-metadata": "sha256=0"},
        {"filename": new.replace("0.0.36", "0.0.37"), "core-metadata": True, "data-core-metadata": "true"},
        {"filename": new.replace("0.0.36", "0.0.38"), "yanked": "broken", "data-yanked": "broken"},
    ]
    world.directories["cu128", "xformers"] = [new]
    world.metadata[f"{new}.metadata"] = "Metadata-Version: 2.1\nName: xformers\nRequires-Dist: torch==2.12.0\n"
    # the directory of the PyTorch index has the same file: so it is known for which CUDA it is
    document = refresh()
    pypi = document["by_name"]["pypi"]
    assert (pypi["new"], pypi["skipped"]) == (1, 1)
    wheel = found("xformers", "--source", "pypi", "--version", "0.0.36")[new]
    assert (wheel["torch"], wheel["cuda"], wheel["url"], wheel["sha256"]) == ("2.12.0", "cu128", None, digest(new))
    world.log.clear()
    refresh()
    assert world.asked(f"/files/{new}") == [], "asked once"


def test_both_forms_of_a_package_index_say_the_same(world: World, refresh: Any, found: Any, cache: Path) -> None:
    new = "flash_attn_4-4.0.0b99-py3-none-any.whl"
    file = {"filename": new, "requires-python": ">=3.11", "data-requires-python": "&gt;=3.11"}
    world.packages["flash-attn-4"].append(file)
    answers = []
    for json_index in (True, False):
        world.json_index = json_index
        refresh("--source", "pypi")
        answers.append({k: v for k, v in found("fa4")[new].items() if k != "size_bytes"})
    assert answers[0] == answers[1]
    assert (answers[0]["requires_python"], answers[0]["sha256"]) == (">=3.11", digest(new))


def test_credentials_of_an_index_are_used_and_never_shown(
    world: World, wheels: Callable[..., Ran], cache: Path
) -> None:
    index = f"http://some%40one:s3cr3t@127.0.0.1:{world.port}/simple/"
    world.faults["/simple/xformers"] = fail(500)
    ran = wheels("refresh", env={"PIP_INDEX_URL": index, "GITHUB_TOKEN": "t0k3n"})
    assert ran.code == 1
    (_, headers, _), *_ = world.asked("/simple/")
    assert headers["Authorization"] == "Basic c29tZUBvbmU6czNjcjN0"
    (_, headers, _), *_ = world.asked("/api/")
    assert headers["Authorization"] == "Bearer t0k3n"
    assert all("Authorization" not in headers for _, headers, _ in world.asked("/whl/"))
    kept = ran.out + ran.err + "".join(data.decode() for data in files(cache).values())
    assert "s3cr3t" not in kept
    assert "t0k3n" not in kept


def test_metadata_of_an_index_that_wants_credentials(world: World, refresh: Any) -> None:
    """They go along; and what is refused there says nothing of the pages."""
    kinds = "xformers", "flashinfer_cubin"
    names = [f"{kind}-0.99.{patch}-py39-none-manylinux_2_28_x86_64.whl" for kind in kinds for patch in range(2)]
    for name in names:
        rows = world.packages.setdefault(name.partition("-")[0].replace("_", "-"), [])
        rows.append({"filename": name, "core-metadata": True})
    world.faults["/files/"] = fail(401)
    index = f"http://some%40one:s3cr3t@127.0.0.1:{world.port}/simple/"
    assert refresh("--source", "pypi", env={"PIP_INDEX_URL": index})["by_name"]["pypi"]["reason"] is None
    asked = world.asked("/files/")
    assert {path for path, _, _ in asked} == {f"/files/{name}.metadata" for name in names}
    assert {headers.get("Authorization") for _, headers, _ in asked} == {"Basic c29tZUBvbmU6czNjcjN0"}


def test_a_page_that_names_no_wheel_says_nothing(world: World, refresh: Any, found: Any) -> None:
    before = found("fa4", "--source", "pypi")
    world.faults["/simple/"] = say(b"<html><a href='/login'>Please log in</a></html>", "text/html")
    document = refresh(code=1)
    assert document["by_name"]["pypi"]["reason"] == "none of its pages names a wheel"
    assert found("fa4", "--source", "pypi") == before


@pytest.mark.parametrize(
    "page",
    [
        "<a href='http://[::1'>x.whl</a>",
        "<base href='http://['><a href='a-1.whl#sha256=zz'>",
        "<a href>x</a><a href=''>y</a><a>z</a>",
        "\x00<!DOCTYPE html <a href=<<<",
        "<a href='x.whl" + "y" * 9999 + "'>",
        '{"files": [{"filename": "a-1.whl", "url": "http://["}]}',
        '{"files": {}}',
    ],
)
def test_pages_that_are_nonsense(world: World, refresh: Any, page: str) -> None:
    kind = "application/json" if page.startswith("{") else "text/html"
    world.faults["/simple/"] = say(page.encode(), kind)
    document = refresh("--source", "pypi", code=1)
    assert document["by_name"]["pypi"]["new"] == document["by_name"]["pypi"]["gone"] == 0


@pytest.mark.parametrize("name", ["GITHUB_API_URL", "ATTN_DOCTOR_PYTORCH_INDEX", "PIP_INDEX_URL"])
@pytest.mark.parametrize("url", ["http://[::1/x", "nonsense", "http://", "file:///etc"])
def test_an_address_that_is_none(world: World, refresh: Any, name: str, url: str) -> None:
    document = refresh(code=1, env={name: url})
    assert len(failed(document)) == (len(GITHUB) if name == "GITHUB_API_URL" else 1)


# what goes wrong


def failed(document: Any) -> dict[str, str]:
    return {one["name"]: one["reason"] for one in document["sources"] if one["state"] == "failed"}


def test_a_rate_limit_says_when_to_ask_again(world: World, refresh: Any, wheels: Any) -> None:
    reset = int(time.time()) + 1800
    limited = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": str(reset)}
    world.faults["/api/"] = fail(403, **limited)
    document = refresh(code=1)
    assert set(failed(document)) == GITHUB
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(reset + 59))
    assert {one["retry_at"] for one in document["sources"] if one["state"] == "failed"} == {when}
    assert len(world.asked("/api/")) == 1, "who was told to wait asks no more"
    said = " ".join(wheels("refresh").out.split())
    assert f"ask again after {when}; with a token in GITHUB_TOKEN it answers more of them." in said
    assert "GITHUB_TOKEN" not in failed(refresh(code=1, env={"GITHUB_TOKEN": "t0k3n"}))["fa-official"]
    assert document["by_name"]["pypi"]["state"] == "refreshed"


@pytest.mark.parametrize("after", ["90", "Wed, 21 Oct 2099 07:28:00 GMT", "soon", "9" * 400, "-5"])
def test_retry_after_in_all_its_forms(world: World, refresh: Any, after: str) -> None:
    world.faults["/api/"] = fail(429, Retry_After=after)
    document = refresh("--source", "fa-official", "--source", "mjun0812", code=1)
    assert len(world.asked("/api/")) == 1
    retry_at = document["by_name"]["mjun0812"]["retry_at"]
    assert retry_at is None or re.fullmatch(r"20\d\d-\d\d-\d\d \d\d:\d\d UTC", retry_at)


def hang(world: World) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda handler: world.closing.wait(30) and None


def drip(world: World) -> Callable[[BaseHTTPRequestHandler], None]:
    """One byte at a time: no single read takes long."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        with suppress(OSError):
            while not world.closing.wait(0.05):
                handler.wfile.write(b"[")

    return answer


def close(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.close()


def cut(handler: BaseHTTPRequestHandler) -> None:
    say(json.dumps([release("v2.9.0", NEW)]).encode(), Content_Length="100000")(handler)


FAULTS = {
    "500": (fail(500), "500 Internal Server Error"),
    "404": (fail(404), "404 Not Found"),
    "401": (fail(401), "did not accept the credentials (401)"),
    "cut": (cut, "was cut short"),
    "closed": (close, "closed the connection"),
    "truncated": (say(json.dumps([release("v2.9.0", NEW)]).encode()[:-9]), "is not a list of releases"),
    "object": (say(b'{"message": "hello"}'), "is not a list of releases"),
    "binary": (say(bytes(range(256)) * 40), "is not a list of releases"),
    "deep": (say(b"[" * 100_000), "is not a list of releases"),
    "empty": (say(b""), "is not a list of releases"),
    "gzip": (say(b"no gzip at all", Content_Encoding="gzip"), "is not understood"),
    "elsewhere": (
        say(b"[]", Link='<http://127.0.0.2:9/next>; rel="next"'),
        "names another host as its next page: http://127.0.0.2:9/next",
    ),
    "loop": (fail(302, Location=RELEASES + "?a"), "sends us on too often"),
    "file": (fail(302, Location="file:///etc/passwd"), "neither http nor https"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_source_that_fails_keeps_what_it_had(world: World, refresh: Any, found: Any, cache: Path, name: str) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    refresh()
    before = found("--version", "2.9.0")
    fault, reason = FAULTS[name]
    world.faults[RELEASES] = fault
    world.releases["mjun0812/flash-attention-prebuild-wheels"] = [
        release("v9.9.9", "flash_attn-2.9.0+cu128torch2.8-cp312-cp312-linux_x86_64.whl")
    ]
    document = refresh(code=1)
    said = failed(document)
    assert set(said) == ({"fa-official"} if name != "401" else GITHUB)
    assert reason in said["fa-official"]
    after = found("--version", "2.9.0")
    assert after[NEW] == before[NEW]
    if name != "401":
        assert document["by_name"]["mjun0812"]["new"] == 1
        assert len(after) == len(before) + 1
    assert not list(cache.rglob(".new-*"))


@pytest.mark.parametrize("fault", [hang, drip])
def test_a_server_that_hangs_costs_a_bounded_time(world: World, refresh: Any, fault: Any) -> None:
    world.faults["/api/"] = fault(world)
    document = refresh(code=1, apart=True, env={"ATTN_DOCTOR_HTTP_TIMEOUT": "0.3"})
    assert set(failed(document)) == GITHUB
    assert len(world.asked("/api/")) == 1, "the next source of the same host is not tried"
    assert document["by_name"]["pypi"]["state"] == "refreshed"
    assert document["as_of"] == catalogue.as_of(), "what was not read keeps the catalogue from being of today"


def test_nothing_listens(world: World, refresh: Any) -> None:
    document = refresh(code=1, env={"GITHUB_API_URL": "http://127.0.0.1:1/api", "HTTP_PROXY": None})
    assert "127.0.0.1:1 cannot be reached: Connection refused" in failed(document)["fa-official"]


def test_a_proxy_that_hangs(world: World, refresh: Any) -> None:
    world.faults["http://"] = hang(world)
    document = refresh(
        code=1, apart=True, env={"http_proxy": world.url, "no_proxy": "", "ATTN_DOCTOR_HTTP_TIMEOUT": "0.3"}
    )
    assert set(failed(document)) == {*GITHUB, "pytorch-index", "pypi"}


def test_a_repository_that_moved_is_followed(world: World, refresh: Any) -> None:
    world.releases["new/home"] = [release("v2.9.0", NEW)]
    world.faults[RELEASES] = fail(301, Location="/api/repos/new/home/releases?per_page=30")
    assert refresh()["by_name"]["fa-official"]["new"] == 1


def test_a_token_goes_to_no_other_host(world: World, refresh: Any) -> None:
    other = world.url.replace("127.0.0.1", "localhost")
    world.releases["new/home"] = [release("v2.9.0", NEW)]
    world.faults[RELEASES] = fail(301, Location=f"{other}/api/repos/new/home/releases")
    refresh(env={"GH_TOKEN": "t0k3n"})
    assert "Authorization" in world.asked(RELEASES)[0][1]
    assert "Authorization" not in world.asked("/api/repos/new/home")[0][1]


def test_a_source_that_is_no_more_does_not_hold_the_day(world: World, refresh: Any) -> None:
    del world.releases["johnarizona/flash-attn2-wheels"]
    document = refresh(code=1)
    assert set(failed(document)) == {"johnarizona"}
    assert document["as_of"] == DAY


# the cache


@needs_posix
def test_killed_in_the_middle_the_old_copy_is_whole(
    world: World, refresh: Any, found: Any, cache: Path, tmp_path: Path
) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    refresh()
    before = copy_of(cache).read_bytes()
    world.releases[OFFICIAL] = [release("v2.9.0", NEW, LYING)]
    world.faults["/whl/"] = hang(world)
    env = {name: value for name, value in (clean_environment() | world.env(cache)).items() if value is not None}
    command = [sys.executable, "-m", "attn_doctor", "wheels", "refresh"]
    running = subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert running.stderr is not None
    with running.stderr:
        assert running.stderr.readline().startswith(b"fa-official: 2 wheels")
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert copy_of(cache).read_bytes() == before
    assert set(found("--version", "2.9.0")) == {NEW}
    world.faults.clear()
    assert refresh()["by_name"]["fa-official"]["rows"] == 5743
    assert set(found("--version", "2.9.0")) == {NEW, LYING}


def test_two_at_once(world: World, cache: Path, tmp_path: Path, found: Any) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    env = {name: value for name, value in (clean_environment() | world.env(cache)).items() if value is not None}
    command = [sys.executable, "-m", "attn_doctor", "wheels", "refresh"]
    both = [
        subprocess.Popen(command, env=env, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [one.wait(60) for one in both] == [0, 0]
    assert set(found("--version", "2.9.0")) == {NEW}
    assert not list(cache.rglob(".new-*"))


@needs_posix
def test_the_disk_is_full(world: World, refresh: Any, wheels: Callable[..., Ran], found: Any, cache: Path) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    refresh()
    before = files(cache)
    world.releases[OFFICIAL].append(release("v2.9.1", NEW.replace("2.9.0", "2.9.1")))
    limit = ("bash", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$@"', "-")
    ran = wheels("refresh", under=limit)
    assert ran.code == 3, ran
    assert "cannot write" in ran.err
    assert "What was there before stays" in ran.err
    assert "Traceback" not in ran.err
    copy = str(copy_of(cache))
    assert files(cache)[copy] == before[copy]
    assert set(found("--version", "2.9.0")) == {NEW}


@needs_posix
def test_a_cache_that_cannot_be_written(world: World, wheels: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for where in (tmp_path / "file", "/proc/nowhere"):
        ran = wheels("refresh", env={"XDG_CACHE_HOME": str(where)})
        assert ran.code == 3, ran
        assert re.search(r"cannot write \S+/attn-doctor/wheels: [A-Z]", " ".join(ran.err.split())), ran
        assert "Traceback" not in ran.err
    assert world.log == [], "found out before anything is downloaded"


def test_caches_are_turned_off(world: World, refresh: Any, wheels: Callable[..., Ran], found: Any) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    refresh()
    assert NEW not in found("--version", "2.9.0", env={"ATTN_DOCTOR_NO_CACHE": "1"})
    ran = wheels("refresh", env={"ATTN_DOCTOR_NO_CACHE": "1"})
    assert ran.code == 3
    assert "ATTN_DOCTOR_NO_CACHE is set" in ran.err


def test_there_is_no_home(world: World, wheels: Callable[..., Ran]) -> None:
    ran = wheels("refresh", env={"XDG_CACHE_HOME": None, "HOME": None})
    assert ran.code == 3
    assert "nothing says where caches belong" in ran.err


def test_a_damaged_listing_is_read_anew(world: World, refresh: Any, cache: Path) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    refresh()
    listing = cache / "attn-doctor" / "wheels" / "listings" / "fa-official.json"
    whole = listing.read_bytes()
    for damaged in (b"", whole[:-40], whole.replace(b"2.9.0", b"2.9.1"), b"{}", b"\xff" * 50):
        listing.write_bytes(damaged)
        world.log.clear()
        refresh("--source", "fa-official")
        assert [status for _, _, status in world.asked(RELEASES)] == [200]
        assert listing.read_bytes() == whole


# the call


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--offline",), "it cannot go with --offline"),
        (("--torch", "2.8"), "wheels refresh takes --source, --format, --output and --offline"),
        (("--what-if", "python=3.12"), "wheels refresh takes"),
        (("--source", "nobody"), "--source nobody: it cannot be refreshed"),
        (("--format", "html"), "expected text or json"),
    ],
)
def test_bad_calls(wheels: Callable[..., Ran], world: World, options: tuple[str, ...], said: str) -> None:
    ran = wheels("refresh", *options)
    assert (ran.code, ran.out) == (2, "")
    assert said in " ".join(ran.err.split())
    assert world.log == []


def test_text_and_progress(world: World, wheels: Callable[..., Ran], tmp_path: Path) -> None:
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    world.faults["/whl/"] = fail(500)
    ran = wheels("refresh")
    assert ran.code == 1
    assert re.search(r"(?m)^fa-official +refreshed +5742 +1 +0 +\d+ +" + DAY, ran.out)
    assert "pytorch-index failed: http://127.0.0.1" in ran.out
    assert "500 Internal Server Error. What was known before stays." in " ".join(ran.out.split())
    assert ran.err.count("\n") == len(REPOSITORIES) + 2
    assert max(map(len, ran.out.splitlines())) <= 80 or "http" in ran.out
    saved = tmp_path / "refresh.json"
    assert wheels("refresh", "--format", "json", "--output", saved).out == ""
    document = json.loads(saved.read_text())
    assert document["schema"] == "attn-doctor/wheels-refresh/1"
    Draft202012Validator(msgspec.json.schema(Refreshed)).validate(document)


def test_every_source_with_files_in_releases_is_read() -> None:
    from attn_doctor.wheels.refresh.asked import asked, repository, sources

    described = embedded.sources().sources
    in_releases = {name for name in described if repository(name)}
    assert in_releases == {name for name in sources() if repository(name)} == GITHUB
    assert {name: repository(name) for name in GITHUB} == REPOSITORIES
    assert set(sources()) == GITHUB | {"pytorch-index", "pypi"}
    assert set(os.listdir(embedded.FOLDER)) >= {"refresh.json", "sources.json"}
    assert all(row.source for row in (*asked().families, *asked().labels, *asked().torch, *asked().directories))


def test_a_maintainer_embeds_what_was_refreshed(
    world: World, refresh: Any, here: Any, cache: Path, tmp_path: Path
) -> None:
    """In a copy of the checkout: the embedded catalogue then says what the refreshed one says."""
    world.releases[OFFICIAL] = [release("v2.9.0", NEW)]
    world.directories["cu130", "xformers"] = ["xformers-0.0.35-py39-none-manylinux_2_28_x86_64.whl"]
    refresh()
    root = Path(attn_doctor.__file__).parent.parent
    if not (root / "scripts").is_dir():
        pytest.skip("no checkout")
    for folder in ("attn_doctor", "scripts"):
        shutil.copytree(root / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    env = {name: value for name, value in (clean_environment() | world.env(cache)).items() if value is not None}
    env |= {"PYTHONDONTWRITEBYTECODE": "1"}

    def run(*arguments: str, **more: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=env | more, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        return done.stdout

    assert f"of {DAY}" in run("scripts/build_catalogue.py", "--refreshed")
    dump = (
        "import sys; sys.path.insert(0, '.'); import msgspec as m; from attn_doctor.wheels import catalogue as c\n"
        "every = (m.structs.replace(w, size_bytes=None) for p in c.packages() for w in c.wheels(p))\n"
        "print(c.as_of(), sorted(map(str, every)))"
    )
    embeds = run("-c", dump, ATTN_DOCTOR_NO_CACHE="1")
    assert embeds == run("-c", dump.replace("'.'", repr(str(root))))
    assert embeds.startswith(DAY)
    assert NEW in embeds
