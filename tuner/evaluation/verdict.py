"""The verdict: was the tuned model worth it, in one sentence that claims no more than is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from statistics import NormalDist
from typing import Any

from tuner.evaluation.comparison import Comparison, Difference

__all__ = ["Verdict", "decide"]

_ALPHA = 0.05
_POWER = 0.8

_NAMES = {
    "default": ("the untuned default settings", "未调优的默认设置"),
    "tfidf_words": ("TF-IDF of words with a linear model", "词级 TF-IDF 加线性模型"),
    "tfidf_characters": ("TF-IDF of characters with a linear model", "字级 TF-IDF 加线性模型"),
}
# A Latin edge is set apart from the Chinese beside it.
_METRICS = {"accuracy": ("accuracy", "准确率"), "macro_f1": ("macro-F1", "宏平均 F1 ")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the sealed test says about the tuned model.

    `kind` is "worth_it", "not_worth_it" or "cannot_tell"; `numbers` holds everything the
    sentences state, scores and differences as shares in [-1, 1], rows as counts.
    """

    kind: str
    sentence: str
    sentence_zh: str
    numbers: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Give JSON-ready data."""
        return {
            "kind": self.kind,
            "sentence": self.sentence,
            "sentence_zh": self.sentence_zh,
            "numbers": dict(self.numbers),
        }


def decide(
    comparisons: Sequence[Comparison],
    *,
    metric: str,
    n: int,
    margin: float = 0.01,
    is_default: bool = False,
) -> Verdict:
    """Say whether the tuned model was worth it, or that these test rows cannot tell.

    Parameters
    ----------
    comparisons
        The winner against each other model; "majority" is left out of the judgement.
    metric
        The study's objective. "accuracy" is judged by accuracy, all else by macro-F1.
    n
        Number of test rows.
    margin
        Smallest gain that is worth having, a share above 0; 0.01 is one percentage point.
    is_default
        Whether the winner is the model of the default settings, which is then not compared with
        itself: nothing was gained on it, so the search was not worth it.

    Raises
    ------
    ValueError
        If `margin` is not above 0.

    Notes
    -----
    Worth it: better than every other model, each with Holm's p below 0.05. Since all must be
    beaten at once, a false "worth it" is rarer than 5 % (Berger 1982, Technometrics 24:295).
    Not worth it: some other model is better with Holm's p below 0.05; or else the 95 % interval
    of the difference to the strongest other, the one with the smallest difference, lies wholly
    below `margin`, an error of at most 2.5 % for each other model. Otherwise: cannot tell.

    Rows needed: n (1.96 + 0.84)^2 (standard error / difference)^2, for 80 % power in a two-sided
    test at 5 % without correction (Chow, Shao and Wang 2008, section 3.1), rounded up to two
    digits; for the difference measured or `margin`, whichever is larger, since the measured one
    may be next to nothing. It is about the difference to the strongest model not beaten.
    """
    if not margin > 0:
        raise ValueError(f"margin must be above 0, else no gain is too small; got {margin!r}.")
    judged = "accuracy" if metric == "accuracy" else "macro_f1"
    found = {c.other: _difference(c, judged) for c in comparisons if c.other != "majority"}
    if not found:
        return _nothing_to_compare(judged, n, margin)
    ranked = sorted(found, key=lambda name: found[name].value)
    certain = {name for name in ranked if found[name].p_adjusted < _ALPHA}
    better = [name for name in ranked if name in certain and found[name].value < 0]
    unbeaten = [name for name in ranked if name not in certain or found[name].value <= 0]
    if is_default:
        kind, other = "not_worth_it", ranked[0]
    elif better:
        kind, other = "not_worth_it", better[0]
    elif not unbeaten:
        kind, other = "worth_it", ranked[0]
    elif found[ranked[0]].interval.high < margin:
        kind, other = "not_worth_it", ranked[0]
    else:
        kind, other = "cannot_tell", unbeaten[0]
    difference = found[other]
    target = max(abs(difference.value), margin)
    numbers: dict[str, Any] = {
        "metric": judged,
        "n": n,
        "margin": margin,
        "comparator": other,
        "winner_is_default": is_default,
        "others": list(found),
        "n_comparisons": len(comparisons),
        "difference": difference.value,
        "interval": difference.interval.as_json(),
        "p_adjusted": difference.p_adjusted,
        "rows_needed": _rows_needed(difference, n, target) if kind == "cannot_tell" else None,
        "rows_needed_for": target if kind == "cannot_tell" else None,
    }
    say = {"worth_it": _worth_it, "not_worth_it": _not_worth_it, "cannot_tell": _cannot_tell}
    english, chinese = (_won_by_default if is_default else say[kind])(numbers)
    return Verdict(kind, english, chinese, numbers)


def _difference(comparison: Comparison, judged: str) -> Difference:
    return comparison.accuracy if judged == "accuracy" else comparison.macro_f1


def _rows_needed(difference: Difference, n: int, target: float) -> int:
    """Give the test rows that would tell `target`, more than `n`."""
    interval = difference.interval
    error = (interval.high - interval.low) / (2 * _quantile(0.5 + interval.level / 2))
    rows = n * ((_quantile(1 - _ALPHA / 2) + _quantile(_POWER)) * error / target) ** 2
    rows = max(rows, n + 1)
    digit = int(10 ** max(0, floor(log10(rows)) - 1))
    return ceil(rows / digit) * digit


def _quantile(share: float) -> float:
    return NormalDist().inv_cdf(share)


def _worth_it(numbers: Mapping[str, Any]) -> tuple[str, str]:
    name, name_zh = _names(numbers["comparator"])
    metric, metric_zh = _METRICS[numbers["metric"]]
    n_others = len(numbers["others"])
    named_zh = _quoted(name_zh)
    strongest, all_of, all_of_zh = "", "", ""
    if n_others > 1:
        strongest = "the strongest other, "
        named_zh = f"最强的对照模型“{name_zh}”"
        all_of = f", and better than each of the {n_others} models beside it"
        all_of_zh = f"，且显著优于全部 {n_others} 个对照模型"
    limits, limits_zh = "", ""
    if numbers["interval"]["high"] < numbers["margin"]:
        limits = f", yet by less than {_points(numbers['margin'])}"
        limits_zh = f"，但差距不足 {_size(numbers['margin'])} 个百分点"
    if "default" not in numbers["others"]:
        limits += "; the untuned default settings were not measured"
        limits_zh += "；未与默认设置比较"
    return (
        f"Worth it: on {_rows(numbers['n'])} the tuned model's {metric} is "
        f"{_points(numbers['difference'])} above {strongest}{name} {_evidence(numbers)}"
        f"{all_of}{limits}.",
        f"值得：在 {numbers['n']:,} 条测试样本上，调优后模型的{metric_zh}比{named_zh}"
        f"高 {_size(numbers['difference'])} 个百分点{_evidence_zh(numbers)}"
        f"{all_of_zh}{limits_zh}。",
    )


def _not_worth_it(numbers: Mapping[str, Any]) -> tuple[str, str]:
    name, name_zh = _names(numbers["comparator"])
    metric, metric_zh = _METRICS[numbers["metric"]]
    if numbers["p_adjusted"] < _ALPHA and numbers["difference"] < 0:
        reason, reason_zh = "", ""
    else:
        reason = f", so a gain of {_points(numbers['margin'])} or more is unlikely"
        reason_zh = f"，提升达到 {_size(numbers['margin'])} 个百分点的可能性很小"
    relation, relation_zh = _relation(numbers["difference"])
    return (
        f"Not worth it: on {_rows(numbers['n'])} the tuned model's {metric} is "
        f"{relation} {name} {_evidence(numbers)}{reason}.",
        f"不值得：在 {numbers['n']:,} 条测试样本上，调优后模型的{metric_zh}"
        f"{relation_zh.format(_quoted(name_zh))}{_evidence_zh(numbers)}{reason_zh}。",
    )


def _won_by_default(numbers: Mapping[str, Any]) -> tuple[str, str]:
    name, name_zh = _names(numbers["comparator"])
    metric, metric_zh = _METRICS[numbers["metric"]]
    relation, relation_zh = _relation(numbers["difference"])
    return (
        "Not worth searching: nothing better than the untuned default settings was found; on "
        f"{_rows(numbers['n'])} their {metric} is {relation} {name} {_evidence(numbers)}.",
        f"搜索不值得：没有找到比未调优的默认设置更好的配置；在 {numbers['n']:,} 条测试样本上，"
        f"默认设置的{metric_zh}{relation_zh.format(_quoted(name_zh))}{_evidence_zh(numbers)}。",
    )


def _cannot_tell(numbers: Mapping[str, Any]) -> tuple[str, str]:
    name, name_zh = _names(numbers["comparator"])
    metric, metric_zh = _METRICS[numbers["metric"]]
    relation, relation_zh = _relation(numbers["difference"])
    rows, target = numbers["rows_needed"], numbers["rows_needed_for"]
    return (
        f"Cannot tell with {_rows(numbers['n'])}: the tuned model's {metric} is "
        f"{relation} {name} {_evidence(numbers)}; about {rows:,} test rows would tell "
        f"a true difference of {_points(target)}.",
        f"无法判断：在 {numbers['n']:,} 条测试样本上，调优后模型的{metric_zh}"
        f"{relation_zh.format(_quoted(name_zh))}{_evidence_zh(numbers)}；若真实差距为 "
        f"{_size(target)} 个百分点，约需 {rows:,} 条测试样本才能判断。",
    )


def _nothing_to_compare(judged: str, n: int, margin: float) -> Verdict:
    keys = ("comparator", "difference", "interval", "p_adjusted", "rows_needed", "rows_needed_for")
    return Verdict(
        "cannot_tell",
        f"Cannot tell with {_rows(n)}: neither the untuned default settings nor a TF-IDF "
        f"baseline stands beside the tuned model.",
        f"无法判断：在 {n:,} 条测试样本上，没有默认设置或 TF-IDF 基线可与调优后的模型对照。",
        {
            "metric": judged,
            "n": n,
            "margin": margin,
            "winner_is_default": False,
            "others": [],
            "n_comparisons": 0,
        }
        | dict.fromkeys(keys),
    )


def _names(other: str) -> tuple[str, str]:
    return _NAMES.get(other, (other, other))


def _quoted(name_zh: str) -> str:
    """Set a Latin edge apart from the Chinese beside it, as the rest of the sentence does."""
    before = " " if name_zh[0].isascii() else ""
    return before + name_zh + (" " if name_zh[-1].isascii() else "")


def _relation(difference: float) -> tuple[str, str]:
    if _size(difference) == _size(0):
        return "the same as that of", "与{}相同"
    if difference > 0:
        return f"{_points(difference)} above", f"比{{}}高 {_size(difference)} 个百分点"
    return f"{_points(difference)} below", f"比{{}}低 {_size(difference)} 个百分点"


def _evidence(numbers: Mapping[str, Any]) -> str:
    low, high = numbers["interval"]["low"], numbers["interval"]["high"]
    return (
        f"({numbers['interval']['level']:.0%} interval {_signed(low)} to {_signed(high)} points, "
        f"{_p(numbers['p_adjusted'])}{_corrected(numbers, ' after Holm')})"
    )


def _evidence_zh(numbers: Mapping[str, Any]) -> str:
    low, high = numbers["interval"]["low"], numbers["interval"]["high"]
    return (
        f"（{numbers['interval']['level']:.0%} 置信区间为 {_signed(low)} 至 {_signed(high)} "
        f"个百分点，{_corrected(numbers, 'Holm 校正后 ')}{_p(numbers['p_adjusted'])}）"
    )


def _corrected(numbers: Mapping[str, Any], words: str) -> str:
    return words if numbers["n_comparisons"] > 1 else ""


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _signed(share: float) -> str:
    """Write a share as percentage points with its sign; never a negative nought."""
    text = f"{100 * share:+.1f}"
    return "+0.0" if text == "-0.0" else text


def _size(share: float) -> str:
    return f"{abs(100 * share):.1f}"


def _points(share: float) -> str:
    return f"{_size(share)} points"


def _rows(n: int) -> str:
    return f"{n:,} test {'row' if n == 1 else 'rows'}"
