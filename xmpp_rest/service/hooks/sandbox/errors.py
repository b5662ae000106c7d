"""Why a template is not used."""

from __future__ import annotations


class BadTemplate(ValueError):
    """A template that cannot be read or parsed; the sentence names the line. `line`: from 1, 0 for none."""

    def __init__(self, sentence: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {sentence}" if line else sentence)
        self.line = line


class TemplateFailed(Exception):
    """A template that failed, or asked for more than it may have; the sentence says which."""
