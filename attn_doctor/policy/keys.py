"""The keys of a policy, as types: the reader and the published schema (schemas/policy.json) are made from them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

SCHEMA = 1
FailOn = Literal["error", "warning", "never"]
CODE = "^AD[0-9]{3}$"
DAY = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
NOT_BLANK = r"\S"

# what a message says of a value that does not have this pattern, or is none of these
EXPECTED: dict[object, str] = {
    CODE: "a code such as AD214",
    DAY: "a day such as 2027-01-31",
    NOT_BLANK: "a text that is not empty",
    frozenset(("error", "warning", "never")): "error, warning or never",
    frozenset((SCHEMA,)): str(SCHEMA),
}

Code = Annotated[str, Meta(pattern=CODE, description="A finding, by its code: attn-doctor rule --list")]
Day = Annotated[str, Meta(pattern=DAY, description="The last day on which it holds; after it every check fails.")]
Text = Annotated[str, Meta(pattern=NOT_BLANK)]
Specifier = Annotated[
    str, Meta(pattern=NOT_BLANK, description="As packaging writes it: >=2.6,<2.15", examples=[">=2.6"])
]


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """The environment that is examined, from the folder of this file; one of the two."""

    venv: Annotated[Text, Meta(description="The folder of a virtual environment.", examples=[".venv"])] | UnsetType = (
        UNSET
    )
    python: Annotated[Text, Meta(description="The path of an interpreter.")] | UnsetType = UNSET


class Ignore(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A finding that does not count for the exit code; it still shows, marked as ignored."""

    code: Code
    reason: Annotated[Text, Meta(description="Why it may be ignored; whoever comes after you reads it.")]
    until: Day | UnsetType = UNSET


class Gpu(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """A GPU that the project must run on, with more than its name."""

    name: Annotated[Text, Meta(description="As the product is called: T4, A100, RTX 5090.")]
    count: Annotated[int, Meta(ge=1, le=1024, description="How many of them one machine has.")] | UnsetType = UNSET
    vram: (
        Annotated[Text, Meta(description="Its memory, where the product comes in several sizes.", examples=["40GiB"])]
        | UnsetType
    ) = UNSET
    driver: (
        Annotated[Text, Meta(description="The driver there; otherwise the oldest that versions.driver allows.")]
        | UnsetType
    ) = UNSET


class Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What a project demands of the machines it runs on: [tool.attn-doctor] of pyproject.toml, or attn-doctor.toml."""

    schema: Annotated[Literal[1], Meta(description="The version of these keys.")] = 1
    required_version: (
        Annotated[Text, Meta(description="The versions of attn-doctor that may read this.", examples=[">=0.1"])]
        | UnsetType
    ) = UNSET
    target: Target = Target()
    require: Annotated[
        tuple[Text, ...],
        Meta(
            description="Backends that must be ready, as --require takes them.",
            examples=[["sdpa"], ["flash_attention_2"]],
        ),
    ] = ()
    need: Annotated[
        tuple[Text, ...],
        Meta(
            description="What the model needs, as --need takes it.", examples=[["dtype=bf16", "head_dim=128", "causal"]]
        ),
    ] = ()
    fail_on: Annotated[FailOn, Meta(description="The severity that makes the exit code 1.")] | UnsetType = UNSET
    ignore: Annotated[tuple[Ignore, ...], Meta(description="Findings that do not count, each with its reason.")] = ()
    versions: Annotated[
        dict[str, Specifier],
        Meta(
            description="What torch, python, driver, cuda or a package must be, where it is there.",
            examples=[{"torch": ">=2.6,<2.15", "driver": ">=550"}],
        ),
    ] = {}
    wheel_sources: Annotated[
        tuple[Text, ...], Meta(description="Whose prebuilt wheels may be installed.", examples=[["fa-official"]])
    ] = ()
    gpus: Annotated[
        tuple[Text | Gpu, ...],
        Meta(
            description="GPUs that the project must run on, judged without having them.",
            examples=[["T4", "A100", "RTX 5090"]],
        ),
    ] = ()
    lock: (
        Annotated[
            Text,
            Meta(
                description="The lock whose packages are judged on these GPUs, in place of the installed ones.",
                examples=["uv.lock", "pylock.toml", "poetry.lock", "requirements.txt"],
            ),
        ]
        | UnsetType
    ) = UNSET
