"""The float model of the example fashion, for deploy/examples: a small residual net, trained on Fashion-MNIST.

train-fashion.py DIR_OF_IDX MODEL.onnx

DIR_OF_IDX has the dataset's four files. The model reads `image`, float32 [N,1,28,28] of pixels divided by 255, and
gives `logits`. Two threads train it in a few minutes; the seed is fixed.
"""

import gzip
import inspect
import os
import pathlib
import sys
import time

# Threads that wait do not spin, which on busy cores takes ten times as long; read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402

SIDE = 28
EPOCHS = 4
BATCH = 128
PEAK_RATE = 0.2


class Block(nn.Module):
    """Two convolutions and a shortcut, which is projected where the shape changes."""

    def __init__(self, channels_in, channels, stride):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.shortcut = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class Net(nn.Module):
    """A stem, three stages of one block each, a linear head."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            Block(16, 16, 1),
            Block(16, 32, 2),
            Block(32, 64, 2),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(64, 10),
        )

    def forward(self, image):
        return self.layers(image)


def read(folder, part):
    """The images, divided by 255, and their classes."""
    with gzip.open(folder / f"{part}-images-idx3-ubyte.gz") as file:
        pixels = numpy.frombuffer(file.read(), numpy.uint8, offset=16).reshape(-1, 1, SIDE, SIDE)
    with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz") as file:
        labels = numpy.frombuffer(file.read(), numpy.uint8, offset=8)
    return torch.from_numpy(pixels / numpy.float32(255)), torch.from_numpy(labels.astype(numpy.int64))


def train(model, images, labels):
    steps = EPOCHS * (len(images) // BATCH)
    optimizer = torch.optim.SGD(model.parameters(), PEAK_RATE, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps)
    model.train()
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images))
        for i in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[i : i + BATCH]
            batch = images[chosen]
            mirrored = torch.rand(BATCH) < 0.5
            batch[mirrored] = batch[mirrored].flip(3)
            scores = model(batch.contiguous(memory_format=torch.channels_last))
            loss = nn.functional.cross_entropy(scores, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"train-fashion: epoch {epoch + 1} of {EPOCHS}, last loss {loss.item():.3f}", file=sys.stderr)


def accuracy(model, images, labels):
    model.eval()
    with torch.no_grad():
        right = sum(
            (model(images[i : i + BATCH]).argmax(1) == labels[i : i + BATCH]).sum().item()
            for i in range(0, len(images), BATCH)
        )
    return right / len(images)


def main(folder, out):
    torch.manual_seed(1)
    torch.set_num_threads(2)
    # Twice as fast as channels first.
    model = Net().to(memory_format=torch.channels_last)
    started = time.monotonic()
    train(model, *read(folder, "train"))
    seconds = time.monotonic() - started
    print(f"train-fashion: {seconds:.0f} s, top-1 {accuracy(model, *read(folder, 't10k')):.4f}", file=sys.stderr)
    # Newer versions trace only when told so.
    tracing = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
    part = f"{out}.part"
    torch.onnx.export(
        model,
        torch.zeros(1, 1, SIDE, SIDE),
        part,
        opset_version=13,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
        **tracing,
    )
    os.replace(part, out)


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
