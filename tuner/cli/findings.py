"""What a check found, as a short table."""

from __future__ import annotations

from collections.abc import Sequence

from tuner.cli.say import say
from tuner.records import Finding

__all__ = ["show_findings"]


def show_findings(findings: Sequence[Finding], *, examples: int = 1) -> None:
    """Write findings on stderr, each with its first examples."""
    for finding in findings:
        say(f"  {finding.count:>8,}  {finding.message}")
        for example in finding.examples[:examples]:
            say(f"            e.g. {example}")
