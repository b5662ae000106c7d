"""The text that Prometheus reads: the figures of all processes as families."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from xmpp_rest.metrics.families import OPENED, TABLE, Figures

TEXT = ("text", "plain", {"version": "1.0.0", "charset": "utf-8"})
OPEN = ("application", "openmetrics-text", {"version": "1.0.0", "charset": "utf-8"})
_SUFFIXES = {"counter": ("",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


class Exposition(NamedTuple):
    """The figures of a gateway, in the form of a collector of Prometheus's library."""

    figures: Figures

    def text(self) -> bytes:
        """In Prometheus's text format."""
        from prometheus_client.exposition import generate_latest

        return generate_latest(self)

    def open_text(self) -> bytes:
        """In that of OpenMetrics."""
        from prometheus_client.openmetrics.exposition import generate_latest

        text: bytes = generate_latest(self)  # type: ignore[no-untyped-call]
        return text

    def collect(self) -> Iterator[Any]:
        """The families of the table, each with its samples."""
        from prometheus_client.metrics_core import Metric

        by_name: dict[str, list[tuple[list[str], float]]] = {}
        for key, value in {**self.figures, **self._reconnects()}.items():
            name, *labels = key.split("\t")
            by_name.setdefault(name, []).append((labels, value))
        for family in TABLE:
            metric = Metric(family.full_name.removesuffix("_total"), family.help, family.type)
            for suffix in _SUFFIXES[family.type]:
                names = (*family.labels, "le") if suffix == "_bucket" else family.labels
                for labels, value in by_name.get(family.name + suffix, ()):
                    metric.add_sample(family.full_name + suffix, dict(zip(names, labels, strict=True)), value)
            if metric.samples or family.labels:
                yield metric

    def _reconnects(self) -> Figures:
        """The first stream of a domain is not one that was opened again, whichever process opened it."""
        opened = {key: value for key, value in self.figures.items() if key.startswith(f"{OPENED}\t")}
        return {key.replace(OPENED, "link_reconnects_total"): max(0.0, value - 1) for key, value in opened.items()}

