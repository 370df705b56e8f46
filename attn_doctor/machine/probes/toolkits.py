"""Every CUDA toolkit (nvcc) of the machine, and the one that a build of a torch extension would take."""

from __future__ import annotations

import re

import msgspec

from attn_doctor.knowledge.versions import numbers
from attn_doctor.machine.facts import Absent, Known, Reading
from attn_doctor.machine.host import Completed, Host, join, run, which
from attn_doctor.machine.probe import Edit, Probe, WhatIf, timeout_s
from attn_doctor.machine.target import RUN_NO_PYTHON, Target

LOCAL = "/usr/local"
OF_THE_SYSTEM = ("/usr/", "/opt/")
CUDA_MACRO = r"#define\s+CUDA_VERSION\s+(\d+)"
RELEASE = r"release (\d+\.\d+)"
DISTRIBUTION_ROOTS = ("/usr", "/usr/lib/nvidia-cuda-toolkit")
DEBIAN_ARCHES = ("x86_64", "aarch64")
MATH_HEADER = "include/crt/math_functions.h"
MATH_HEADER_LIMIT = 1 << 20
# functions that glibc declares too, and the first glibc that does; see knowledge/glibc_math.json
MATH_FUNCTIONS = ("cospi", "sinpi", "rsqrt")
FIRST_GLIBC = (2, 41)
WRAPPED = r"(?m)([^\s\"']*/nvcc)(?=[\"'\s]|$)"


class Toolkit(msgspec.Struct, frozen=True):
    """A toolkit: the folder that holds bin/nvcc."""

    root: str
    version: str | None  # None: it does not say
    seen_by: tuple[str, ...]
    headers: bool = True  # include/cuda_runtime.h
    runtime: bool = True  # libcudart to link against
    bare_math: tuple[str, ...] | None = None  # declared without an exception specification; None: nobody looked


class Toolkits(msgspec.Struct, frozen=True):
    """What was found, and what torch's extension builder takes: `build_root` by `build_by`."""

    found: tuple[Toolkit, ...]
    build_root: str | None = None
    build_by: str | None = None

    @property
    def build(self) -> Toolkit | None:
        """The toolkit a build takes; None where the builder's guess is no toolkit at all."""
        return next((toolkit for toolkit in self.found if toolkit.root == self.build_root), None)

    @property
    def version(self) -> str | None:
        """Of the toolkit a build takes, else of the only one there is."""
        chosen = self.build or (self.found[0] if self.found else None)
        return chosen.version if chosen else None


def parse_version_json(text: str) -> str | None:
    """'13.0' from a toolkit's version.json."""
    match = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"(\d+\.\d+)', text)
    return match[1] if match else None


def parse_cuda_h(text: str) -> str | None:
    """'12.4' from '#define CUDA_VERSION 12040'."""
    match = re.search(CUDA_MACRO, text)
    return f"{int(match[1]) // 1000}.{int(match[1]) % 1000 // 10}" if match else None


def parse_release(text: str) -> str | None:
    """'13.0' from what `nvcc --version` prints."""
    match = re.search(RELEASE, text)
    return match[1] if match else None


def unwrap(host: Host, nvcc: str) -> str:
    """The nvcc that runs in the end: through links, and through a shell script that calls another one."""
    real = host.real_path(nvcc)
    for _ in range(4):
        text = host.read_head(real, 4096) or ""
        if not text.startswith("#!"):
            break
        called = next((path for path in re.findall(WRAPPED, text) if path.startswith("/") and path != real), None)
        if called is None or not host.is_executable(called):
            break
        real = host.real_path(called)
    return real


def root_of(host: Host, nvcc: str) -> str:
    """The toolkit folder of an nvcc; /usr/lib/nvidia-cuda-toolkit/bin/nvcc belongs to /usr/lib/nvidia-cuda-toolkit."""
    return unwrap(host, nvcc).rpartition("/bin/")[0]


def version(host: Host, root: str) -> str | None:
    """What the toolkit says it is; nvcc is run only where no file says it."""
    for name, parse in (("version.json", parse_version_json), ("include/cuda.h", parse_cuda_h)):
        found = parse(host.read_head(join(root, name), 1 << 16) or "")
        if found:
            return found
    if host.env(RUN_NO_PYTHON) and not root.startswith(OF_THE_SYSTEM):
        return None  # somebody's environment: what lies there is not run either
    answer = run(host, [join(root, "bin/nvcc"), "--version"], timeout_s(host))
    return parse_release(answer.stdout) if isinstance(answer, Completed) else None


def candidates(host: Host, target: Target) -> list[tuple[str, str]]:
    """(what led here, path of an nvcc) in the order in which a build prefers them."""
    listed = [(name, join(value, "bin/nvcc")) for name in ("CUDA_HOME", "CUDA_PATH") if (value := host.env(name))]
    on_path = which(host, "nvcc")
    listed += [("PATH", on_path)] if on_path else []
    listed += [(f"{LOCAL}/cuda", f"{LOCAL}/cuda/bin/nvcc")]
    listed += [(f"{LOCAL}/{name}", f"{LOCAL}/{name}/bin/nvcc") for name in host.list_dir(LOCAL) if name[:5] == "cuda-"]
    listed += [(path, join(path, "bin/nvcc")) for path in ("/opt/cuda", "/usr/lib/nvidia-cuda-toolkit", "/usr")]
    listed += [("the target", join(target.prefix, "bin/nvcc"))]
    wheels = [join(site, "nvidia") for site in target.site_packages]
    listed += [("the target", join(folder, name, "bin/nvcc")) for folder in wheels for name in host.list_dir(folder)]
    return listed


def build_root(host: Host) -> tuple[str, str] | None:
    """CUDA_HOME as torch.utils.cpp_extension finds it: the variables, the parent of nvcc on PATH, /usr/local/cuda."""
    for name in ("CUDA_HOME", "CUDA_PATH"):
        if value := host.env(name):
            return value, name
    on_path = which(host, "nvcc")
    if on_path:
        # torch takes the folder above nvcc's as it stands on PATH, without following links or scripts
        return on_path.rpartition("/")[0].rpartition("/")[0], "nvcc on PATH"
    return (f"{LOCAL}/cuda", f"{LOCAL}/cuda") if host.is_dir(f"{LOCAL}/cuda") else None


def read(host: Host, target: Target) -> Reading[Toolkits]:
    if host.system()[0] == "windows":
        return _read_windows(host)
    seen: dict[str, list[str]] = {}
    for seen_by, nvcc in candidates(host, target):
        if host.is_executable(nvcc) and (root := root_of(host, nvcc)):
            seen.setdefault(root, []).append(seen_by)
    if not seen:
        return Absent(("CUDA_HOME", "CUDA_PATH", "PATH", f"{LOCAL}/cuda*", "/opt/cuda", "the target"))
    found = tuple(_toolkit(host, root, tuple(dict.fromkeys(by))) for root, by in seen.items())
    chosen = build_root(host)
    if chosen is None:
        return Known(Toolkits(found), source="the file system")
    return Known(Toolkits(found, _same(host, chosen[0], seen), chosen[1]), source=chosen[1])


def _same(host: Host, chosen: str, seen: dict[str, list[str]]) -> str:
    """The root that was found for that folder, else the folder itself."""
    if chosen == DISTRIBUTION_ROOTS[0] and chosen in seen.get(DISTRIBUTION_ROOTS[1], ()):
        return DISTRIBUTION_ROOTS[1]  # Debian: /usr/bin/nvcc calls the other one, the headers are in /usr/include
    real = host.real_path(chosen)
    return next((root for root in seen if root == real), chosen)


def _toolkit(host: Host, root: str, seen_by: tuple[str, ...]) -> Toolkit:
    lib_folders = ("lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib")
    runtime = any(name.startswith("libcudart") for folder in lib_folders for name in host.list_dir(join(root, folder)))
    folders = ("include", "targets/x86_64-linux/include", "targets/sbsa-linux/include")  # conda has only the last two
    headers = any(host.is_file(join(root, folder, "cuda_runtime.h")) for folder in folders)
    if root in DISTRIBUTION_ROOTS:  # a distribution's toolkit keeps its parts in the system's own folders
        runtime = runtime or any(host.is_file(f"/usr/lib/{arch}-linux-gnu/libcudart.so") for arch in DEBIAN_ARCHES)
        headers = headers or host.is_file("/usr/include/cuda_runtime.h")
    return Toolkit(root, version(host, root), seen_by, headers, runtime, _bare_math(host, root))


def _bare_math(host: Host, root: str) -> tuple[str, ...] | None:
    """Which of the functions the header declares as glibc does not; read only where this glibc declares them."""
    family, _, stated = (host.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    if family != "glibc" or numbers(stated) < FIRST_GLIBC:
        return None
    text = host.read_head(join(root, MATH_HEADER), MATH_HEADER_LIMIT)
    return parse_math_header(text) if text else None


def parse_math_header(text: str) -> tuple[str, ...]:
    """('rsqrt',) where it says 'double rsqrt(double x);' and not 'double rsqrt(double x) noexcept;'."""
    return tuple(name for name in MATH_FUNCTIONS if f" {name}(double x);" in text)


def _read_windows(host: Host) -> Reading[Toolkits]:
    root = host.env("CUDA_HOME") or host.env("CUDA_PATH")
    if not root or not host.is_file(join(root, "bin/nvcc.exe")):
        return Absent(("CUDA_HOME", "CUDA_PATH"))
    stated = parse_version_json(host.read_text(join(root, "version.json")) or "")
    return Known(Toolkits((Toolkit(root, stated, ("CUDA_PATH",)),), root, "CUDA_PATH"), source="CUDA_PATH")


def _nvcc(edit: Edit, _key: str, value: str) -> None:
    if value == "none":
        edit.readings["toolkits"] = Absent(("what-if",))
        return
    if not re.fullmatch(r"\d+(\.\d+){0,2}", value):
        raise ValueError
    stated = value if "." in value else f"{value}.0"
    root = f"{LOCAL}/cuda-{stated}"
    toolkits = Toolkits((Toolkit(root, stated, ("what-if",)),), root, "what-if")
    edit.readings["toolkits"] = Known(toolkits, source="what-if")


PROBE = Probe("toolkits", Toolkits, read, what_if=(WhatIf("nvcc", "a version such as 12.5, or none", _nvcc),))
