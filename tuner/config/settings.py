"""The settings of a study: one frozen class a section, each default in one place."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tuner.records import WEIGHTS_KEPT

__all__ = [
    "DEFAULT_SPACE",
    "METRIC_DIRECTIONS",
    "METRIC_RANGES",
    "AugmentationSettings",
    "DataSettings",
    "ExecutionSettings",
    "FeatureSettings",
    "ModelSettings",
    "PreprocessSettings",
    "PrunerSettings",
    "RegularizationSettings",
    "SamplerSettings",
    "Settings",
    "SpaceEntry",
    "SplitSettings",
    "StudySettings",
    "TrainingSettings",
    "WorkerSettings",
]

METRIC_DIRECTIONS: dict[str, Literal["maximize", "minimize"]] = {
    "accuracy": "maximize",
    "macro_f1": "maximize",
    "weighted_f1": "maximize",
    "mcc": "maximize",
    "log_loss": "minimize",
}
METRIC_RANGES: dict[str, tuple[float, float]] = {
    "accuracy": (0.0, 1.0),
    "macro_f1": (0.0, 1.0),
    "weighted_f1": (0.0, 1.0),
    "mcc": (-1.0, 1.0),
    "log_loss": (0.0, math.inf),
}

Metric = Literal["accuracy", "macro_f1", "weighted_f1", "mcc", "log_loss"]
Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Penalty = Annotated[float, Field(ge=0.0, le=1.0)]
Scalar = bool | int | float | str


class _Section(BaseModel):
    """A frozen section that refuses keys it does not know."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


class StudySettings(_Section):
    """What the study is called, seeded with and judged by."""

    name: Annotated[str, Field(pattern=r"^[\w\-.]+$", min_length=1, max_length=200)] = "study"
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    metric: Metric = "macro_f1"
    """Objective; its direction follows from `METRIC_DIRECTIONS`."""


class DataSettings(_Section):
    """Where the labelled texts come from and how rows are read."""

    path: str | None = None
    """File, folder with one subfolder a class, or a SQLAlchemy URL (then `query` is needed)."""
    query: str | None = None
    validation: str | None = None
    """Ready-made validation file; selection is then still cut from train."""
    test: str | None = None
    """Ready-made test file; it is sealed as it stands."""
    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet", "xlsx"] = "auto"
    text: tuple[str, ...] = ()
    """Text columns, joined by a blank in this order; () picks the usual name."""
    label: str | None = None
    duplicates: Literal["keep", "drop"] = "keep"
    """Copies of one text under one label: keep them (always on one side) or keep the first."""
    merge_labels: bool = True
    """Take labels that differ by case or blanks only as one, in the commonest spelling."""

    @field_validator("text", mode="before")
    @classmethod
    def _accept_one_column(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("path", "query", "validation", "test", "label", "text")
    @classmethod
    def _refuse_nothing(cls, value: Any) -> Any:
        texts = value if isinstance(value, tuple) else (value,)
        if any(text is not None and not text.strip() for text in texts):
            raise ValueError("an empty value names nothing; leave the setting out instead; got ''")
        return value


class SplitSettings(_Section):
    """Shares of the four parts; train gets the rest."""

    validation: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.15
    selection: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.10
    test: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.15
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Apart from the study seed: studies with several seeds are compared on one split."""
    near_duplicates: bool = True
    """Group texts with a Jaccard similarity of 0.9 or more, so that none straddles the split."""

    @model_validator(mode="after")
    def _leave_room_for_train(self) -> SplitSettings:
        held_out = self.validation + self.selection + self.test
        if held_out > 0.8:
            raise ValueError(
                "validation + selection + test must leave at least 0.2 for train; "
                f"they add up to {held_out:g}"
            )
        return self


class PreprocessSettings(_Section):
    """Cleaning and segmentation; stateless, so nothing is learnt from any part."""

    html: Literal["strip", "keep"] = "strip"
    lower_case: bool = True
    punctuation: Literal["remove", "keep"] = "remove"
    mask_urls: bool = False
    mask_emails: bool = False
    mask_numbers: bool = False
    stop_words: str = "none"
    """`none`, `zh`, `en`, `zh+en`, or a file with one word a line."""
    segmenter: Literal["auto", "jieba", "jieba_search", "characters", "words"] = "auto"
    dictionary: str | None = None
    """jieba user dictionary, one `word [frequency [tag]]` a line, UTF-8."""


class FeatureSettings(_Section):
    """How tokens become ids; everything is fitted on train alone."""

    vocabulary_size: Annotated[int, Field(ge=3, le=5_000_000)] = 50_000
    """With `[PAD]` and `[UNK]`; the most frequent train tokens win."""
    min_count: Annotated[int, Field(ge=1)] = 1
    ngrams: Literal["auto", "1", "2", "3", "4"] = "auto"
    """Longest run of tokens that is a feature; `auto`: 1 where the backbone reads order, else 2
    words or 4 characters."""
    subwords: str = "auto"
    """Pieces of words that are features besides, `none` or shortest-longest in characters, such as
    `3-4`; `auto`: `3-4` where `linear` reads short texts of words and has few to learn from."""
    ngram_min_count: Annotated[int, Field(ge=1)] = 2
    length_percentile: Annotated[float, Field(gt=0, le=100)] = 99.0
    """Texts are cut at this percentile of the train lengths."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 640
    """Upper bound on that length, in tokens."""

    @model_validator(mode="before")
    @classmethod
    def _accept_whole_numbers(cls, values: Any) -> Any:
        if isinstance(values, dict) and type(values.get("ngrams")) is int:
            return {**values, "ngrams": str(values["ngrams"])}
        return values

    @field_validator("subwords", mode="before")
    @classmethod
    def _be_kinds_of_pieces(cls, value: Any) -> Any:
        pieces = {f"{low}-{high}" for low in range(2, 9) for high in range(low, 9)}
        if value not in {"auto", "none", *pieces}:
            raise ValueError(
                "must be auto, none, or the shortest and the longest piece in characters, "
                f"2 to 8, such as 3-4; got {value!r}"
            )
        return value


class ModelSettings(_Section):
    """The network."""

    backbone: str = "average"
    checkpoint: str | None = None
    """`pretrained`: a Hugging Face folder, a KerasHub preset folder or a preset's name."""
    embedding_width: Annotated[int, Field(ge=1, le=4096)] = 64
    width: Annotated[int, Field(ge=1, le=8192)] | None = None
    """Units of the hidden layer, or filters per kernel size; None takes the backbone's own."""
    kernel_sizes: Annotated[
        tuple[Annotated[int, Field(ge=1, le=64)], ...], Field(min_length=1)
    ] = (3, 4, 5)
    dropout: Fraction = 0.3
    token_dropout: Fraction = 0.5
    """Share of tokens hidden while training (Iyyer et al. 2015, section 3.1)."""
    pooling_power: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """`average`: the mean embedding times n_tokens to this power; 0 is the classic mean."""
    frozen_depth: Annotated[int, Field(ge=0)] = 0
    """Layer groups frozen while fine-tuning, counted from the input."""
    pooling: Literal["mean", "cls", "max"] = "mean"
    """Pretrained: how the pieces of a text become one vector."""
    head_width: Annotated[int, Field(ge=1, le=8192)] | None = None
    """Pretrained: units of a hidden layer in the head; None for a linear head."""
    encoder_dropout: Fraction = 0.1
    """Pretrained: share of units hidden in the open groups, as in BERT."""
    vectors: Annotated[str, Field(min_length=1)] = "none"
    """File of word vectors to start the embedding from (`.npz`, word2vec `.bin` or text)."""
    freeze_vectors: bool = False
    """Keep the embedding as it starts, in both phases (Kim 2014, "static")."""

    @model_validator(mode="after")
    def _freeze_what_is_given(self) -> ModelSettings:
        if self.freeze_vectors and self.vectors == "none":
            raise ValueError(
                "`freeze_vectors` needs `vectors`, since an embedding drawn at random would never "
                "learn; got vectors = 'none'"
            )
        return self


class TrainingSettings(_Section):
    """Both phases of a trial."""

    learning_rate: Annotated[float, Field(gt=0.0, le=10.0)] = 5e-3
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 64
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 5
    """Phase one, in epochs."""
    fine_tune_epochs: Annotated[int, Field(ge=0, le=10_000)] = 3
    """Phase two, in epochs."""
    steps_per_epoch_min: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """An epoch of a small table goes over train several times, until it has so many batches."""
    fine_tune_scale: Annotated[float, Field(gt=0.0, le=10.0)] = 0.3
    """Learning rate of phase two as a share of phase one's."""
    layer_decay: Annotated[float, Field(ge=1.0, le=100.0)] = 1.0
    """Ratio of the rates of neighbouring groups while fine-tuning; 1 = all equal."""
    embedding_updates: Literal["dense", "touched"] = "dense"
    """`dense`: as Keras's Adam; `touched`: rows that a batch does not touch stay as they are."""
    schedule: Literal["linear", "constant"] = "linear"
    """`linear`: the rate falls to 0 over each phase, as fastText's does."""
    patience: Annotated[int, Field(ge=1)] = 2
    """A phase ends after so many epochs without a better validation value."""
    encoder_learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 5e-5
    """Pretrained: of the encoder's top group in phase two; `learning_rate` is the head's."""
    encoder_batch_size: Annotated[int, Field(ge=1, le=65_536)] = 16
    """Pretrained: rows a step in phase two."""
    encoder_micro_batch_size: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Pretrained: rows a pass; gradients add up to the step's. None: as many as 1 024 pieces."""
    encoder_schedule: Literal["linear", "cosine", "constant"] = "linear"
    """Pretrained: how the rate falls over phase two."""
    warmup: Fraction = 0.1
    """Pretrained: share of phase two over which the rate rises from 0."""
    gradual_unfreezing: bool = False
    """Pretrained: open the groups from the top down over phase two (Howard and Ruder 2018)."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Pretrained: of the products in the open groups."""
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    focal_gamma: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Focal loss (Lin et al. 2017): rows that are learnt already count less; 0 is off."""


class RegularizationSettings(_Section):
    """Penalties on kernels and touched embedding rows; 0.0 is off."""

    l1: Penalty = 0.0
    l2: Penalty = 0.0
    l2_sp: Penalty = 0.0
    """Pretrained: penalty l2_sp · Σ(w - w of the checkpoint)² (Li et al. 2018)."""


class AugmentationSettings(_Section):
    """Random changes of train texts, of no other part's; all chances 0 is off."""

    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """Share of the texts of a batch that are changed."""
    deletion: Fraction = 0.0
    """Chance of a token to be left out (Wei and Zou 2019, section 2)."""
    swap: Fraction = 0.0
    """Chance of a token to change places with others that are drawn."""
    neighbours: Fraction = 0.0
    """Chance of a token to become one that stands among the same words in train."""
    noise: Fraction = 0.0
    """Chance of a token to be misspelt by one character."""

    @property
    def is_on(self) -> bool:
        """Whether any text is changed."""
        chances = (self.deletion, self.swap, self.neighbours, self.noise)
        return self.share > 0 and any(chance > 0 for chance in chances)


class SamplerSettings(_Section):
    """Who proposes configurations."""

    name: Literal["tpe", "random", "gp", "cmaes", "qmc", "grid"] = "tpe"
    startup_trials: Annotated[int, Field(ge=1)] = 10
    """`tpe`, `gp`, `cmaes`: random trials before the model."""


class PrunerSettings(_Section):
    """Who stops poor trials; resources are in epochs."""

    name: Literal["predictive", "median", "asha", "hyperband", "none"] = "predictive"
    startup_trials: Annotated[int, Field(ge=0)] = 8
    """`predictive`, `median`: complete trials before anything is pruned."""
    chance: Annotated[float, Field(gt=0.0, le=0.5)] = 0.002
    """`predictive`: a trial may end when its chance to be among the best `top` falls below it."""
    loss: Annotated[float, Field(gt=0.0, le=1.0)] = 0.02
    """`predictive`: share of the best `top` that all pruning together may be expected to cost."""
    top: Annotated[int, Field(ge=1)] = 5
    """`predictive`: complete trials that count as the best; the confirmation takes five."""
    warmup_epochs: Annotated[int, Field(ge=0)] = 3
    """`median`: epochs a trial is left alone."""
    min_resource: Annotated[int, Field(ge=1)] = 2
    """`asha`, `hyperband`: epochs before the first rung."""
    reduction_factor: Annotated[int, Field(ge=2)] = 3
    """`asha`, `hyperband`: each rung keeps 1 in that many."""


class WorkerSettings(_Section):
    """What running takes of a node and of the disk; no part of a study's identity."""

    cpus: Annotated[float, Field(gt=0.0)] = 1.0
    """Cores, and threads of a trial."""
    gpus: Annotated[float, Field(ge=0.0)] = 0.0
    memory_gb: Annotated[float, Field(gt=0.0)] | None = None
    """In 10^9 bytes; none reserves nothing."""
    weights_kept: Annotated[int, Field(ge=1, le=WEIGHTS_KEPT)] = WEIGHTS_KEPT
    """Best trials whose weights stay on the disk; those of trial 0 stay too."""


class ExecutionSettings(_Section):
    """How a process runs its trials; no part of a study's identity."""

    isolate: bool = False
    """Run them in a guarded child process, whose death does not end the study."""
    trial_seconds: Annotated[float, Field(gt=0.0)] | None = None
    """Time of one attempt at a trial, compilation included; one that takes longer has failed."""
    trial_memory_gb: Annotated[float, Field(gt=0.0)] | None = None
    """Resident memory of the child in 10^9 bytes, libraries and data included."""

    @model_validator(mode="after")
    def _guard_what_is_limited(self) -> ExecutionSettings:
        for name in ("trial_seconds", "trial_memory_gb"):
            limit = getattr(self, name)
            if limit is not None and not self.isolate:
                raise ValueError(
                    f"`{name}` needs `isolate` (--isolate), since only a process apart can be "
                    f"ended; got {limit:g} without it"
                )
        return self


class SpaceEntry(_Section):
    """One searched setting: a range, or choices."""

    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: float | int | None = None
    choices: tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _be_a_range_or_choices(self) -> SpaceEntry:
        if self.choices is not None:
            if (self.low, self.high, self.step, self.log) != (None, None, None, False):
                raise ValueError("`choices` stands alone, without low, high, step or log")
            if not self.choices:
                raise ValueError("`choices` needs at least one value")
            if len({(type(choice), choice) for choice in self.choices}) != len(self.choices):
                raise ValueError("`choices` has a value twice")
            return self
        if self.low is None:
            raise ValueError("either `choices` or `low` and `high` must be given")
        if self.high is not None and self.high < self.low:
            raise ValueError(f"`high` must not be below `low`; got {self.low} to {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"`low` must be above 0 on a log scale; got {self.low}")
        if self.log and self.step is not None:
            raise ValueError("`step` and `log` exclude each other")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"`step` must be above 0; got {self.step}")
        return self


DEFAULT_SPACE: dict[str, SpaceEntry] = {
    # Which of the two wins depends on the table: few rows and many classes favour `linear`.
    "model.backbone": SpaceEntry(choices=("average", "linear")),
    "training.learning_rate": SpaceEntry(low=5e-4, high=3e-2, log=True),
    "training.fine_tune_scale": SpaceEntry(low=0.03, high=1.0, log=True),
    "training.encoder_learning_rate": SpaceEntry(low=1e-5, high=3e-4, log=True),
    # Ten times as much unlearns tables with many classes: an embedding row's gradient is small.
    "regularization.l1": SpaceEntry(low=1e-8, high=1e-5, log=True),
    "regularization.l2": SpaceEntry(low=1e-8, high=1e-4, log=True),
    "model.dropout": SpaceEntry(low=0.0, high=0.7),
    "model.token_dropout": SpaceEntry(low=0.0, high=0.7),
    "model.pooling_power": SpaceEntry(low=0.0, high=0.5),
    # No `high`: the number of groups below the head, which the backbone knows.
    "model.frozen_depth": SpaceEntry(low=0),
}


class Settings(_Section):
    """All settings of a study, frozen."""

    study: StudySettings = StudySettings()
    data: DataSettings = DataSettings()
    split: SplitSettings = SplitSettings()
    preprocess: PreprocessSettings = PreprocessSettings()
    features: FeatureSettings = FeatureSettings()
    model: ModelSettings = ModelSettings()
    training: TrainingSettings = TrainingSettings()
    regularization: RegularizationSettings = RegularizationSettings()
    augmentation: AugmentationSettings = AugmentationSettings()
    sampler: SamplerSettings = SamplerSettings()
    pruner: PrunerSettings = PrunerSettings()
    execution: ExecutionSettings = ExecutionSettings()
    workers: WorkerSettings = WorkerSettings()
    space: dict[str, SpaceEntry] = Field(default_factory=lambda: dict(DEFAULT_SPACE))

    @property
    def epochs_max(self) -> int:
        """Epochs of a whole trial, both phases."""
        return self.training.epochs + self.training.fine_tune_epochs

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Direction of the objective."""
        return METRIC_DIRECTIONS[self.study.metric]
