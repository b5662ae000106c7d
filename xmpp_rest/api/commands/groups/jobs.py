"""Background jobs of commands that act on all accounts: commands of our own (commands-api §12)."""

from __future__ import annotations

from datetime import UTC, datetime

from xmpp_rest.api.commands.registry import command
from xmpp_rest.api.commands.services import Services

Row = tuple[str, str, int, int, int, str, str, str, str]


@command("job_status")
def job_status(services: Services, host: str) -> list[Row]:
    services.require_host(host)
    return [
        (name, p.state, p.done, p.total, p.failed, _shown(p.began), _shown(p.at), p.error, p.about)
        for name, p in services.parts.jobs.all()
    ]  # fmt: skip


def _shown(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@command("abort_job")
def abort_job(services: Services, host: str, job: str) -> str:
    services.require_host(host)
    return "Operation aborted" if services.parts.jobs.abort(job) else "No task running"


COMMANDS = (job_status, abort_job)
