"""`tuner pretrain`: a small encoder of one's own, from texts without labels."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tuner.cli.same_line import same_line
from tuner.cli.say import say

if TYPE_CHECKING:
    from tuner.training.masked_language import Evaluation

__all__ = ["pretrain"]


@click.command()
@click.argument("corpus", metavar="CORPUS")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder to write; it appears when it is whole.",
)
@click.option(
    "--text", multiple=True, metavar="COLUMN", help="Text column of a table; several are joined."
)
@click.option(
    "--layers",
    type=click.IntRange(2, 6),
    default=4,
    show_default=True,
    help="Transformer blocks.",
)
@click.option(
    "--width",
    type=click.IntRange(16, 1024),
    default=256,
    show_default=True,
    help="Numbers that a piece becomes in each block.",
)
@click.option(
    "--heads",
    type=click.IntRange(1, 16),
    help="Attention heads; they must divide the width.  [default: one for every 64 of it]",
)
@click.option(
    "--length",
    type=click.IntRange(8, 512),
    default=128,
    show_default=True,
    help="Pieces a text can have later, start and end included.",
)
@click.option(
    "--vocabulary",
    type=click.IntRange(100, 30_000),
    default=8_000,
    show_default=True,
    help="Pieces at most: Han characters, and what other words are made of.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Passes over the corpus.",
)
@click.option("--steps", type=click.IntRange(1), help="Steps, in place of --epochs.")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 4096),
    default=32,
    show_default=True,
    help="Sequences a step.",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Highest rate, after the warm-up.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.0, min_open=True),
    help="End the training after so long, over all its runs, and write what there is.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of weights, order and hidden words.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON on stdout.")
def pretrain(*, corpus: str, output: Path, as_json: bool, **options: Any) -> int:
    """Train a small encoder on texts without labels: words are hidden and guessed.

    CORPUS is a text file with one text a line (.txt, .txt.gz), or any table that --data of
    optimize takes. Killed or stopped, the same line goes on from the last state, about a minute
    old. A study starts from the folder with --set model.backbone=pretrained
    --set model.checkpoint=FOLDER.

    Example: tuner pretrain texts.txt --output our-bert --layers 4 --minutes 60
    """
    from tuner.cli.signals import Signals
    from tuner.errors import Interrupted
    from tuner.pipeline.pretraining import run_pretraining
    from tuner.pipeline.pretraining_settings import Pretraining

    heads = options.pop("heads") or max(1, options["width"] // 64)
    asked = Pretraining(corpus=corpus, heads=heads, **options)
    with Signals() as signals:
        try:
            about = run_pretraining(
                asked, output, say=say, watch=_show, stop_requested=signals.stop_requested
            )
        except Interrupted as interruption:
            say(f"stopped; what is done stays. To continue:\n  {same_line()}")
            return interruption.exit_code
    if as_json:
        click.echo(json.dumps(about, indent=2))
        return 0
    found = about["held_out"]
    click.echo(
        f"{output}: {'was finished already, ' if about.get('was_finished') else ''}"
        f"{about['steps']:,} steps in {about['seconds'] / 60:.1f} min; of the hidden pieces of "
        f"held-out texts {found['accuracy']:.1%} guessed, loss {found['loss']:.3f} "
        f"({found['loss_at_start']:.3f} at the start)\n"
        f"--set model.backbone=pretrained --set model.checkpoint={output}"
    )
    return 0


def _show(evaluation: Evaluation, n_steps: int) -> None:
    left = ""
    if evaluation.step:
        seconds = evaluation.seconds / evaluation.step * (n_steps - evaluation.step)
        left = f", at most {seconds / 60:.1f} min left"
    trained = "" if math.isnan(evaluation.train_loss) else f"loss {evaluation.train_loss:.3f}, "
    say(
        f"step {evaluation.step:,}/{n_steps:,}: {trained}held-out loss {evaluation.loss:.3f}, "
        f"{evaluation.accuracy:.1%} guessed{left}"
    )
