"""What a worker process works with; made once per process, after the fork."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache

from gateway import bootstrap
from gateway.providers.hooks import Hooks, HttpHooks
from gateway.providers.mail import Mailer, mailer_for
from gateway.providers.vat_register import VatRegister
from gateway.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Work:
    runtime: Runtime
    mailer: Mailer
    hooks: Hooks = field(default_factory=HttpHooks)
    vat_register: VatRegister | None = None  # None: VAT ids are looked up by people alone


def work() -> Work:
    """RQ forks a process per job: sockets of the parent must not be used in it."""
    return _work_of(os.getpid())


@cache
def _work_of(pid: int) -> Work:
    runtime = bootstrap.build_runtime()
    settings = runtime.settings
    return Work(
        runtime,
        mailer_for(settings.mail_url),
        vat_register=bootstrap.connect_vat_register(settings),
    )
