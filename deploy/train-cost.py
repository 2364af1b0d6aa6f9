"""PyTorch's side of deploy/train-cost: a step of training on the float model of an ONNX file, with fake quantization where the
other side has it. Reads how many steps to take, a line each time, and answers: seconds by the clock, of CPU time, the first loss."""

import json
import math
import os
import sys
import time

for threads in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"

import numpy  # noqa: E402
import onnx  # noqa: E402
import torch  # noqa: E402
from onnx import numpy_helper  # noqa: E402

torch.set_num_threads(1)


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def conv(a, x, w, b=None):
    rank = w.dim() - 2
    pads = a.get("pads", [0] * 2 * rank)
    if a.get("auto_pad", b"NOTSET") != b"NOTSET" or pads[:rank] != pads[rank:]:
        raise SystemExit("train-cost: a Conv with padding that is automatic or uneven")
    strides, dilations = a.get("strides", [1] * rank), a.get("dilations", [1] * rank)
    return torch.convolution(x, w, b, strides, pads[:rank], dilations, False, [0] * rank, a.get("group", 1))


def gemm(a, x, w, b=None):
    if a.get("transA", 0) or a.get("alpha", 1.0) != 1 or a.get("beta", 1.0) != 1:
        raise SystemExit("train-cost: a Gemm with transA, alpha or beta")
    return torch.nn.functional.linear(x, w if a.get("transB", 0) else w.t(), b)


def clip(a, x, low=None, high=None):
    low = a.get("min") if low is None else low.item()
    high = a.get("max") if high is None else high.item()
    return torch.clamp(x, low, high)


OPERATORS = {
    "Conv": conv,
    "Gemm": gemm,
    "Clip": clip,
    "Relu": lambda a, x: torch.relu(x),
    "Add": lambda a, x, y: x + y,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "ReduceMean": lambda a, x: x.mean(a["axes"], keepdim=a.get("keepdims", 1) == 1),
    "Flatten": lambda a, x: x.flatten(1),
}


class Step:
    def __init__(self, folder):
        with open(folder + "/step.json") as file:
            self.step = json.load(file)
        graph = onnx.load(folder + "/model.onnx").graph
        missing = sorted({node.op_type for node in graph.node} - set(OPERATORS))
        if missing:
            raise SystemExit("train-cost: no operator here for " + ", ".join(missing))
        self.nodes = [(n.op_type, attributes(n), list(n.input), n.output[0]) for n in graph.node]
        self.outputs = [output.name for output in graph.output]
        self.constants = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in graph.initializer}
        places, options = self.step["places"], self.step["options"]
        self.parameters = {p: self.constants[p].clone().requires_grad_(True) for p in places["parameters"]}
        self.roots, self.rounded = places["roots"], set(places["rounded"])
        self.quantized = set(places["quantized"])
        self.activations = self.step["activations"]
        self.grids = {
            name: (torch.tensor(g["scales"]), torch.tensor(g["zeroPoints"], dtype=torch.int32), g)
            for name, g in self.step["constants"].items()
        }
        shape = self.step["shape"]
        values = numpy.fromfile(folder + "/values.f32", dtype="<f4").reshape([-1] + shape)
        self.batches = [torch.from_numpy(batch) for batch in values]
        self.rate, self.clip = options["rate"], options["clipNorm"]
        self.optimizer = torch.optim.Adam(list(self.parameters.values()), lr=self.rate, eps=1e-8)
        self.taken = 0

    def teacher(self, x):
        values = dict(self.constants)
        values[self.step["input"]] = x
        for operator, a, inputs, output in self.nodes:
            values[output] = OPERATORS[operator](a, *[values[i] if i else None for i in inputs])
        return [values[output] for output in self.outputs]

    def student(self, x):
        values = dict(self.constants)
        values[self.step["input"]] = x
        for name, parameter in self.parameters.items():
            values[name] = self.rounded_constant(name, parameter)
        kept = {}

        def activation(tensor):
            if tensor not in kept:
                g = self.activations[self.roots[tensor]]
                kept[tensor] = torch.fake_quantize_per_tensor_affine(
                    values[tensor], g["scales"][0], g["zeroPoints"][0], g["quantMin"], g["quantMax"]
                )
            return kept[tensor]

        for place, (operator, a, inputs, output) in enumerate(self.nodes):
            read = []
            for name in inputs:
                is_rounded = name in self.roots and (place in self.quantized or name in self.rounded)
                read.append(None if not name else activation(name) if is_rounded else values[name])
            values[output] = OPERATORS[operator](a, *read)
        return [activation(o) if o in self.rounded else values[o] for o in self.outputs]

    def rounded_constant(self, name, x):
        if name not in self.grids:
            return x
        scales, zeros, g = self.grids[name]
        if g["axis"] < 0:
            return torch.fake_quantize_per_tensor_affine(x, scales[0].item(), int(zeros[0]), g["quantMin"], g["quantMax"])
        return torch.fake_quantize_per_channel_affine(x, scales, zeros, g["axis"], g["quantMin"], g["quantMax"])

    def take(self):
        x = self.batches[self.taken % len(self.batches)]
        every = self.step["all_steps"]
        rate = self.rate * min(1, (self.taken + 1) / (0.1 * every)) * 0.5 * (1 + math.cos(math.pi * self.taken / every))
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.no_grad():
            expected = self.teacher(x)
        loss = 0
        for y, wanted in zip(self.student(x), expected):
            loss = loss + ((y - wanted) ** 2).mean() / (wanted * wanted).mean()
        loss = loss / len(expected)
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), self.clip)
        self.optimizer.step()
        self.taken += 1
        return loss.item()


print("PyTorch", torch.__version__, file=sys.stderr)
step = Step(sys.argv[1])
for line in sys.stdin:
    begun, cpu = time.perf_counter(), time.process_time()
    losses = [step.take() for _ in range(int(line))]
    print(time.perf_counter() - begun, time.process_time() - cpu, losses[0], flush=True)
