"""`tuner predict`: texts in, labels out."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tuner.cli.options import finished_study_option, output_option

__all__ = ["predict"]


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option(
    "--input",
    "input_file",
    metavar="FILE",
    help="Table of texts (CSV, TSV, JSON, JSONL, Parquet, Excel), or .txt with one a line, "
    "blank ones too.",
)
@click.option(
    "--text",
    multiple=True,
    metavar="COLUMN",
    help="Text column of the table.  [default: as in training; the usual name where the table "
    "has none of these]",
)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Model folder.  [default: best_model of the study]",
)
@finished_study_option
@output_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="One JSON object a line, with the probability of every class.",
)
def predict(
    *,
    texts: tuple[str, ...],
    input_file: str | None,
    text: tuple[str, ...],
    model: Path | None,
    study_name: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Predict texts with a study's best model.

    Writes CSV on stdout: label, probability, text.

    Example: tuner predict --input new.csv --text content > labels.csv
    """
    from tuner.cli.run_folder import find_run
    from tuner.errors import ConfigError
    from tuner.pipeline import load_model
    from tuner.report import csv_row_writer

    if bool(texts) == (input_file is not None):
        raise ConfigError(
            "predict takes either texts or --input FILE; got " + ("both." if texts else "neither.")
        )
    loaded = load_model(model or find_run(output, study_name) / "best_model")
    trained = loaded.text_columns
    rows = list(texts) if input_file is None else _read_texts(input_file, text, trained)
    probabilities = loaded.probabilities(rows)
    write_row = csv_row_writer(sys.stdout)
    if not as_json:
        write_row(["label", "probability", "text"])
    for row, scores in zip(rows, probabilities, strict=True):
        label = loaded.classes[int(scores.argmax())]
        if as_json:
            line = {
                "label": label,
                "probabilities": {
                    name: float(score) for name, score in zip(loaded.classes, scores, strict=True)
                },
                "text": row,
            }
            click.echo(json.dumps(line, ensure_ascii=False))
        else:
            write_row([label, f"{scores.max():.6f}", row])


def _read_texts(path: str, asked: tuple[str, ...], trained: tuple[str, ...]) -> list[str]:
    from tuner.corpus import read_lines, read_texts, read_texts_as_trained

    if Path(path).suffix.lower() == ".txt":
        return read_lines(Path(path))
    if asked:
        return read_texts(path, asked)
    columns, texts = read_texts_as_trained(path, trained)
    if trained and columns != trained:
        click.echo(
            f"{path} has no column {trained[0]!r}, which the model was trained on: "
            f"{columns[0]!r} is read. --text names another one.",
            err=True,
        )
    return texts
