"""Imports one module in the target's own interpreter and says what it is: `python -I deep.py MODULE [USER_SITE]`.

Prints one line, a marker and JSON behind it, whatever else the import prints. A crash or a hang is seen by the parent.
"""

import json
import site
import sys
from contextlib import suppress
from typing import Any

MARKER = "ATTN_DOCTOR_DEEP "
BESIDE_TORCH = ("flash_attn_2_cuda", "flash_attn_cuda")


def of_torch(torch: Any) -> "dict[str, Any]":
    """What only a running torch can say. Each answer is asked for by itself: one that fails is left out."""
    questions: dict[str, Any] = {
        "cuda": lambda: torch.version.cuda,
        "rocm": lambda: torch.version.hip,
        "cxx11abi": lambda: bool(torch._C._GLIBCXX_USE_CXX11_ABI),  # noqa: SLF001 - there is no public name
        "arch_list": lambda: torch.cuda.get_arch_list(),  # noqa: PLW0108 - the attribute may be missing
        "cuda_available": lambda: torch.cuda.is_available(),  # noqa: PLW0108
        "devices": lambda: [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "capabilities": lambda: [
            ".".join(map(str, torch.cuda.get_device_capability(index))) for index in range(torch.cuda.device_count())
        ],
        "cudnn": lambda: torch.backends.cudnn.version(),  # noqa: PLW0108
        "flash_sdpa": lambda: torch.backends.cuda.is_flash_attention_available(),  # noqa: PLW0108
        "mps_available": lambda: torch.backends.mps.is_available(),  # noqa: PLW0108
    }
    answers = {}
    for name, ask in questions.items():
        try:
            answers[name] = ask()
        except Exception:  # noqa: BLE001, PERF203, S112 - an older torch lacks some of these
            continue
    return answers


def see(user_site: str) -> None:
    """Put the packages of the user where Python has them: before those that lie with it."""
    own = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    sys.path[:] = [path for path in sys.path if path not in own]
    site.addsitedir(user_site)
    sys.path += own


def main(name: str) -> "dict[str, Any]":
    """Import, describe, print."""
    if name in BESIDE_TORCH:
        # it finds libc10.so and its like only where torch has loaded them; what torch itself lacks is asked of torch
        with suppress(BaseException):
            __import__("torch")
    try:
        module = __import__(name, fromlist=["_"])
    except BaseException as error:  # noqa: BLE001 - whatever stops the import is the answer
        return {"module": name, "error": f"{type(error).__name__}: {error}"}
    if getattr(module, "__file__", None) is None:
        # Python takes a folder for a package; what is asked for here has files of its own
        return {"module": name, "error": f"ImportError: the files of {name} are gone, its folder alone is left"}
    version = getattr(module, "__version__", None)
    found: dict[str, Any] = {"module": name, "error": None, "version": None if version is None else str(version)}
    found["file"] = getattr(module, "__file__", None)
    if name == "torch":
        found["torch"] = of_torch(module)
    return found


if __name__ == "__main__":
    for place in sys.argv[2:]:
        see(place)
    sys.stdout.write(f"\n{MARKER}{json.dumps(main(sys.argv[1]))}\n")
    sys.stdout.flush()
