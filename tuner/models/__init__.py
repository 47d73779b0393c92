"""Networks: backbones, the head, layer groups, dropout with a tensor for its rate."""

from tuner.models.registry import backbone_class, backbone_names, model_shape
from tuner.models.shape import ModelShape

__all__ = ["ModelShape", "backbone_class", "backbone_names", "model_shape"]
