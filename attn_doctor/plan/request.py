"""What is asked of a plan, and everything that a way may look at."""

from __future__ import annotations

from functools import cached_property

import msgspec

from attn_doctor.judgement import wheel_query, wheel_search
from attn_doctor.judgement.backend import Backend, backends, judge
from attn_doctor.judgement.check import check
from attn_doctor.judgement.need import Need
from attn_doctor.judgement.report import Finding
from attn_doctor.judgement.verdict import BackendVerdict
from attn_doctor.judgement.view import Machine
from attn_doctor.judgement.wheel_query import Asked
from attn_doctor.knowledge.attention import demands
from attn_doctor.wheels.search import Filters

AUTO = "auto"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """As the call says it."""

    method: str = AUTO
    asked: Asked = Asked()
    """Version, sources, trust, pre-releases."""
    max_jobs: int | None = None
    needs: tuple[str, ...] = ()
    """As `--need` takes them, for the step that verifies."""


class Case:
    """One question: a backend, on one machine, under one request."""

    def __init__(self, machine: Machine, backend: Backend, request: Request, need: Need) -> None:
        self.machine = machine
        self.backend = backend
        self.request = request
        self.need = need

    @cached_property
    def verdict(self) -> BackendVerdict:
        """Of the backend that is asked for."""
        return judge(self.backend, self.machine, self.need)

    def judged(self, name: str) -> BackendVerdict:
        """Of another one."""
        return judge(backends()[name], self.machine, self.need)

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the machine: asked for where a plan cannot be carried out."""
        return check(self.machine.facts, self.need, allowed=self.machine.allowed).findings

    @cached_property
    def wanted(self) -> wheel_search.Wanted:
        """The package of the catalogue that brings the backend."""
        return wheel_search.wanted(self.backend.name, self.request.asked.version)

    @cached_property
    def filters(self) -> Filters | None:
        """What a file has to be; None where no package of the catalogue brings the backend."""
        package = self.wanted.package
        if package is None:
            return None
        served = demands(self.backend.name)
        return wheel_query.make_filters(package, self.backend.series, served, self.request.asked, self.machine)
