"""Reads the text of `/metrics` as a scraper does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families


class Scraped:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.types = {family.name: family.type for family in families}
        """Without `_total`, as the library names them."""
        self.samples: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
        for family in families:
            for each in family.samples:
                key = each.name, frozenset(each.labels.items())
                assert key not in self.samples, key
                self.samples[key] = each.value
        self.counters = {f.name for f in families if f.type in ("counter", "histogram")}

    def get(self, name: str, prefix: str = "xmpp_rest_", **labels: str) -> float | None:
        """The value of one sample; None: there is none."""
        return self.samples.get((prefix + name, frozenset(labels.items())))

    def sum(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        wanted = set(labels.items())
        return sum(value for (n, found), value in self.samples.items() if n == f"xmpp_rest_{name}" and wanted <= found)

    def labels(self, name: str) -> set[frozenset[tuple[str, str]]]:
        """The labels of all samples of this name."""
        return {found for n, found in self.samples if n == f"xmpp_rest_{name}"}

    def fallen(self, before: Scraped) -> Mapping[Any, Any]:
        """The counters, and parts of histograms, that had more before."""
        grows = tuple(before.counters)
        return {
            key: (value, self.samples.get(key))
            for key, value in before.samples.items()
            if key[0].startswith(grows) and self.samples.get(key, 0.0) < value
        }
