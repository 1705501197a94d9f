"""Pretrained networks as chains of modules, so that a frozen beginning can be split off."""

from experiments.finetuning.networks.mobilenet import mobilenet
from experiments.finetuning.networks.resnet import resnet20
from experiments.finetuning.networks.squeezenet import squeezenet
from experiments.finetuning.networks.stories import Sizes, stories

__all__ = ["Sizes", "mobilenet", "resnet20", "squeezenet", "stories"]
