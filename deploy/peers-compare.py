"""A model that ONNX Runtime's tool quantizes, and what its debug tool says of it, held against Tare's compare.

peers-compare.py quantize MODEL.onnx ARRAYS ROWS QUANTIZED.onnx
peers-compare.py hold MODEL.onnx ARRAYS ROWS QUANTIZED.onnx RESULT.json

ARRAYS has a NumPy file for each input, of which the first ROWS rows are taken; RESULT.json is what compare wrote. The tool's figure
of a tensor across the models (xmodel_err) is Tare's accumulated SQNR, its figure of a weight Tare's of that weight. Fails if they
differ by more than TOLERANCE in the median.
"""

import json
import logging
import math
import pathlib
import statistics
import sys
import tempfile

import numpy
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, qdq_loss_debug, quantize_static

# Decibels. Kernels add in different orders, so that values near the middle of two integers round to either.
TOLERANCE = 0.05
BATCH = 8


class Batches(CalibrationDataReader):
    def __init__(self, model, folder, rows):
        names = [value.name for value in onnx.load(model, load_external_data=False).graph.input]
        arrays = {name: numpy.load(pathlib.Path(folder) / f"{name}.npy")[:rows] for name in names}
        self.batches = iter(
            [{name: arrays[name][i : i + BATCH] for name in names} for i in range(0, rows, BATCH)]
        )

    def get_next(self):
        return next(self.batches, None)


def quantize(model, folder, rows, quantized):
    quantize_static(
        model,
        quantized,
        Batches(model, folder, rows),
        quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def activations(model, folder, rows, work):
    watched = str(pathlib.Path(work) / "watched.onnx")
    qdq_loss_debug.modify_model_output_intermediate_tensors(model, watched)
    return qdq_loss_debug.collect_activations(watched, Batches(model, folder, rows))


def hold(model, folder, rows, quantized, result):
    with tempfile.TemporaryDirectory() as work:
        matching = qdq_loss_debug.create_activation_matching(
            activations(quantized, folder, rows, work), activations(model, folder, rows, work)
        )
    both = {name: match for name, match in matching.items() if match.get("float") is not None}
    tool = {
        name: figures["xmodel_err"] for name, figures in qdq_loss_debug.compute_activation_error(both).items()
    }
    weights = qdq_loss_debug.compute_weight_error(qdq_loss_debug.create_weight_matching(model, quantized))
    ours = json.loads(pathlib.Path(result).read_text())["comparison"]
    failed = False
    for what, theirs, own in (
        ("tensors", tool, {one["name"]: one["accumulated"]["sqnr_db"] for one in ours["tensors"]}),
        ("weights", weights, {one["name"]: one["sqnr_db"] for one in ours["weights"]}),
    ):
        common = sorted(set(theirs) & set(own))
        # The tool's norms are of float32: masks of -3.4e38 overflow in them.
        differences = {
            name: abs(theirs[name] - own[name])
            for name in common
            if own[name] is not None and math.isfinite(theirs[name])
        }
        if not differences:
            print(f"{what}: none in both, of {len(theirs)} and {len(own)}")
            failed = True
            continue
        worst = max(differences, key=differences.get)
        median = statistics.median(differences.values())
        same = sum(one <= TOLERANCE for one in differences.values())
        print(
            f"{what}: {len(differences)} in both, of {len(theirs)} of the tool and {len(own)} of Tare; they differ by {median:.2g} dB in"
            f" the median, {same} by {TOLERANCE} or less, at most by {differences[worst]:.2g}, {worst}: {theirs[worst]:.4f} and"
            f" {own[worst]:.4f}"
        )
        failed = failed or median > TOLERANCE
    return failed


logging.disable(logging.WARNING)
if len(sys.argv) == 6 and sys.argv[1] == "quantize":
    quantize(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
elif len(sys.argv) == 7 and sys.argv[1] == "hold":
    sys.exit(hold(sys.argv[2], sys.argv[3], int(sys.argv[4]), *sys.argv[5:]))
else:
    sys.exit(__doc__)
