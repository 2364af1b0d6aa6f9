"""Times models in the ONNX Runtime of this Python, side by side, for what the page Measurements says of other versions than Tare's own.

peers-time.py DATA BATCH MODEL.onnx...

DATA has a NumPy file for each input, as deploy/examples makes it. Each round runs one batch on every model in turn, one
thread; printed are the median of 15 rounds, how many additions were fused with the normalization after them, and the
model.
"""

import pathlib
import statistics
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime

ROUNDS = 15


def load(model, folder):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.optimized_model_filepath = str(pathlib.Path(folder) / "optimized.onnx")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    nodes = onnx.load(options.optimized_model_filepath).graph.node
    return session, sum(node.op_type == "SkipLayerNormalization" for node in nodes)


def main(data, batch, models):
    with tempfile.TemporaryDirectory() as folder:
        loaded = [load(model, folder) for model in models]
    given = [
        {i.name: numpy.load(pathlib.Path(data) / f"{i.name}.npy")[:batch] for i in session.get_inputs()}
        for session, _ in loaded
    ]
    times = [[] for _ in models]
    for _ in range(ROUNDS):
        for (session, _), inputs, own in zip(loaded, given, times):
            start = time.perf_counter()
            session.run(None, inputs)
            own.append(1e3 * (time.perf_counter() - start))
    print(f"onnxruntime {onnxruntime.__version__}: ms a batch, fused additions, model")
    for model, (_, fused), own in zip(models, loaded, times):
        print(f"{statistics.median(own):8.1f} {fused:3d}  {model}")


if len(sys.argv) < 4:
    sys.exit(__doc__)
main(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
