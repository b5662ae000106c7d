"""The figures that every process has: processor time, memory, descriptors, and when it was started."""

from __future__ import annotations

from xmpp_rest.metrics.families import Figures

CPU = "process_cpu_seconds_total"
GAUGES = frozenset({"process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_start_time_seconds"})


def own_figures() -> tuple[Figures, Figures]:
    """What only grows, and what does not; nothing where the system does not tell."""
    from prometheus_client.process_collector import ProcessCollector

    told = {each.name: each.value for metric in ProcessCollector(registry=None).collect() for each in metric.samples}
    return {CPU: told[CPU]} if CPU in told else {}, {name: value for name, value in told.items() if name in GAUGES}
