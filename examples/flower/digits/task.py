"""The model, and each node's own digits: what you replace by your own."""

import torch
from sklearn.datasets import load_digits
from torch import nn


def make_model():
    """Return the model; any torch module will do."""
    torch.manual_seed(0)  # the server's weights are those that the run begins with
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))


def make_data(node_config):
    """Return (train, held out) of the node that has this configuration."""
    number, of = int(node_config["partition-id"]), int(node_config.get("num-partitions", 3))
    inputs, targets = digits()
    own = slice(number, 1500, of)
    mine, held_out = (inputs[own][20:], targets[own][20:]), (inputs[own][:20], targets[own][:20])
    return mine, held_out


def test_data():
    """Return what the server evaluates on."""
    inputs, targets = digits()
    return inputs[1500:], targets[1500:]


def digits():
    """Return all images, 0 to 1, and their labels."""
    images, labels = load_digits(return_X_y=True)
    return torch.tensor(images, dtype=torch.float32) / 16, torch.tensor(labels)
