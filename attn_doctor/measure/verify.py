"""Real kernels against float64: which are right, which refuse, which are wrong; and which one sdpa really takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from attn_doctor import __version__
from attn_doctor.errors import BadInput, NoAnswer
from attn_doctor.knowledge.tolerances import tolerance
from attn_doctor.measure.cases import KINDS, Case, cases
from attn_doctor.measure.child import Child, Ended

SCHEMA = "attn-doctor/verification/1"
SCRIPT = "verify.py"
CASE_S = 120.0
# threads that wait must not keep the cores busy: most of the time is spent between small kernels
PATIENT = {"OMP_WAIT_POLICY": "PASSIVE"}
GIVE_UP = 3  # children in a row that a subject ended
KERNELS = {"cpu": ("flash", "math"), "cuda": ("flash", "efficient", "cudnn", "math")}
# what must be among the operators and kernels that ran, where the subject did its own work
OWN = {
    "sdpa.flash": ("flash",),
    "sdpa.efficient": ("efficient", "fmha"),
    "sdpa.cudnn": ("cudnn",),
    "sdpa.math": ("math", "softmax"),
    "flash_attention_2": ("flash",),
    "flash_attention_3": ("flash",),
    "flash_attention_4": ("flash",),
    "xformers": ("efficient", "fmha", "flash", "splitk"),
    "sage_attention": ("sage", "qk_int", "attn_fwd"),
}
# these are torch's own operators; a kernel of the user's may be built of what it likes
OWN_KERNEL = "own"
TORCHS_OWN = ("eager", "sdpa", "flex_attention", OWN_KERNEL)
PLAIN = ("aten::softmax", "aten::_softmax", "aten::scaled_dot_product_attention")
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
    kernel: str = ""
    """The kernel that sdpa took."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel that sdpa took, and torch's own words on each that it prefers and did not take."""

    kernel: str
    cases: int
    example: str
    not_taken: dict[str, str] = {}


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
    only: tuple[str, ...] = ()
    """What every case that is not right has, and no right one: 'causal', 'backward'."""


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
    sdpa: tuple[Choice, ...] = ()
    """What sdpa took where it was free to choose."""
    interrupted: bool = False
    """Whether it was stopped before all was tried."""


class Trial(msgspec.Struct):
    """What is known so far: kept as it comes, for it may be interrupted."""

    rows: list[Row] = []
    ran: dict[str, set[str]] = {}
    choices: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
    """Cases by the kernel that sdpa took, and by what torch says of the better ones."""


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

    Interrupted, it gives what was done so far. Raises NoAnswer where torch cannot be imported there, BadInput where
    that file has no such function.
    """
    child = Child(python, SCRIPT, PATIENT)
    trial, interrupted, torch = Trial(), False, ""
    try:
        child.start()
        torch = str(child.hello.get("torch", ""))
        if device == "cuda" and not child.hello.get("cuda"):
            raise NoAnswer(f"torch {torch} sees no GPU")
        if own is not None:
            _load(child, own, timeout_s)
        for subject in subjects:
            listed = list(cases(subject, seed, device, quick=quick))
            _try(child, listed, trial, {"quick": quick, "own": own if subject == OWN_KERNEL else None}, timeout_s, tell)
    except KeyboardInterrupt:
        interrupted = True
        if not trial.rows:
            raise  # there is nothing to be shown
    finally:
        child.close()
    tried = [name for name in subjects if any(row.subject == name for row in trial.rows)]
    return Verification(
        python=python,
        torch=torch,
        device=device,
        seed=seed,
        subjects=tuple(
            summed(name, [row for row in trial.rows if row.subject == name], trial.ran.get(name, ())) for name in tried
        ),
        rows=tuple(trial.rows),
        sdpa=tuple(
            Choice(kernel=kernel, cases=len(said), example=said[0], not_taken=dict(words))
            for (kernel, words), said in sorted(trial.choices.items(), key=lambda one: -len(one[1]))
        ),
        interrupted=interrupted,
    )


def _load(child: Child, own: tuple[str, str], timeout_s: float) -> None:
    """What cannot be loaded is no kernel that is wrong; one that ends the child is, and its cases say how."""
    answer = child.ask({"load": own}, timeout_s)
    if not isinstance(answer, Ended) and answer["status"] != "loaded":
        raise BadInput(f"{own[0]}: {answer['reason']}")


def _try(
    child: Child,
    listed: Sequence[Case],
    trial: Trial,
    more: dict[str, Any],
    timeout_s: float,
    tell: Callable[[str, int, int], None],
) -> None:
    """The cases of one subject; what ends child after child is given up, for the rest would only take its time."""
    ended = 0
    for place, case in enumerate(listed):
        if ended >= GIVE_UP:
            last = trial.rows[-1]
            trial.rows[-1] = replace(last, reason=f"{last.reason}; the other {len(listed) - place} cases were left out")
            return
        tell(case.subject, place, len(listed))
        told = place == 0 or case.told or case.subject == "sdpa"
        answer = child.ask({**case.question(), **more, "record": told}, timeout_s)
        row, names = judged(case, answer)
        trial.rows.append(row)
        trial.ran.setdefault(case.subject, set()).update(names)
        if isinstance(answer, Ended):
            ended += 1
            continue
        ended = 0
        if answer.get("spoilt"):
            child.close()  # after an error of CUDA nothing in that process can be believed
        if row.kernel:
            key = (row.kernel, tuple(answer.get("not_taken", {}).items()))
            trial.choices.setdefault(key, []).append(case.said)


def judged(case: Case, answer: dict[str, Any] | Ended) -> tuple[Row, tuple[str, ...]]:
    """A row, and what was seen at work."""
    row = Row(subject=case.subject, case=case.said, status="", seed=case.seed)
    if isinstance(answer, Ended):
        return replace(row, status=answer.status, reason=answer.reason), ()
    if answer["status"] != "ran":
        return replace(row, status=answer["status"], reason=answer.get("reason", "")), ()
    names = tuple(answer.get("ran", ()))
    if not answer["finite"]:
        return replace(row, status="wrong", reason="the result holds NaN or infinity"), names
    if not_its_own := _in_its_place(case.subject, names):
        said = f"{', '.join(not_its_own)} ran in its place"
        return replace(row, status="fell back", reason=said), names
    held = _dropped(row, answer) if case.dropout else _held(row, case, answer)
    return replace(held, kernel=answer.get("kernel", "")), names


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
    return replace(row, status=status, reason=reason, error=answer["rms"], allowed=allowed, eager=answer["eager_rms"])


def _dropped(row: Row, answer: dict[str, Any]) -> Row:
    said = answer["dropped"]
    return replace(row, status="wrong" if said else "right", reason=f"dropout: {said}" if said else "")


def _in_its_place(subject: str, names: Iterable[str]) -> list[str]:
    """What ran instead of the subject's own kernel; nothing where its own was seen, or where none can be told."""
    backend, _, kernel = subject.partition(".")
    if backend in TORCHS_OWN and not kernel:
        return []
    own = OWN.get(subject, ())
    of_sdpa = [name for name in names if name.startswith("aten::_scaled_dot_product")]
    if not kernel and of_sdpa:
        return of_sdpa
    if any(word in name.lower() for word in own for name in names):
        return []
    return [name for name in names if kernel or name in PLAIN]


def summed(name: str, rows: Sequence[Row], ran: Iterable[str]) -> Subject:
    """One line for a subject: wrong where any row is, right where any is and none is wrong."""
    bad = [row for row in rows if row.status in BAD]
    right = [row for row in rows if row.status == "right"]
    shares = [row.error / row.allowed for row in rows if row.error is not None and row.allowed]
    status = bad[0].status if bad else "right" if right else rows[-1].status
    reason = next((row.reason for row in (*bad, *rows) if row.reason), "") if status != "right" else ""
    if status == "refused" and "." not in name:
        # a kernel of sdpa may not be for this machine; a backend that is ready is
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
        only=_only(bad, right),
    )


def _only(bad: Sequence[Row], right: Sequence[Row]) -> tuple[str, ...]:
    if not bad or not right:
        return ()
    elsewhere = {trait for row in right for trait in _traits(row.case)}
    found = set.intersection(*(set(_traits(row.case)) for row in bad)) - elsewhere
    return tuple(trait for trait in _traits(bad[0].case) if trait in found)


def _traits(case: str) -> list[str]:
    """The parts of what is said of a case, those with numbers by their kind: 'GQA' of 'GQA 4:2'."""
    return [next((kind for kind in KINDS if part.startswith(kind)), part) for part in case.split(", ")]


def subjects_of(ready: Iterable[str], device: str) -> Iterator[str]:
    """Every backend that is ready, and each kernel of sdpa by itself."""
    for name in ready:
        if name not in CALLED:
            continue
        yield name
        if name == "sdpa":
            yield from (f"sdpa.{kernel}" for kernel in KERNELS["cuda" if device == "cuda" else "cpu"])
