"""attn-doctor bench."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from attn_doctor.cli import INTERRUPTED, _flags, options
from attn_doctor.errors import BadInput, UsageError

if TYPE_CHECKING:
    from attn_doctor.measure.benchmark import Benchmark

HIGHEST_SEED = 1 << 31
DEVICES = ("auto", "cpu", "cuda")
FORMATS = ("text", "json", "html", "png")
DTYPES = ("auto", "bf16", "fp16", "fp32")
PASSES = ("forward", "backward", "both")
NOTHING_MEASURED = 3
SETTINGS = {"cls": _flags.OneOfTwo}


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[BACKEND ...]", help="These alone, and sdpa.math, sdpa.flash ...  [default: all that are ready]"
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="PRESET",
            help="documents, flash-attention, quick, or model: a training step  [default: documents; on a CPU quick]",
        ),
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", metavar="BxSxHxD", help="A shape of your own, 4x2048x16x128; repeatable."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="PATH", help="The shape of a model: its config.json or folder.")
    ] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", help="For --model and the training step.")
    ] = None,
    length: Annotated[
        int | None, typer.Option("--length", metavar="N", help="Tokens, for --model and the training step.")
    ] = None,
    dtype: Annotated[str, typer.Option("--dtype", metavar="NAME", help="auto, bf16, fp16 or fp32.")] = "auto",
    direction: Annotated[
        list[str] | None,
        typer.Option("--direction", metavar="NAME", help="forward, backward or both; repeatable."),
    ] = None,
    causal: Annotated[
        bool | None, typer.Option("--causal/--no-causal", help="For --shape and --model  [default: causal]")
    ] = None,
    largest: Annotated[
        bool | None,
        typer.Option(
            "--largest-batch/--no-largest-batch", help="Search the largest batch that fits  [default: on a GPU]"
        ),
    ] = None,
    hints: Annotated[
        bool, typer.Option("--hints", help="Also what TF32, torch.compile and checkpointing bring to a training step.")
    ] = False,
    budget: Annotated[str | None, typer.Option("--budget", metavar="TIME", help="Measure what fits: 60s, 5m.")] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="FILE", help="Say what changed since this JSON of an earlier run."),
    ] = None,
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu or cuda.")] = "auto",
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="The inputs of an earlier run.")] = None,
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the ranking for `check`.")] = True,
    python: options.PythonPath = None,
    venv: options.Venv = None,
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="text, json, html or png.")] = "text",
    output: options.Output = None,
) -> None:
    """Measure the backends of the target environment on this machine: time, TFLOP/s, memory, the largest batch.

    Each runs in a child process: one that crashes, hangs or takes all memory costs its row and nothing else. Ctrl-C
    keeps what is done.
    """
    from attn_doctor.cli import _bench
    from attn_doctor.execute import privacy
    from attn_doctor.measure.run import held_against, run

    options.one_of("--format", form, FORMATS)
    options.one_of("--device", device, DEVICES)
    options.one_of("--dtype", dtype, DTYPES)
    for one in direction or []:
        options.one_of("--direction", one, PASSES)
    if seed is not None and not 0 <= seed < HIGHEST_SEED:
        raise UsageError(f"--seed {seed}: expected 0 to {HIGHEST_SEED - 1}")
    for option, value in (("--batch", batch), ("--length", length)):
        if value is not None and value < 1:
            raise UsageError(f"{option} {value}: expected 1 or more")
    _refuse_early(form, output)
    budget_s = _bench.seconds(budget) if budget else None
    earlier = _bench.earlier(against) if against else None
    asked = _bench.Asked(
        names=tuple(names or ()),
        preset=preset,
        shapes=tuple(shape or ()),
        model=model,
        batch=batch,
        length=length,
        dtype=dtype,
        directions=tuple(direction or ()),
        causal=causal,
        largest=largest,
        hints=hints,
    )
    seeded = secrets.randbelow(HIGHEST_SEED) if seed is None else seed
    wish, judged = _bench.wished(asked, options.gather_facts(python, venv, None, []), device, budget_s, seeded)
    progress = _bench.Progress(budget_s)
    try:
        found = run(wish, progress.tell)
    finally:
        progress.clear()
    found = held_against(found, earlier) if earlier else found
    _write(privacy.told(found, privacy.of_this_process()), form, output)
    if keep:
        _bench.keep(found, judged)
    raise typer.Exit(_code(found))


def _code(found: Benchmark) -> int:
    """3 where there is no answer: nothing could be measured."""
    from attn_doctor.measure.benchmark import MEASURED

    if found.interrupted:
        return INTERRUPTED
    rows = [row.status for row in found.timings] + [row.status for row in found.steps]
    return 0 if MEASURED in rows else NOTHING_MEASURED


def _refuse_early(form: str, output: str | None) -> None:
    """What would fail after the measuring fails before it."""
    if form == "png" and output is None:
        raise UsageError("--format png: a picture needs a place", "For example --output bench.png.")
    if form in ("html", "png"):
        from attn_doctor.reporters import _plots

        _plots.require()
    if output is not None:
        try:
            with open(output, "ab"):
                pass
        except OSError as error:
            raise BadInput(f"cannot write {output}: {error.strerror}") from error


def _write(found: Benchmark, form: str, output: str | None) -> None:
    from attn_doctor.reporters import _benchmark

    if form in ("text", "json"):
        exact = form == "json"
        options.write(_benchmark.document(found) if exact else _benchmark.text(found), output, exact=exact)
        return
    from attn_doctor.reporters import _benchmark_page, _plots

    if form == "html":
        options.write(_benchmark_page.page(found), output, exact=True)
        return
    with open(output or "", "wb") as file:
        file.write(_plots.png(found))
