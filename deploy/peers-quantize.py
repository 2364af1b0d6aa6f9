"""ONNX Runtime's own quantized models, for deploy/examples.

peers-quantize.py text|image|recurrent MODEL.onnx CALIBRATION OUT

CALIBRATION has a NumPy file for each input of the model, named like it, which static modes read; OUT gets MODE.onnx for
each mode. A mode that the tool refuses leaves a file MODE.refused with what the tool said.
"""

import logging
import pathlib
import sys
import tempfile

import numpy
import onnx
from onnx import version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

BATCH = 8
# Weights by channel need operator set 13; the tools recommend 17.
OPSET = 17


class Batches(CalibrationDataReader):
    """The calibration rows, in batches."""

    def __init__(self, model, folder):
        names = [value.name for value in onnx.load(model, load_external_data=False).graph.input]
        rows = {name: numpy.load(folder / f"{name}.npy") for name in names}
        count = len(rows[names[0]])
        self.batches = iter(
            [{name: rows[name][i : i + BATCH] for name in names} for i in range(0, count, BATCH)]
        )

    def get_next(self):
        return next(self.batches, None)


def lift_constants(graph):
    """Constant nodes made initializers: of weights that are nodes the tool quantizes none, and refuses dynamic modes."""
    for node in list(graph.node):
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                lift_constants(attribute.g)
            elif node.op_type == "Constant" and attribute.name == "value":
                tensor = graph.initializer.add()
                tensor.CopyFrom(attribute.t)
                tensor.name = node.output[0]
                graph.node.remove(node)


def prepare(model, work):
    """The model as the tool is at its best on it: of a newer operator set, its weights initializers, optimised."""
    newer = work / "newer.onnx"
    converted = version_converter.convert_version(onnx.load(model), OPSET)
    lift_constants(converted.graph)
    onnx.save(converted, newer)
    ready = work / "ready.onnx"
    quant_pre_process(str(newer), str(ready), skip_symbolic_shape=True)
    return ready


def static(activation):
    def quantize(model, operators, calibration, out):
        quantize_static(
            str(model),
            str(out),
            Batches(model, calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=operators,
            per_channel=True,
            activation_type=activation,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )

    return quantize


def dynamic(weight):
    def quantize(model, operators, _calibration, out):
        quantize_dynamic(
            str(model),
            str(out),
            op_types_to_quantize=operators,
            per_channel=True,
            weight_type=weight,
            extra_options={"EnableSubgraph": True},
        )

    return quantize


# How, and which operators, where not all that the tool knows; a model without these operators has no such mode.
# Of pictures, convolutions with signed weights run slowly in dynamic modes and read no line at all: no fair peer.
MODES = {
    "text": {
        "dynamic": (dynamic(QuantType.QInt8), None),
        "static-minmax-u8s8-matmul": (static(QuantType.QUInt8), ["MatMul"]),
    },
    "image": {
        "dynamic-matmul": (dynamic(QuantType.QInt8), ["MatMul"]),
        "dynamic-u8u8": (dynamic(QuantType.QUInt8), None),
        "static-minmax-u8s8": (static(QuantType.QUInt8), None),
        "static-minmax-s8s8": (static(QuantType.QInt8), None),
    },
    "recurrent": {
        "dynamic-u8s8": (dynamic(QuantType.QInt8), None),
        "dynamic-u8u8": (dynamic(QuantType.QUInt8), None),
    },
}


def main(kind, model, calibration, out):
    logging.disable(logging.WARNING)
    present = {node.op_type for node in onnx.load(model, load_external_data=False).graph.node}
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        try:
            ready = prepare(model, pathlib.Path(work))
        except Exception as refusal:  # noqa: BLE001 - whatever the tool throws is its answer
            ready = refusal
        for mode, (quantize, operators) in MODES[kind].items():
            written = out / f"{mode}.onnx"
            refused = out / f"{mode}.refused"
            written.unlink(missing_ok=True)
            refused.unlink(missing_ok=True)
            if operators and present.isdisjoint(operators):
                continue
            try:
                if isinstance(ready, Exception):
                    raise ready
                quantize(ready, operators, pathlib.Path(calibration), written)
            except Exception as refusal:  # noqa: BLE001
                written.unlink(missing_ok=True)
                said = f"{type(refusal).__name__}: {refusal}".splitlines()[0]
                refused.write_text(said + "\n")
                print(f"peers: onnxruntime refuses {mode}: {said}", file=sys.stderr)


if len(sys.argv) != 5 or sys.argv[1] not in MODES:
    sys.exit(__doc__)
main(*sys.argv[1:])
