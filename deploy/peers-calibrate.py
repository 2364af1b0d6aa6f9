"""A calibrator of the peers on a model and its rows, from start to end, for deploy/bench.

peers-calibrate.py minmax|percentile|entropy|MinMaxObserver|HistogramObserver MODEL.onnx ARRAYS

ARRAYS has a NumPy file for each input. The first three are ONNX Runtime's, for what products read and give, since masks of -3.4e38
have no histogram of equal bins; the others are PyTorch's observers, which are
given every float tensor that ONNX Runtime computes. Prints how many tensors were observed.
"""

import pathlib
import sys
import tempfile

import numpy

BATCH = 32
BINS = 2048


def batches(model, folder):
    import onnx

    names = [value.name for value in onnx.load(model, load_external_data=False).graph.input]
    rows = {name: numpy.load(pathlib.Path(folder) / f"{name}.npy") for name in names}
    count = len(rows[names[0]])
    for i in range(0, count, BATCH):
        yield {name: rows[name][i : i + BATCH] for name in names}


def onnxruntime_calibrator(method, model, folder, work):
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod
    from onnxruntime.quantization.calibrate import create_calibrator

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.rows = batches(model, folder)

        def get_next(self):
            return next(self.rows, None)

    calibrator = create_calibrator(
        model,
        op_types_to_calibrate=["MatMul"],
        augmented_model_path=str(pathlib.Path(work) / "augmented.onnx"),
        calibrate_method={
            "minmax": CalibrationMethod.MinMax,
            "percentile": CalibrationMethod.Percentile,
            "entropy": CalibrationMethod.Entropy,
        }[method],
        extra_options={} if method == "minmax" else {"num_bins": BINS},
    )
    calibrator.collect_data(Reader())
    return len(calibrator.compute_data().data)


def torch_observers(kind, model, folder, work):
    import warnings

    import onnx
    import onnxruntime
    import torch
    from torch.ao.quantization import observer

    warnings.simplefilter("ignore")
    net = onnx.load(model)
    inferred = onnx.shape_inference.infer_shapes(net)
    known = {output.name for output in net.graph.output}
    for value in inferred.graph.value_info:
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT and value.name not in known:
            net.graph.output.append(onnx.helper.make_tensor_value_info(value.name, onnx.TensorProto.FLOAT, None))
    exposed = str(pathlib.Path(work) / "exposed.onnx")
    onnx.save(net, exposed)
    session = onnxruntime.InferenceSession(exposed, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    observers = {name: getattr(observer, kind)() for name in names}
    for batch in batches(model, folder):
        for name, values in zip(names, session.run(names, batch)):
            observers[name](torch.from_numpy(values))
    for each in observers.values():
        each.calculate_qparams()
    return len(observers)


def main(method, model, folder):
    with tempfile.TemporaryDirectory() as work:
        calibrate = torch_observers if method.endswith("Observer") else onnxruntime_calibrator
        print(f"{method}: {calibrate(method, model, folder, work)} tensors")


if len(sys.argv) != 4:
    sys.exit(__doc__)
main(*sys.argv[1:])
