"""attn-doctor verify."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from attn_doctor.cli import INTERRUPTED, options
from attn_doctor.errors import UsageError

if TYPE_CHECKING:
    from attn_doctor.judgement.report import Report
    from attn_doctor.judgement.view import Machine

HIGHEST_SEED = 1 << 31
DEVICES = ("auto", "cpu", "cuda")


def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BACKEND ...]", help="These alone  [default: all that are ready]"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Five cases each: a few seconds.")] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="The inputs of an earlier call; a fresh one otherwise.")
    ] = None,
    kernel: Annotated[
        str | None,
        typer.Option(
            "--kernel", metavar="FILE:FUNCTION", help="A kernel of your own, function(q, k, v, causal, mask)."
        ),
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", help="Seconds that one case may take.")] = 120.0,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    form: options.Format = "text",
    output: options.Output = None,
    verbose: options.Verbose = False,
) -> None:
    """Run the real kernels in the target environment against a float64 reference: forward, backward, every dtype.

    Each runs in a child process under a time limit: one that crashes or hangs costs its row and nothing else.
    """
    from attn_doctor.cli import _target
    from attn_doctor.execute import privacy
    from attn_doctor.judgement.check import check
    from attn_doctor.judgement.need import parse
    from attn_doctor.judgement.view import Machine
    from attn_doctor.measure import verify as trial
    from attn_doctor.reporters import _verification

    options.one_of("--format", form, ("text", "json"))
    options.one_of("--device", device, DEVICES)
    if seed is not None and not 0 <= seed < HIGHEST_SEED:
        raise UsageError(f"--seed {seed}: expected 0 to {HIGHEST_SEED - 1}")
    if timeout <= 0:
        raise UsageError(f"--timeout {timeout:g}: expected more than 0")
    own = _own(kernel)
    facts = options.gather_facts(python, venv, None, [])
    machine = Machine(facts)
    interpreter, on = _target.measurable(machine, device)
    subjects = ["own"] if own else _subjects(names or [], check(facts, parse([])), machine, on)
    found = trial.verify(
        interpreter,
        subjects,
        device=on,
        seed=secrets.randbelow(HIGHEST_SEED) if seed is None else seed,
        quick=quick,
        own=own,
        timeout_s=timeout,
        tell=_tell,
    )
    _clear()
    if found.interrupted:
        sys.stderr.write("interrupted; what was tried until then follows\n")
    exact = form == "json"
    shown = privacy.told(found, privacy.of_this_process())
    text = _verification.document(shown) if exact else _verification.text(shown, verbose=verbose)
    options.write(text, output, exact=exact)
    if found.interrupted:
        raise typer.Exit(INTERRUPTED)
    raise typer.Exit(1 if any(one.status in trial.BAD for one in found.subjects) else 0)


def _own(kernel: str | None) -> tuple[str, str] | None:
    """('/path/mine.py', 'attention') of 'mine.py:attention'."""
    if kernel is None:
        return None
    path, _, name = kernel.rpartition(":")
    if not path or not name.isidentifier():
        raise UsageError(f"--kernel {kernel}: expected FILE:FUNCTION, for example mine.py:attention")
    if not os.path.isfile(path):
        raise UsageError(f"--kernel {kernel}: there is no file {path}")
    return os.path.abspath(path), name


def _subjects(names: list[str], report: Report, machine: Machine, on: str) -> list[str]:
    """What to try: the backends that are ready, or what is named, which has to be. Raises UsageError."""
    from attn_doctor.cli import _target
    from attn_doctor.measure.verify import CALLED, KERNELS, subjects_of

    ready = [verdict.name for verdict in report.backends if verdict.status == "ready"]
    asked = [_target.subject(name) for name in names]
    named = [name.partition(".")[0] for name in asked]
    missing = next((name for name in named if name not in ready), None)
    if missing is not None:
        reasons = next(verdict.reasons for verdict in report.backends if verdict.name == missing)
        torch = machine.torch.version if machine.torch else "none"
        raise UsageError(
            f"{missing} is not ready beside torch {torch}: {next(iter(reasons), 'attn-doctor check says why')}",
            f"How to get it: attn-doctor install {missing} --dry-run",
        )
    silent = next((name for name in named if name not in CALLED), None)
    if silent is not None:
        raise UsageError(f"{silent} has no attention that verify can call", f"It tries {', '.join(CALLED)}.")
    here = [f"sdpa.{kernel}" for kernel in KERNELS[on]]
    elsewhere = next((name for name in asked if "." in name and name not in here), None)
    if elsewhere is not None:
        raise UsageError(f"{elsewhere} is no kernel of the {on.upper()}", f"sdpa has here: {', '.join(here)}.")
    whole = (one for name in asked for one in ([name] if "." in name else subjects_of([name], on)))
    return list(dict.fromkeys(whole)) if asked else list(subjects_of(ready, on))


def _tell(subject: str, done: int, of: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{subject}: {done}/{of}\x1b[K")
        sys.stderr.flush()


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
