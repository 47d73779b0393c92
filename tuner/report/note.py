"""The note that the dashboard shows with a study, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tuner.records import Finding
from tuner.wording import times

__all__ = ["study_note"]


def _escape(text: str) -> str:
    """Escape what Markdown or HTML would act on: user text is only ever shown."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~-])", r"\\\1", " ".join(text.split()))


def study_note(result: Mapping[str, Any], findings: Sequence[Finding]) -> str:
    """Write the note of a study from its best-params content and the findings about its data."""
    objective = result["objective"]
    data = result["data"]
    lines = [
        f"**{_escape(result['study'])}**: best {objective['metric']} on selection "
        f"{objective['value']:.4f} (trial {result['trial']}).",
        "",
        f"Rows: train {data['train']}, validation {data['validation']}, "
        f"selection {data['selection']}, sealed test {data['test']}; "
        f"{len(data['classes'])} classes.",
    ]
    test = result["test"]
    if test["macro_f1"] is not None:
        lines += [
            "",
            f"Sealed test, read {times(test['reads'])}: accuracy {test['accuracy']:.4f}, "
            f"macro-F1 {test['macro_f1']:.4f}.",
            "",
            "| on the sealed test | accuracy | macro-F1 |",
            "| --- | --- | --- |",
            f"| **best trial** | {test['accuracy']:.4f} | {test['macro_f1']:.4f} |",
        ]
        lines += [
            f"| {_escape(name)} | {scores['test']['accuracy']:.4f} "
            f"| {scores['test']['macro_f1']:.4f} |"
            for name, scores in result["baselines"].items()
        ]
    if findings:
        lines += ["", "Data:", ""]
        lines += [f"- {finding.count} {_escape(finding.message)}" for finding in findings]
    return "\n".join(lines) + "\n"
