# cpus.py run MODEL OUT: runs a model on rows made up from a seed, some of them as extreme as its first input can be, and
# keeps what it gives. cpus.py same OUT OTHER: says how far two of these are apart; fails if they are.
# Read by deploy/cpus; it has to run in an emulated Python, so it needs numpy and onnxruntime alone.
import sys

import numpy as np


def run(model, out):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(7)
    rows = 12
    feeds = {}
    for given in session.get_inputs():
        shape = [rows if i == 0 else d if isinstance(d, int) else 16 for i, d in enumerate(given.shape)]
        if given.type == "tensor(float)":
            values = rng.random(shape)
            values[0] = 1
            values[1] = rng.integers(0, 2, shape[1:])
            feeds[given.name] = values.astype(np.float32)
        elif given.type == "tensor(int64)":
            most = 2 if "mask" in given.name else 1 if "type" in given.name else 20000
            feeds[given.name] = rng.integers(1 if most == 2 else 0, most, shape).astype(np.int64)
        else:
            sys.exit(f"cpus: input {given.name} is {given.type}, which is not made up here")
    values = session.run(None, feeds)
    np.savez(out, **{o.name.replace("/", "_"): v for o, v in zip(session.get_outputs(), values)})


def same(one, other):
    first, second = np.load(one), np.load(other)
    worst = np.inf
    for name in first.files:
        a, b = first[name].astype(np.float64), second[name].astype(np.float64)
        noise = float(((a - b) ** 2).sum())
        worst = min(worst, np.inf if noise == 0 else 10 * np.log10(float((a**2).sum()) / noise))
    print("the same bits" if worst == np.inf else f"{worst:.1f} dB apart")
    # What is left between CPUs is float arithmetic: of softmax, of normalization.
    sys.exit(0 if worst > 90 else 1)


run(*sys.argv[2:]) if sys.argv[1] == "run" else same(*sys.argv[2:])
