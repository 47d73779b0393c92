"""Trials in a guarded child process: what kills it does not kill the study."""

from tuner.isolation.guard import Guard, GuardedRun
from tuner.isolation.recipe import PipelineRecipe, Recipe

__all__ = ["Guard", "GuardedRun", "PipelineRecipe", "Recipe"]
