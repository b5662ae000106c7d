"""The figures that every process has: processor time, memory, descriptors, and when it was started."""

from __future__ import annotations

from collections.abc import Callable

from xmpp_rest.metrics.families import Figures

CPU = "process_cpu_seconds_total"
GAUGES = frozenset({"process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_start_time_seconds"})

OwnFigures = Callable[[], tuple[Figures, Figures]]
"""Tells what only grows, and what does not; nothing where the system does not tell."""


def own_figures() -> OwnFigures:
    """What tells the figures of the process that calls it. The library is imported here: once, before processes fork and share it."""
    from prometheus_client.process_collector import ProcessCollector

    collector = ProcessCollector(registry=None)

    def figures() -> tuple[Figures, Figures]:
        told = {each.name: each.value for metric in collector.collect() for each in metric.samples}
        return {CPU: told[CPU]} if CPU in told else {}, {name: value for name, value in told.items() if name in GAUGES}

    return figures


def no_figures() -> tuple[Figures, Figures]:
    """Where nothing is counted."""
    return {}, {}
