"""The pretrained networks, their texts and FedAvg, on small files of the same formats."""

from __future__ import annotations

import struct
from dataclasses import astuple

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from baffle.drivers.local.task import Task, TensorExamples
from baffle.errors import DataError, ModelError
from baffle.models.init import uniform
from experiments.finetuning import backprop
from experiments.finetuning.files import find
from experiments.finetuning.networks import Sizes, mobilenet, resnet20, squeezenet, stories
from experiments.finetuning.networks.mobilenet import Same
from experiments.finetuning.parts import PARTS, Part
from experiments.finetuning.texts import Vocabulary, sentences, speakers, windows

SIZES = Sizes(width=8, hidden=12, layers=2, heads=4, kv_heads=2, vocabulary=11, length=6)


@pytest.fixture
def language_file(tmp_path):
    s, few = SIZES, SIZES.kv_heads * SIZES.each
    each = 2 * s.width + 2 * s.width**2 + 2 * few * s.width + 3 * s.width * s.hidden
    count = s.vocabulary * s.width + s.layers * each + s.width + s.length * s.each
    numbers = uniform((count,), 1.0, 0, "language")
    path = tmp_path / "language.bin"
    path.write_bytes(struct.pack("<7i", *astuple(s)) + numbers.tobytes())
    return path


def scores_by_hand(path, tokens):
    """Return the scores at every token, written out with NumPy, one token and head at a time."""
    s, few = SIZES, SIZES.kv_heads * SIZES.each
    flat, place = np.frombuffer(path.read_bytes(), "<f4", offset=28).astype(np.float64), 0

    def take(*shape):
        nonlocal place
        place += int(np.prod(shape))
        return flat[place - int(np.prod(shape)) : place].reshape(shape)

    table, norm1 = take(s.vocabulary, s.width), take(s.layers, s.width)
    wq, wk, wv = (take(s.layers, n, s.width) for n in (s.width, few, few))
    wo, norm2 = take(s.layers, s.width, s.width), take(s.layers, s.width)
    w1, w2 = take(s.layers, s.hidden, s.width), take(s.layers, s.width, s.hidden)
    w3, last = take(s.layers, s.hidden, s.width), take(s.width)

    def normed(x, w):
        return w * x / np.sqrt((x**2).mean() + 1e-5)

    def turned(x, position):
        pairs = x.reshape(-1, s.each // 2, 2)
        angle = position * 10000.0 ** (-np.arange(0, s.each, 2) / s.each)
        number = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angle)
        return np.stack((number.real, number.imag), -1).reshape(-1, s.each)

    x = [table[t] for t in tokens]
    for n in range(s.layers):
        inner = [normed(row, norm1[n]) for row in x]
        keys = [turned(wk[n] @ row, p) for p, row in enumerate(inner)]
        values = [(wv[n] @ row).reshape(-1, s.each) for row in inner]
        for p, row in enumerate(inner):
            query, heads = turned(wq[n] @ row, p), []
            for head in range(s.heads):
                group = head * s.kv_heads // s.heads
                weights = np.array([query[head] @ keys[q][group] for q in range(p + 1)])
                weights = np.exp(weights / np.sqrt(s.each))
                heads.append(
                    sum(w * values[q][group] for q, w in enumerate(weights / weights.sum()))
                )
            x[p] = x[p] + wo[n] @ np.concatenate(heads)
        for p, row in enumerate(x):
            y = normed(row, norm2[n])
            gate = w1[n] @ y
            x[p] = row + w2[n] @ (gate / (1 + np.exp(-gate)) * (w3[n] @ y))
    return np.array([table @ normed(row, last) for row in x])


def test_the_language_model_computes_what_its_equations_say(language_file):
    model, tokens = stories(language_file), [1, 4, 10, 0, 7]
    found = model(torch.tensor([tokens, tokens[::-1]]))[0].detach().numpy()
    np.testing.assert_allclose(found, scores_by_hand(language_file, tokens), rtol=1e-4, atol=1e-4)


def test_a_language_model_of_another_length_is_refused(language_file):
    language_file.write_bytes(language_file.read_bytes()[:-4])
    with pytest.raises(ModelError, match=r"expected \d+ numbers"):
        stories(language_file)


def test_resnet_is_read_under_its_usual_names_and_refuses_others(tmp_path):
    named = {f"module.{n}": t + 1 for n, t in resnet20().state_dict().items()}
    path, x = tmp_path / "resnet20.th", torch.ones(1, 3, 32, 32)
    torch.save({"state_dict": named}, path)
    model = resnet20(path)
    assert sum(p.numel() for p in model.parameters()) == 269_722
    assert torch.equal(model.linear.bias, named["module.linear.bias"])
    assert model(x).shape == (1, 10)
    del named["module.linear.bias"]
    torch.save({"state_dict": named}, path)
    with pytest.raises(ModelError, match=r"missing \['linear.bias'\]"):
        resnet20(path)


@pytest.mark.parametrize(("make", "prefix"), [(mobilenet, "conv{}.{}"), (squeezenet, "")])
def test_folded_networks_are_read_by_number_or_name(tmp_path, make, prefix):
    model = make(3)
    parts = [part for part in model.modules() if isinstance(part, nn.Conv2d)]
    tensors = {n: p.data + 0 for n, p in model.named_parameters() if "head" not in n}
    if prefix:
        named = [(k, n, p) for k, part in enumerate(parts) for n, p in part.named_parameters()]
        tensors = {prefix.format(k, n): p.data + 0 for k, n, p in named}
    first = next(iter(tensors))
    tensors[first] += 1
    save_file(tensors, tmp_path / "weights.safetensors")
    read = make(3, tmp_path / "weights.safetensors")
    assert torch.equal(next(read.parameters()), tensors["conv0.weight" if prefix else first])
    assert torch.equal(read(torch.ones(1, 3, 64, 64)), torch.zeros(1, 3))  # the head's
    del tensors[first]
    save_file(tensors, tmp_path / "weights.safetensors")
    with pytest.raises(ModelError, match=first):
        make(3, tmp_path / "weights.safetensors")


def test_mobilenet_has_the_published_size_and_pads_at_bottom_and_right():
    # 3,504,872 with 1,000 classes (torchvision); a folded channel has a bias where there were two
    # numbers of its norm, and there are 17,056 of them.
    assert sum(p.numel() for p in mobilenet(1000).parameters()) == 3_504_872 - 17_056
    same = Same(1, 1, 3, stride=2)
    same.conv.weight.data.fill_(1)
    same.conv.bias.data.zero_()
    even = same(torch.ones(1, 1, 4, 4))[0, 0]
    assert even.tolist() == [[9, 6], [6, 4]]
    assert same(torch.ones(1, 1, 5, 5))[0, 0].tolist() == [[4, 6, 4], [6, 9, 6], [4, 6, 4]]


@pytest.fixture
def vocabulary(tmp_path):
    pieces = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % n for n in range(256))]
    pieces += [b" ", b"a", b"b", b"ab", b" a", b"ba", b" ab"]
    scores = [0.0] * 263 + [-3.0, -1.0, -2.0, -4.0]
    path = tmp_path / "pieces.bin"
    lines = (struct.pack("<fi", s, len(p)) + p for s, p in zip(scores, pieces, strict=False))
    path.write_bytes(struct.pack("<i", 6) + b"".join(lines))
    return Vocabulary(path)


def test_the_best_pair_is_joined_first_and_unknown_letters_go_by_byte(vocabulary):
    # pieces: 259 " ", 260 "a", 261 "b", 262 "ab", 263 " a", 264 "ba", 265 " ab"
    assert vocabulary.encode("ab") == [265]  # "ab" (0) before " a" (-3), then " ab"
    assert vocabulary.encode("aba") == [265, 260]
    assert vocabulary.encode("bé\n") == [259, 261, 3 + 0xC3, 3 + 0xA9, 3 + 10]
    assert vocabulary.decode(vocabulary.encode("ab é\nbab")) == " ab é\nbab"


def test_speeches_are_gathered_by_speaker_and_cut_into_windows(vocabulary):
    play = "A:\nab ab\n\nB:\nba\n\nA:\nab\nb\n\nno speech"
    said = speakers(play)
    assert said == {"A": "ab ab\nab\nb", "B": "ba"}
    rows = windows(vocabulary, said["A"], length=2)
    assert rows.tolist() == [[1, 265, 265], [1, 13, 262], [1, 13, 261]]


def test_sentences_are_filled_with_zeros_and_wrong_lines_are_named(vocabulary, tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("sentence\tlabel\nab ab ab \t1\nb\t0\n", encoding="utf-8")
    rows, labels = sentences(vocabulary, path, length=3)
    assert rows.tolist() == [[1, 265, 265], [1, 259, 261]]
    assert labels.tolist() == [1, 0]
    path.write_text("sentence\tlabel\nab 1\n", encoding="utf-8")
    with pytest.raises(DataError, match="'ab 1'"):
        sentences(vocabulary, path, length=3)


def test_fedavg_is_the_mean_of_clients_who_step_by_themselves():
    x = torch.tensor([[1.0], [2.0], [-1.0], [0.5]])
    rows = [np.array([0, 1]), np.array([2, 3])]
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    task = Task(model, nn.functional.mse_loss, TensorExamples(x, 3 * x), rows, None)
    found = backprop.fedavg(task, key=0, rounds=2, cohort=2, step_size=0.1)
    weight = 1.0
    for _ in range(2):
        # A client's loss is c (w − 3)², so a step takes 1 − 2 · 0.1 · c of the distance along.
        ends = [3 + (weight - 3) * (1 - 0.2 * c) ** backprop.LOCAL_STEPS for c in (2.5, 0.625)]
        weight = sum(ends) / 2
    assert model.weight.item() == pytest.approx(weight, rel=1e-5)
    assert (found.examples, found.bytes_up) == (2 * 2 * 5 * 2, 4 * 1 * 2 * 2)


def test_parts_train_what_they_name():
    model = resnet20()
    PARTS["negatives"]["head, norms"](model, key=0)
    trained = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
    assert sum(trained.values()) == 650 + 6 * 2 * 64
    model = Part(adapt=("layer3.*",), rank=2, train=("linear.*",))(resnet20(), key=0)
    trained = {n: p.numel() for n, p in model.named_parameters() if p.requires_grad}
    assert sum(trained.values()) == 650 + 6 * 2 * 64
    assert all(n.endswith(".up") or n.startswith("linear.") for n in trained)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=f"expected weights/x.bin in {tmp_path}"):
        find("weights/x.bin", tmp_path)
