"""Real kernels against float64: which are right, which refuse, which are wrong; and which one sdpa really takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from attn_doctor import __version__
from attn_doctor.errors import NoAnswer
from attn_doctor.knowledge.tolerances import tolerance
from attn_doctor.measure.cases import Case, cases
from attn_doctor.measure.child import Child, Ended

SCHEMA = "attn-doctor/verification/1"
SCRIPT = "verify.py"
CASE_S = 120.0
GIVE_UP = 3  # children in a row that a subject ended
KERNELS = {"cpu": ("flash", "math"), "cuda": ("flash", "efficient", "cudnn", "math")}
# what must be among the operators and kernels that ran, where the subject did its own work
OWN = {
    "sdpa.flash": ("flash",),
    "sdpa.efficient": ("efficient", "fmha"),
    "sdpa.cudnn": ("cudnn",),
    "sdpa.math": ("math",),
    "flash_attention_2": ("flash",),
    "flash_attention_3": ("flash",),
    "flash_attention_4": ("flash",),
    "xformers": ("efficient", "fmha", "flash"),
}
BAD = ("wrong", "crashed", "hung", "failed", "fell back")
# what has an attention of its own that this can call; Triton is what others compile with
CALLED = (
    *("eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3", "flash_attention_4"),
    *("xformers", "sage_attention"),
)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One case of one subject. Errors are relative, of the worst head; `allowed` is what this dtype may have."""

    subject: str
    case: str
    status: str
    reason: str = ""
    error: float | None = None
    allowed: float | None = None
    eager: float | None = None
    seed: int = 0


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one subject come to. `ran`: operators and kernels that were seen at work."""

    name: str
    status: str
    right: int = 0
    refused: int = 0
    bad: int = 0
    worst: float | None = None
    """The largest share of what is allowed."""
    ran: tuple[str, ...] = ()
    reason: str = ""


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was tried."""

    schema: str = SCHEMA
    version: str = __version__
    python: str
    torch: str
    device: str
    seed: int
    subjects: tuple[Subject, ...]
    rows: tuple[Row, ...]
    sdpa: dict[str, tuple[str, ...]] = {}
    """The operator that sdpa took, and torch's own words on why not another."""


def verify(
    python: str,
    subjects: Sequence[str],
    *,
    device: str,
    seed: int,
    quick: bool,
    tell: Callable[[str, int, int], None] = lambda _name, _done, _of: None,
    own: tuple[str, str] | None = None,
    timeout_s: float = CASE_S,
) -> Verification:
    """Try every case of every subject. `own`: a file and a function to be held against the same cases.

    Raises NoAnswer where torch cannot be imported there.
    """
    child = Child(python, SCRIPT)
    rows: list[Row] = []
    ran: dict[str, set[str]] = {}
    said: dict[str, tuple[str, ...]] = {}
    try:
        child.start()
        torch = str(child.hello.get("torch", ""))
        if device == "cuda" and not child.hello.get("cuda"):
            raise NoAnswer(f"torch {torch} sees no GPU")
        for subject in subjects:
            listed = list(cases(subject, seed, device, quick=quick))
            ended = 0
            for place, case in enumerate(listed):
                if ended >= GIVE_UP:
                    break  # it ends every child: the rest would only take its time
                tell(subject, place, len(listed))
                question = {**case.question(), "record": place == 0, "own": own if subject == "own" else None}
                answer = child.ask(question, timeout_s)
                ended = ended + 1 if isinstance(answer, Ended) else 0
                row, names = judged(case, answer)
                rows.append(row)
                ran.setdefault(subject, set()).update(names)
                if isinstance(answer, dict) and answer.get("spoilt"):
                    child.close()  # after an error of CUDA nothing in that process can be believed
                if isinstance(answer, dict) and subject.startswith("sdpa.") and row.status == "refused":
                    said[subject] = tuple(answer.get("warnings") or ()) or (row.reason,)
    finally:
        child.close()
    return Verification(
        python=python,
        torch=torch,
        device=device,
        seed=seed,
        subjects=tuple(
            summed(name, [row for row in rows if row.subject == name], ran.get(name, ())) for name in subjects
        ),
        rows=tuple(rows),
        sdpa={"chosen": tuple(sorted(ran.get("sdpa", ()))), **said},
    )


def judged(case: Case, answer: dict[str, Any] | Ended) -> tuple[Row, tuple[str, ...]]:
    """A row, and what was seen at work."""
    row = Row(subject=case.subject, case=case.said, status="", seed=case.seed)
    if isinstance(answer, Ended):
        return msgspec.structs.replace(row, status=answer.status, reason=answer.reason), ()
    if answer["status"] != "ran":
        return msgspec.structs.replace(row, status=answer["status"], reason=answer.get("reason", "")), ()
    names = tuple(answer.get("ran", ()))
    if not answer["finite"]:
        return msgspec.structs.replace(row, status="wrong", reason="the result holds NaN or infinity"), names
    if case.dropout:
        return _dropped(row, answer), names
    if names and not _is_own(case.subject, names):
        said = f"{', '.join(names)} ran in its place"
        return msgspec.structs.replace(row, status="fell back", reason=said), names
    return _held(row, case, answer), names


def _held(row: Row, case: Case, answer: dict[str, Any]) -> Row:
    """Against what the dtype may have: the spread of the worst head, and the largest difference."""
    known = tolerance(case.dtype, case.subject)
    allowed = max(known.floor, known.factor * answer["eager_rms"])
    largest = max(10 * known.floor, known.largest * answer["eager"])
    status, reason = "right", ""
    if answer["rms"] > allowed:
        status, reason = (
            "wrong",
            f"error {answer['rms']:.2g} of the worst head, {allowed:.2g} is allowed in {case.dtype}",
        )
    elif answer["error"] > largest:
        status, reason = "wrong", f"largest difference {answer['error']:.2g}, {largest:.2g} is allowed in {case.dtype}"
    return msgspec.structs.replace(
        row, status=status, reason=reason, error=answer["rms"], allowed=allowed, eager=answer["eager_rms"]
    )


def _dropped(row: Row, answer: dict[str, Any]) -> Row:
    if answer["dropped"]:
        return msgspec.structs.replace(row, status="right")
    said = f"with values of one the mean is {answer['mean']:.3f} and the deviation {answer['deviation']:.3f}"
    return msgspec.structs.replace(row, status="wrong", reason=f"dropout does not keep the mean: {said}")


def _is_own(subject: str, names: Iterable[str]) -> bool:
    words = OWN.get(subject)
    return words is None or any(word in name.lower() for word in words for name in names)


def summed(name: str, rows: Sequence[Row], ran: Iterable[str]) -> Subject:
    """One line for a subject: wrong where any row is, right where any is and none is wrong."""
    bad = [row for row in rows if row.status in BAD]
    right = [row for row in rows if row.status == "right"]
    shares = [row.error / row.allowed for row in rows if row.error is not None and row.allowed]
    status = bad[0].status if bad else "right" if right else "refused"
    reason = next((row.reason for row in (*bad, *rows) if row.reason), "") if status != "right" else ""
    if (
        status == "refused" and "." not in name
    ):  # a kernel of sdpa may not be for this machine; a backend that is ready is
        status, reason = "failed", f"it took none of the cases: {reason}"
    return Subject(
        name=name,
        status=status,
        right=len(right),
        refused=sum(row.status == "refused" for row in rows),
        bad=len(bad),
        worst=max(shares, default=None),
        ran=tuple(sorted(ran)),
        reason=reason,
    )


def subjects_of(ready: Iterable[str], device: str) -> Iterator[str]:
    """Every backend that is ready, and each kernel of sdpa by itself."""
    for name in ready:
        if name not in CALLED:
            continue
        yield name
        if name == "sdpa":
            yield from (f"sdpa.{kernel}" for kernel in KERNELS["cuda" if device == "cuda" else "cpu"])
