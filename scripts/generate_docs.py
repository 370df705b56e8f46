"""Write what the code says of itself: the pages of rules, backends and keys, the JSON Schemas, the examples.

python scripts/generate_docs.py            write what is out of date
python scripts/generate_docs.py --check    write nothing; exit 1 and name what is out of date

In README.md and the pages of docs/ that are written by hand, three kinds of blocks are filled:

    <!-- help:begin -->          the help of `attn-doctor check`
    <!-- jobs:begin -->          jobs of a source build beside those of upstream's own rule
    <!-- example:NAME:begin -->  the output of the commands that the block itself shows, each after "$ "
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from attn_doctor.execute import listing
from attn_doctor.explain import diagnosis
from attn_doctor.issues import _project
from attn_doctor.judgement import names, report, resolution, wheel_search
from attn_doctor.judgement import source_build as builds
from attn_doctor.judgement.backend import Backend, backends
from attn_doctor.judgement.need import DTYPES, FEATURES
from attn_doctor.judgement.rule import Rule, rules
from attn_doctor.knowledge.attention import Demands, SourceBuild, demands, source_build
from attn_doctor.machine import gather
from attn_doctor.machine.facts import Reading
from attn_doctor.machine.probe import probes
from attn_doctor.measure import benchmark, verify
from attn_doctor.plan import container, dockerfile, plan
from attn_doctor.policy import keys
from attn_doctor.snippets import _snippet
from attn_doctor.wheels.refresh import run

ROOT = Path(__file__).parent.parent
# folders in which every page is generated: one that nothing generates any more is removed
OWNED = ("docs/rules", "docs/backends")
DRAFT = "https://json-schema.org/draft/2020-12/schema"
DEFINITIONS = "#/$defs/"
HELP = re.compile(r"<!-- help:begin -->\n.*?<!-- help:end -->", re.DOTALL)
JOBS = re.compile(r"<!-- jobs:begin -->\n.*?<!-- jobs:end -->", re.DOTALL)
MACHINES = ((16, 8), (24, 2), (32, 16), (64, 16), (96, 24), (128, 32), (256, 64), (512, 96))  # GiB, cores
EXAMPLE = re.compile(r"<!-- example:(?P<name>[\w-]+):begin -->\n(?P<body>.*?)<!-- example:(?P=name):end -->", re.DOTALL)
TIMEOUT_S = 120
WIDTH = 120
OMITTED = ("instead", "installer", "mounts")  # written only where there is something to say
# stands between the outputs of the commands of one example
MARK = "<<next command>>"
BLANK = "\n"


def generated() -> dict[str, str]:
    """Every file that is generated as a whole: path from the root, and what it should hold."""
    return {
        **rule_pages(),
        **backend_pages(),
        "docs/whatif.md": whatif_page(),
        "attn_doctor/schemas/facts.json": encode(facts_schema()),
        "attn_doctor/schemas/report.json": encode(report_schema()),
        "attn_doctor/schemas/docker.json": encode(written("docker", container.Container, container.SCHEMA)),
        "attn_doctor/schemas/dockerfile.json": encode(written("dockerfile", dockerfile.Judgement, dockerfile.SCHEMA)),
        "attn_doctor/schemas/benchmark.json": encode(written("benchmark", benchmark.Benchmark, benchmark.SCHEMA)),
        "attn_doctor/schemas/verification.json": encode(written("verification", verify.Verification, verify.SCHEMA)),
        "attn_doctor/schemas/diagnosis.json": encode(written("diagnosis", diagnosis.Diagnosis, diagnosis.SCHEMA)),
        "attn_doctor/schemas/issue.json": encode(written("issue", _project.Issue, _project.SCHEMA)),
        "attn_doctor/schemas/snippet.json": encode(written("snippet", _snippet.Snippet, _snippet.SCHEMA)),
        "attn_doctor/schemas/history.json": encode(written("history", listing.History, listing.SCHEMA)),
        "attn_doctor/schemas/plan.json": encode(plan_schema()),
        "attn_doctor/schemas/policy.json": encode(policy_schema()),
        "attn_doctor/schemas/resolution.json": encode(written("resolution", resolution.Resolution, resolution.SCHEMA)),
        "attn_doctor/schemas/wheels.json": encode(wheels_schema()),
        "attn_doctor/schemas/wheels-refresh.json": encode(written("wheels-refresh", run.Refreshed, run.SCHEMA)),
    }


def filled(whole: Sequence[str]) -> dict[str, str]:
    """Every page written by hand, with its marked blocks as they should be."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    relative = [page.relative_to(ROOT).as_posix() for page in pages if page.is_file()]
    return {path: fill((ROOT / path).read_text(encoding="utf-8")) for path in relative if path not in whole}


# rules


def rule_pages() -> dict[str, str]:
    pages = {f"docs/rules/{rule.code}.md": rule_page(rule) for rule in rules().values()}
    rows = [(f"[{rule.code}]({rule.code}.md)", rule.name, rule.severity, rule.title) for rule in rules().values()]
    pages["docs/rules/README.md"] = page(
        "Findings",
        "Every finding has a code that never changes its meaning. `error` makes the exit code of `attn-doctor check` 1;"
        " `warning` does so with `--fail-on warning`; `info` never does. A finding may be milder than its severity here"
        " where the machine gives a reason.",
        table(("code", "name", "severity", "what it says"), rows),
        "`attn-doctor rule CODE` prints the same page on a terminal. `attn-doctor check --ignore CODE` keeps a finding"
        " from counting; it still shows.",
    )
    return pages


def rule_page(rule: Rule) -> str:
    heading, body = split(rule.doc)
    reads = [name for name in rule.check.__code__.co_varnames[: rule.check.__code__.co_argcount] if name != "machine"]
    return page(
        heading,
        f"**{rule.severity}** · {rule.title}",
        body,
        f"It reads these facts: {', '.join(f'`{name}`' for name in reads)}. Where one of them is not known, the rule is"
        " skipped and the report says so."
        if reads
        else "It is judged where the project has a [policy](../policy.md), and points to its line.",
        f"On a terminal: `attn-doctor rule {rule.code}`. To keep it from counting: `attn-doctor check --ignore"
        f" {rule.code}`.",
        f"[All findings](README.md) · [source](../../{source(rule.check.__module__)})",
    )


# backends


def backend_pages() -> dict[str, str]:
    pages = {f"docs/backends/{backend.name}.md": backend_page(backend) for backend in backends().values()}
    rows = [
        (f"[{backend.name}]({backend.name}.md)", backend.title, gpus(demands(backend.name)), dtypes(backend.name))
        for backend in backends().values()
    ]
    pages["docs/backends/README.md"] = page(
        "Backends",
        "What `attn-doctor check` judges, each on the GPUs at hand, the installed torch and what the model needs.",
        table(("backend", "what it is", "GPUs", "dtypes"), rows),
        "A number is the lowest NVIDIA compute capability. What a page lists is the table the verdicts are made from.",
    )
    return pages


def backend_page(backend: Backend) -> str:
    heading, body = split(backend.doc)
    row = demands(backend.name)
    aliases = sorted(alias for alias, name in names.ALIASES.items() if name == backend.name)
    return page(
        heading,
        f"**{backend.title}**",
        body,
        "## What it takes",
        table(("", ""), requirements(row)),
        "## What it offers",
        table(("`--need`", ""), [(f"`{feature}`", offered(row, feature)) for feature in FEATURES]),
        row.note + "." if row.note else "",
        f"Source: {row.source}.",
        f"Also accepted as {' or '.join(f'`{alias}`' for alias in aliases)}." if aliases else "",
        f"[All backends](README.md) · [source](../../{source(backend.obstacles.__module__)})",
    )


def requirements(row: Demands) -> Iterator[tuple[str, str]]:
    yield "GPUs", gpus(row)
    for dtype in DTYPES:
        lowest = row.dtypes.get(dtype)
        yield f"`dtype={dtype}`", "no" if lowest is None else since(lowest)
    yield "`head_dim`", f"up to {row.head_dim_max}" if row.head_dim_max else "not limited by the table"


def gpus(row: Demands) -> str:
    if row.min_capability is None:
        return "any, and none"
    upper = f" to {row.max_capability_major}.x" if row.max_capability_major else " and later"
    return f"compute capability {row.min_capability}{upper}"


def dtypes(backend: str) -> str:
    return ", ".join(dtype for dtype in DTYPES if dtype in demands(backend).dtypes)


def since(lowest: str) -> str:
    return "everywhere" if lowest == "0.0" else f"compute capability {lowest} and later"


def offered(row: Demands, feature: str) -> str:
    value = row.features.get(feature)
    return {True: "yes", False: "no", None: "not judged"}.get(value, f"from version {value} on")  # type: ignore[arg-type]


# keys of --what-if and simulate


def whatif_page() -> str:
    rows = [
        (f"`{key.key}{'NAME' if key.key.endswith('.') else ''}`", key.expected, f"`{probe.name}`")
        for probe in probes().values()
        for key in probe.what_if
    ]
    start = ("attn-doctor simulate | attn-doctor check --facts -",)
    return page(
        "Imagining a machine",
        "`attn-doctor check --what-if KEY=VALUE` probes this machine and then changes single facts;"
        " `attn-doctor simulate KEY=VALUE ...` starts from nothing. Both take the same keys, as often as you like.",
        table(("key", "value", "fact it changes"), rows),
        "`gpu_count`, `cc` and `vram` speak of the `gpu` before them; compute capability and memory come from the table"
        " of products where they are not given. A `gpu` brings the newest driver of the table unless `driver` is given."
        " A torch without a local part is the build that the package index carries for that operating system.",
        "`simulate` starts from this machine:",
        fenced(transcript(start)),
    )


# schemas


def facts_schema() -> dict[str, Any]:
    """What `facts` prints and `--facts` reads: a field with a default may be missing, an unknown reading is refused."""
    reading: Any = Reading
    types = {name: reading[probe.type] for name, probe in probes().items()}
    shapes, components = msgspec.json.schema_components(types.values(), ref_template=DEFINITIONS + "{name}")
    # the codec knows `readings` only as a mapping; each probe says what stands under its name
    readings = {name: inlined(shape, components) for name, shape in zip(types, shapes, strict=True)}
    properties = {
        "schema": {"const": gather.SCHEMA},
        "version": {"type": "string", "description": "Of the attn-doctor that recorded them."},
        "readings": {"type": "object", "properties": readings, "additionalProperties": False},
    }
    return document("facts", "Facts", gather.Facts.__doc__, properties, components)


def report_schema() -> dict[str, Any]:
    """What `check --format json` prints. It is only ever written, and the codec writes every field."""
    (_,), components = msgspec.json.schema_components([report.Report], ref_template=DEFINITIONS + "{name}")
    facts = facts_schema()
    whole = components.pop("Report")
    components["Facts"] = {key: facts[key] for key in ("title", "description", "type", "properties")}
    components |= {name: shape for name, shape in facts["$defs"].items() if name not in components}
    properties = whole["properties"] | {"schema": {"const": report.SCHEMA}, "version": {"type": "string"}}
    schema = document("report", "Report", report.Report.__doc__, properties, components)
    for part in objects(schema):
        part["required"] = [name for name in part["properties"] if name not in OMITTED]
    return schema


def wheels_schema() -> dict[str, Any]:
    """What `wheels --format json` prints: every field, always."""
    return written("wheels", wheel_search.Answer, wheel_search.SCHEMA)


def plan_schema() -> dict[str, Any]:
    """What `install --format json` prints; a plan that is read back may lack what has a default."""
    return written("plan", plan.Plan, plan.SCHEMA)


def policy_schema() -> dict[str, Any]:
    """What stands in attn-doctor.toml, or in [tool.attn-doctor]: for editors, so every key may be left out."""
    _, components = msgspec.json.schema_components([keys.Keys], ref_template=DEFINITIONS + "{name}")
    whole = components.pop("Keys")
    schema = document("policy", "Policy of attn-doctor", keys.Keys.__doc__, whole["properties"], components)
    return schema | {"required": [], "additionalProperties": False}


def written(name: str, shape: Any, schema_name: str) -> dict[str, Any]:
    """The schema of a document that is only ever written: every field stands in it, always."""
    _, components = msgspec.json.schema_components([shape], ref_template=DEFINITIONS + "{name}")
    title = shape.__name__ if shape.__name__ != "Answer" else name.capitalize()
    whole = components[shape.__name__]
    first = {"schema": {"const": schema_name}} | ({"version": {"type": "string"}} if name != "plan" else {})
    properties = whole["properties"] | first
    if shape.__name__ not in str(whole):  # it does not hold others of its kind
        del components[shape.__name__]
    schema = document(name, title, shape.__doc__, properties, components)
    for part in objects(schema):
        part["required"] = list(part["properties"])
    return schema


def document(
    name: str, title: str, description: str | None, properties: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    schema = {
        "$schema": DRAFT,
        "$id": f"urn:attn-doctor:schema:{name}:1",
        "title": title,
        "description": description,
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "$defs": {},
    }
    schema["$defs"] = {key: components[key] for key in sorted(components) if key in used(schema, components)}
    return plain(schema)  # type: ignore[no-any-return]


def inlined(reading: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """A reading whose `known` branch stands in place: its component has no name that a person would give it."""
    branches = [components[name] if name.startswith("Known_") else shape for name, shape in branch_names(reading)]
    return {"anyOf": branches}


def branch_names(reading: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for branch in reading["anyOf"]:
        yield branch["$ref"].removeprefix(DEFINITIONS), branch


def used(shape: Any, components: dict[str, Any]) -> set[str]:
    """The components that a schema refers to, and those they refer to."""
    found: set[str] = set()
    open_ends = [shape]
    while open_ends:
        for name in references(open_ends.pop()) - found:
            found.add(name)
            open_ends.append(components[name])
    return found


def references(shape: Any) -> set[str]:
    if isinstance(shape, dict):
        own = {shape["$ref"].removeprefix(DEFINITIONS)} if isinstance(shape.get("$ref"), str) else set()
        return own.union(*map(references, shape.values()))
    return set().union(*map(references, shape)) if isinstance(shape, list) else set()


def plain(shape: Any) -> Any:
    """JSON Schema and nothing else: no OpenAPI keywords, one allowed value as a const."""
    if isinstance(shape, list):
        return [plain(item) for item in shape]
    if not isinstance(shape, dict):
        return shape
    kept = {key: plain(value) for key, value in shape.items() if key != "discriminator"}
    if isinstance(kept.get("enum"), list) and len(kept["enum"]) == 1:
        kept["const"] = kept.pop("enum")[0]
    return kept


def objects(shape: Any) -> Iterator[dict[str, Any]]:
    """Every part of a schema that lists the properties of an object."""
    if isinstance(shape, dict):
        if shape.get("type") == "object" and "properties" in shape:
            yield shape
        for value in shape.values():
            yield from objects(value)
    elif isinstance(shape, list):
        for item in shape:
            yield from objects(item)


# marked blocks


def fill(text: str) -> str:
    """A page with its marked blocks made anew."""
    text = HELP.sub(lambda _: f"<!-- help:begin -->\n{help_block()}\n<!-- help:end -->", text)
    text = JOBS.sub(lambda _: f"<!-- jobs:begin -->\n{jobs_block()}\n<!-- jobs:end -->", text)
    return EXAMPLE.sub(lambda found: example(found["name"], found["body"]), text)


def help_block() -> str:
    return fenced(output_of(("attn-doctor check --help",))[0], "text")


def jobs_block() -> str:
    """What upstream's rule takes on machines of several sizes, and what a plan does."""
    row = source_build("flash-attn", "2")
    head = ("machine", "upstream: jobs", "it takes", "", "a plan: jobs", "it takes", "minutes")
    return table(head, [jobs_row(row, memory, cores) for memory, cores in MACHINES])


def jobs_row(row: SourceBuild, memory: int, cores: int) -> tuple[str, ...]:
    jobs = builds.upstream_jobs(row, memory << 30, cores)
    peak = builds.peak_gib(row, jobs * row.default_threads)
    fate = "out of memory" if peak > memory else "fits"
    ours = builds.settings(row, memory << 30, cores, 1)
    own = (
        (str(ours.max_jobs), f"{ours.peak_gib:.0f} GiB", "{} to {}".format(*ours.minutes)) if ours else ("none", "", "")
    )
    return (f"{memory} GiB, {cores} cores", str(jobs), f"{peak:.0f} GiB", fate, *own)


def example(name: str, body: str) -> str:
    commands = commands_in(body)
    if not commands:
        raise SystemExit(f"example {name} shows no command: a line that starts with '$ '")
    return f"<!-- example:{name}:begin -->\n{fenced(transcript(commands))}\n<!-- example:{name}:end -->"


def commands_in(body: str) -> tuple[str, ...]:
    """The commands a block shows; one that ends in a backslash goes on in the next line."""
    joined = re.findall(r"^\$ ((?:.*\\\n)*.*)$", body, re.MULTILINE)
    return tuple(joined)


def transcript(commands: Sequence[str]) -> str:
    pairs = zip(commands, output_of(commands), strict=True)
    return "".join(f"$ {command}\n{output and output + BLANK}" for command, output in pairs).rstrip("\n")


def output_of(commands: Sequence[str]) -> list[str]:
    """What each command prints, run one after the other in one shell, so that `echo $?` speaks of the one before."""
    script = "".join(f"{command}\ncode=$?; echo '{MARK}'; (exit $code)\n" for command in commands)
    environment = {
        "PATH": os.pathsep.join((os.path.dirname(sys.executable), "/usr/bin", "/bin")),
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "PYTHONUTF8": "1",
    }
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment | {"HOME": folder},
            timeout=TIMEOUT_S,
            check=False,
        )
    parts = done.stdout.decode().split(f"{MARK}\n")
    if len(parts) != len(commands) + 1 or "command not found" in parts[0]:
        raise SystemExit(f"the commands of an example do not run: {done.stdout.decode()}")
    return ["".join(f"{line.rstrip()}\n" for line in part.splitlines()) for part in parts[:-1]]


# text


def page(title: str, *paragraphs: str) -> str:
    return "\n\n".join((f"# {title}", *(folded(paragraph) for paragraph in paragraphs if paragraph))) + "\n"


def folded(paragraph: str) -> str:
    """A paragraph of one long line, broken as prose is; what has lines already keeps them."""
    if "\n" in paragraph:
        return paragraph.strip("\n")
    return textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)


def split(doc: str) -> tuple[str, str]:
    """A docstring's first line and the rest."""
    heading, _, body = doc.strip().partition("\n")
    return heading, body.strip()


def table(head: Sequence[str], rows: Sequence[Sequence[str]] | Iterator[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def fenced(text: str, language: str = "console") -> str:
    return f"```{language}\n{text.rstrip()}\n```"


def source(module: str) -> str:
    return module.replace(".", "/") + ".py"


def encode(schema: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


# writing


def out_of_date(wanted: dict[str, str]) -> list[str]:
    """Paths whose file is not what it should be, and pages that nothing generates any more."""
    stale = [path for path, text in wanted.items() if current(path) != text]
    return sorted(stale + left_over(wanted))


def left_over(wanted: dict[str, str]) -> list[str]:
    here = (page.relative_to(ROOT).as_posix() for folder in OWNED for page in (ROOT / folder).glob("*.md"))
    return [path for path in here if path not in wanted]


def current(path: str) -> str | None:
    file = ROOT / path
    return file.read_bytes().decode() if file.is_file() else None


def write(path: str, text: str | None) -> None:
    file = ROOT / path
    if text is None:
        file.unlink()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())


def main(arguments: Sequence[str]) -> int:
    check = list(arguments) == ["--check"]
    if arguments and not check:
        print(__doc__)
        return 2
    whole = generated()
    wanted = whole | filled(list(whole) + left_over(whole))
    stale = out_of_date(wanted)
    for path in stale:
        if not check:
            write(path, wanted.get(path))
        print(f"{'out of date' if check else 'written' if path in wanted else 'removed'}: {path}")
    if check and stale:
        print("Bring them up to date: make docs")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
