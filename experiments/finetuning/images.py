"""CIFAR-10 for networks that have not seen these pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from baffle.data import load
from baffle.models.trained_part import features, split_frozen
from experiments.finetuning.files import find
from experiments.finetuning.networks import mobilenet, resnet20, squeezenet

ADAPT, TEST = 2000, 1000  # pictures
SIDES = {"mobilenet": 96, "squeezenet": 80}  # pixels: pretrained on 224 and 227
RESNET = "weights/cifar10-resnet/resnet20-12fca82f.th"
MOBILENET = "weights/mobilenet_v2_imagenet/mobilenet_v2_1.0_224_dequant_fp16.safetensors"
SQUEEZENET = "weights/squeezenet_v1.0_imagenet/squeezenet_v1.0_deepcompression_fp16.safetensors"
RESNET_MEAN, RESNET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(task: str) -> nn.Sequential:
    """Return the pretrained network of a task."""
    if task == "negatives":
        return resnet20(find(RESNET))
    if task == "mobilenet":
        return mobilenet(10, find(MOBILENET))
    return squeezenet(10, find(SQUEEZENET))


@cache
def pictures(task: str) -> tuple[Tensor, Tensor]:
    """Return pictures as the task's network takes them, and their classes.

    ADAPT come to train on, then TEST others. "negatives" are photographic negatives of CIFAR-10's
    test pictures, since ResNet-20 has seen the train pictures.
    """
    data = load("cifar10", normalise=False)
    if task == "negatives":
        count = ADAPT + TEST
        x, y = torch.from_numpy(data.test_x[:count]), torch.from_numpy(data.test_y[:count])
        return _normalised(1 - x, RESNET_MEAN, RESNET_STD), y
    x = torch.cat([torch.from_numpy(a) for a in (data.train_x[:ADAPT], data.test_x[:TEST])])
    y = torch.cat([torch.from_numpy(a) for a in (data.train_y[:ADAPT], data.test_y[:TEST])])
    return x, y


def _normalised(x: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    return (x - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


class Enlarged(nn.Module):
    """Small pictures in 0 … 1 as the ImageNet networks take them."""

    def __init__(self, task: str) -> None:
        super().__init__()
        self.task = task

    def forward(self, x: Tensor) -> Tensor:
        """Return larger pictures in the network's own units."""
        size = (SIDES[self.task],) * 2
        x = functional.interpolate(x, size, mode="bilinear", align_corners=False)
        if self.task == "mobilenet":
            return x * (255 / 127.5) - 127 / 127.5
        return 255 * x.flip(1) - torch.tensor((104.0, 117.0, 123.0)).view(3, 1, 1)


def image_task(
    task: str, part: Callable[[nn.Module], nn.Module]
) -> tuple[nn.Module, Tensor, Tensor]:
    """Return what comes after the frozen beginning, its inputs for all pictures, and classes.

    Args:
        task: "negatives", "mobilenet" or "squeezenet".
        part: chooses what is trained.
    """
    model = part(network(task))
    assert isinstance(model, nn.Sequential)
    frozen, rest = split_frozen(model)
    return rest, _features(task, len(frozen)), pictures(task)[1]


@cache
def _features(task: str, modules: int) -> Tensor:
    """Return what the first modules make of all pictures; the same for every key."""
    beginning: nn.Module = network(task)[:modules]
    if task in SIDES:
        beginning = nn.Sequential(Enlarged(task), beginning)
    return features(beginning, pictures(task)[0])
