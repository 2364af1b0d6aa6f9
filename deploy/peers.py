"""What PyTorch's observers and ONNX Runtime's calibrators cost, as lines "key value", for deploy/bench."""

import sys
import time

import numpy

VALUES = 1 << 20
REPEATS = 7


def best(run):
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def data():
    normal = numpy.random.default_rng(1).standard_normal(VALUES).astype(numpy.float32)
    return {"normal": normal, "relu": numpy.maximum(normal, 0)}


def torch_figures():
    import warnings

    import torch
    from torch.ao.quantization.observer import HistogramObserver, MinMaxObserver

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    print("torch_version", torch.__version__)
    for name, values in data().items():
        tensor = torch.from_numpy(values)
        for key, kind in (("histogram", HistogramObserver), ("minmax", MinMaxObserver)):
            observer = kind()
            observer(tensor)
            print(f"torch_{key}_{name}_ns", best(lambda: observer(tensor)) / VALUES * 1e9)


def onnxruntime_figures():
    import onnxruntime
    from onnxruntime.quantization.calibrate import HistogramCollector

    print("onnxruntime_version", onnxruntime.__version__)
    for name, values in data().items():
        collector = HistogramCollector("entropy", False, 2048, 128, 99.99, "same")

        def collect():
            collector.collect({"t": [values]})

        collect()
        print(f"onnxruntime_histogram_{name}_ns", best(collect) / VALUES * 1e9)
        start = time.perf_counter()
        collector.compute_collection_result()
        print(f"onnxruntime_entropy_{name}_ms", (time.perf_counter() - start) * 1e3)


for figures in (torch_figures, onnxruntime_figures):
    try:
        figures()
    except (ImportError, RuntimeError) as missing:
        print(f"peers: {missing}", file=sys.stderr)
