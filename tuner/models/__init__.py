"""Networks: backbones, the head, layer groups, dropout with a tensor for its rate."""

from tuner.models.pinned import checkpoint_digests, digest_differences, open_pinned
from tuner.models.precision import precision_remark
from tuner.models.pretrained import is_pretrained, least_tokens, open_checkpoint
from tuner.models.registry import (
    backbone_class,
    backbone_names,
    ignored_settings,
    layer_groups,
    model_shape,
    network_width,
    token_dropout,
)
from tuner.models.searched_models import (
    ignored_by_all,
    ignored_remark,
    searched_models,
    widths_remark,
)
from tuner.models.shape import ModelShape

__all__ = [
    "ModelShape",
    "backbone_class",
    "backbone_names",
    "checkpoint_digests",
    "digest_differences",
    "ignored_by_all",
    "ignored_remark",
    "ignored_settings",
    "is_pretrained",
    "layer_groups",
    "least_tokens",
    "model_shape",
    "network_width",
    "open_checkpoint",
    "open_pinned",
    "precision_remark",
    "searched_models",
    "token_dropout",
    "widths_remark",
]
