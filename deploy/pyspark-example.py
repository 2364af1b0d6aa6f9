"""Tare from PySpark: calibrates, quantizes and evaluates DataFrames of the bundled digits.

pyspark-example.py TARE.jar; deploy/pyspark runs it. Fails unless the figures are reached.
"""

import json
import os
import sys
import tempfile
import zipfile
from array import array

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

jar = sys.argv[1]
sys.path.append(jar)

import tare as module  # noqa: E402
from tare import Tare, TareError  # noqa: E402
from tare.torch import (  # noqa: E402
    FakeQuantize,
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    PerChannelMinMaxObserver,
    QConfig,
    compute_sqnr,
    get_default_qat_qconfig,
    get_default_qconfig,
    quantize_per_channel,
    quantize_per_tensor,
)


def quantize_digits(tare, spark, folder):
    """The library in ten lines."""
    model = os.path.join(folder, "digits-mobilenet.onnx")
    train = spark.read.parquet(os.path.join(folder, "digits-train.parquet"))
    validation = spark.read.parquet(os.path.join(folder, "digits-validation.parquet"))
    pixels = {"inputs.image.dtype": "uint8", "inputs.image.scale": 1 / 255}

    c = tare.calibrate(model).data(train).sample(512).set(pixels).run()
    q = tare.quantize(model).state(c.state).run()
    e = tare.evaluate(model, q).data(validation).label("label").set(pixels).run()
    for result in (c, q, e):
        print(result)
    return c, q, e


def check_results(tare, spark, folder, c, q, e):
    """The figures, and the forms in which results come."""
    (output,) = e.outputs.values()
    assert output["quantized_top1"] >= 0.98, output
    assert output["float_top1"] >= 0.99, output
    assert q.size_bytes < 110_000, q.size_bytes
    assert c.state.rows == 512 and c.slices == {} and c.skipped_rows == 0, c.state
    assert c.to_dict()["calibration"]["tensors"] == len(c.state.tensors)
    assert set(q.qparams) == {"activations", "weights"} and q.qparams["weights"]

    out = os.path.join(folder, "out")
    q.write(out)
    with open(os.path.join(out, "qparams.json"), encoding="utf-8") as file:
        assert json.load(file) == q.qparams
    written = os.path.join(out, "model.onnx")
    assert tare.inspect(written).to_dict()["what"] == "model"
    validation = os.path.join(folder, "digits-validation.parquet")
    pixels = {"inputs.image.dtype": "uint8", "inputs.image.scale": 1 / 255}
    model = os.path.join(folder, "digits-mobilenet.onnx")
    again = tare.evaluate(model, written).data(validation).label("label").set(pixels).run()
    assert again.outputs == e.outputs, again.outputs


def check_other_calls(tare, spark, folder):
    """What the ten lines leave out: slices, states, overrides, the whole job, columns."""
    model = os.path.join(folder, "digits-mobilenet.onnx")
    train = spark.read.parquet(os.path.join(folder, "digits-train.parquet")).limit(64)
    pixels = {"inputs.image.dtype": "uint8", "inputs.image.scale": 1 / 255}

    c = tare.calibrate(model).data(train).by("label").set(pixels).batch(16).run()
    assert sum(state.rows for state in c.slices.values()) == c.state.rows == 64, c.slices
    assert all(state.slice == name for name, state in c.slices.items()), c.slices
    file = os.path.join(folder, "state.tare")
    with open(file, "wb") as out:
        out.write(c.state.to_bytes())
    assert tare.read_state(file).to_bytes() == c.state.to_bytes()
    assert tare.inspect(file).state.rows == 64
    merged = tare.merge(list(c.slices.values())).run()
    assert merged.rows == 64 and merged.tensors == c.state.tensors, merged
    path = os.path.join(folder, "merged.tare")
    assert tare.merge(list(c.slices.values())).write(path).rows == 64
    failure = error_of(lambda: tare.merge([merged]).write(path))
    assert failure.kind == "CANNOT_WRITE", failure
    tare.merge([merged]).overwrite().write(path)
    failure = error_of(lambda: tare.merge([merged, merged]).run())
    assert failure.kind == "BAD_INPUT", failure
    assert tare.merge([merged, merged]).allow_duplicates().run().rows == 128

    q = (
        tare.quantize(model)
        .mode("dynamic")
        .set("quantize.weight.method", "mse")
        .overrides([{"op": "Gemm", "float": True}])
        .run()
    )
    assert any(node["op"] == "Gemm" for node in q.to_dict()["quantized"]["float_nodes"]), q

    out = os.path.join(folder, "run")
    run = (
        tare.run(model)
        .data(train)
        .validation(train)
        .label("label")
        .set(pixels)
        .set({"batch": 16, "quantize.measure-rows": 16})
        .output(out)
        .overwrite()
    )
    plan = run.dry_run()
    assert ("batch", "16", "set by the caller") in plan.settings, plan.settings
    assert plan.observed and plan.quantized_nodes > 0 and plan.task_bytes > 0, plan
    result = run.run()
    assert result.calibration.state.rows == 64 and result.evaluation.rows == 64
    assert os.path.getsize(os.path.join(out, "model.onnx")) == result.quantized.size_bytes

    numbers = spark.range(100).selectExpr("CAST(id AS DOUBLE) AS x")
    observation = tare.observe(numbers).columns("x").observer("minmax").run()
    (qparams,) = observation.qparams
    assert str(observation) == str(qparams) and observation.states[""].rows == 100, observation
    assert qparams["max"] == 99.0 and qparams["column"] == "x", qparams

    observed = tare.observe(numbers).columns("x").run().states[""]
    check = tare.drift(observed).data(numbers.selectExpr("x + 40 AS x")).run()
    assert check.verdict == "moved" and check.effect > 0.5, check
    assert check.tensors[0]["tensor"] == "x" and check.state.rows == 100, check.tensors
    same = tare.drift(c.state).current(file).quantized(result.quantized).run()
    assert same.verdict == "stable" and "deployed" in same.tensors[0], same


def check_layers(tare, spark, folder):
    """Layer by layer: comparison, sensitivity, mixed precision, advice, a picture."""
    model = os.path.join(folder, "digits-mobilenet.onnx")
    train = spark.read.parquet(os.path.join(folder, "digits-train.parquet")).limit(64)
    rows = spark.read.parquet(os.path.join(folder, "digits-validation.parquet")).limit(64)
    pixels = {"inputs.image.dtype": "uint8", "inputs.image.scale": 1 / 255}
    out = os.path.join(folder, "layers")
    c = tare.calibrate(model).data(train).set(pixels).output(out).run()
    state = os.path.join(out, "state.tare")
    quantized = os.path.join(folder, "layers-quantized")
    tare.quantize(model).state(c.state).run().write(quantized)

    comparison = tare.compare(model, os.path.join(quantized, "model.onnx"))
    weights = comparison.run()
    assert weights.weights and weights.tensors == [], weights
    tensors = comparison.data(rows).set(pixels).run().tensors
    assert {"accumulated", "local"} <= set(tensors[0]), tensors[0]

    top1 = "array_position(quantized.logits, array_max(quantized.logits)) - 1 = label"
    call = tare.sensitivity(model).state(state).validation(rows).label("label").set(pixels)
    found = call.types("w4a8").metric_sql(top1).run()
    layers = found.layers
    assert layers and all(one["sql"] == one["quantized_top1"] for one in layers), layers[0]
    assert len(found.all_layers) == 1, found.all_layers

    mix = tare.mix(model).state(state).validation(rows).set(pixels).min_sqnr(24).run()
    assert mix.metric >= 24 and mix.evaluations > 0 and mix.front, mix
    smaller = tare.quantize(model).state(c.state).overrides(mix.overrides).run()
    assert smaller.size_bytes > mix.size_bytes > 0, smaller

    advice = tare.recommend(model).data(rows).label("label").set(pixels).budget("20s").run()
    assert advice.job_file and "quantize" in advice.job_file, advice

    picture = tare.plot(c.state, c.state.tensors[0]).set("plot.bins", 50)
    assert picture.svg().startswith("<svg "), picture.svg()[:80]
    file = os.path.join(folder, "tensor.svg")
    picture.write(file)
    assert os.path.getsize(file) > 1000
    failure = error_of(lambda: picture.write(file))
    assert failure.kind == "CANNOT_WRITE", failure
    picture.overwrite().write(file)

    # Libtorch is not there, or else the output is.
    failure = error_of(tare.finetune(model).data(train).set(pixels).output(out).run)
    assert failure.kind in ("MISSING_INPUT", "CANNOT_WRITE"), failure


def check_torch(tare, spark):
    """PyTorch's names: observers, QConfigs and quantized tensors."""
    batches = [[[-1.0, 0.5], [0.25, 4.0]], [[-2.0, 0.0], [1.0, 3.0]]]
    observers = {
        MinMaxObserver(): ([6.0 / 255], [85]),
        MinMaxObserver(qscheme="per_tensor_symmetric"): ([4.0 / 127.5], [128]),
        MovingAverageMinMaxObserver(averaging_constant=0.5): ([5.0 / 255], [76]),
        HistogramObserver(bins=64): ([5.90625 / 255], [86]),
        PerChannelMinMaxObserver(ch_axis=0): ([2.5 / 255, 4.0 / 255], [204, 0]),
    }
    for observer, (scale, zero_point) in observers.items():
        for batch in batches:
            assert observer(batch) is batch
        qparams = observer.calculate_qparams()
        near = all(abs(one / other - 1) < 0.01 for one, other in zip(qparams.scale, scale))
        assert near and qparams.zero_point == zero_point, (observer, qparams)

    x = array("f", [-1.0, 0.0, 0.26, 9.0])
    q = quantize_per_tensor(x, 0.5, 3, "quint8")
    assert q.int_repr() == [1, 3, 4, 21] and q.dequantize() == [-1.0, 0.0, 0.5, 9.0], q
    q = quantize_per_channel(batches[0], [0.5, 0.25], [0, 1], 0, "qint8")
    assert q.int_repr() == [[-2, 1], [2, 17]] and q.dequantize() == batches[0], q.int_repr()
    assert abs(compute_sqnr([3.0, 4.0], [3.0, 4.5]) - 20.0) < 1e-9

    qconfig = get_default_qconfig("qnnpack")
    assert str(qconfig) == (
        "QConfig(activation=<class 'tare.torch.HistogramObserver'>, weight=MinMaxObserver.with_args("
        "dtype='qint8', qscheme='per_tensor_symmetric'))"
    ), qconfig
    assert tare.quantize("m.onnx").set(qconfig.settings())
    assert qconfig.settings()["quantize.weight.scheme"] == "per_tensor_symmetric"
    fake = get_default_qat_qconfig("x86").activation()
    assert len(fake(batches[0])) == 2 and fake.calculate_qparams().zero_point == [25]
    assert FakeQuantize().enable_fake_quant(False)(batches[0]) == batches[0]

    constant = tare.observe(spark.range(5).selectExpr("7.0 AS x")).columns("x").run().states[""]
    histogram = constant.histogram("x", bins=3)
    assert histogram.counts == [0.0, 5.0, 0.0] and histogram.edges[0] == 6.5, histogram
    assert constant.range("x") == (7.0, 7.0)

    for kind, part, action in [
        ("USAGE", "takes no argument", lambda: MinMaxObserver(ch_axis=1)),
        ("USAGE", "which is no number", lambda: MinMaxObserver()([1.0, "two"])),
        ("USAGE", "2 values in one row and 1 in", lambda: MinMaxObserver()([[1, 2], [3]])),
        ("BAD_INPUT", "NaN", lambda: FakeQuantize()([float("nan")])),
        ("USAGE", "scale cannot be 0.0", lambda: quantize_per_tensor([1.0], 0.0, 0, "qint8")),
        ("USAGE", "shapes [2] and [1]", lambda: compute_sqnr([1.0, 2.0], [1.0])),
        ("USAGE", "backend cannot be 'arm'", lambda: get_default_qconfig("arm")),
        ("USAGE", "one of MinMax", lambda: QConfig(FakeQuantize, MinMaxObserver).settings()),
        ("USAGE", "no tensor 'y'", lambda: constant.histogram("y")),
    ]:
        error = error_of(action)
        assert error.kind == kind and part in str(error), (kind, part, error.kind, str(error))


def error_of(action):
    """The TareError that an action ends in."""
    try:
        action()
    except TareError as error:
        assert "\n" not in str(error) and "org.tare" not in str(error), error
        assert error.__cause__ is None and error.__context__ is None, error
        return error
    raise AssertionError("there was no error")


def check_errors(tare, spark, folder):
    """Errors are sentences, of a kind."""
    model = os.path.join(folder, "digits-mobilenet.onnx")
    spark.sparkContext.setLogLevel("OFF")  # The errors are meant.
    digits = os.path.join(folder, "digits-validation.parquet")
    pixels = {"inputs.image.dtype": "uint8", "inputs.image.scale": 1 / 255}
    broken = udf(lambda number: number / 0, "double")
    cases = [
        ("USAGE", 'did you mean "batch"', lambda: tare.quantize(model).set("bacth", 3)),
        ("USAGE", "batch (set by the caller) cannot be", lambda: tare.run(model).batch(-1)),
        ("USAGE", "give a name and a value, or a dict", lambda: tare.run(model).set("batch")),
        ("USAGE", "from builtins.int", lambda: tare.calibrate(model).data(3)),
        ("USAGE", "of the type object", lambda: tare.run(model).set("batch", object())),
        ("MISSING_INPUT", "no.onnx", lambda: tare.quantize("no.onnx").mode("dynamic").run()),
        (
            "BAD_INPUT",
            "nowhere",
            lambda: tare.observe(spark.range(3).toDF("x")).columns("nowhere").run(),
        ),
        (
            "BAD_INPUT",
            "a Python function of the query failed: ZeroDivisionError",
            lambda: tare.observe(spark.range(3).select(broken("id").alias("x"))).columns("x").run(),
        ),
        (
            "USAGE",
            "metric-sql cannot be",
            lambda: tare.sensitivity(model).data(digits).set(pixels).metric_sql("nowhere + 1").run(),
        ),
        # As Spark Connect is, without a JVM.
        ("USAGE", "Spark Connect has none", lambda: Tare(object())),
    ]
    for kind, part, action in cases:
        error = error_of(action)
        assert error.kind == kind and part in str(error), (kind, part, error.kind, str(error))


def main():
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(jar) as files:
            for name in files.namelist():
                if name.startswith("org/tare/demo/digits-"):
                    with open(os.path.join(folder, os.path.basename(name)), "wb") as out:
                        out.write(files.read(name))
        spark = (
            SparkSession.builder.master("local[2]")
            .appName("digits")
            .config("spark.jars", jar)
            .config("spark.ui.enabled", "false")
            .config("spark.ui.showConsoleProgress", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .getOrCreate()
        )
        try:
            tare = Tare(spark)
            print(f"Tare {tare.version} on PySpark {spark.version}")
            settings = spark.sql("SET").collect()
            c, q, e = quantize_digits(tare, spark, folder)
            check_results(tare, spark, folder, c, q, e)
            check_other_calls(tare, spark, folder)
            check_layers(tare, spark, folder)
            check_torch(tare, spark)
            check_errors(tare, spark, folder)
            assert spark.sql("SET").collect() == settings, "the session's settings changed"
            assert spark.catalog.listTables() == [], "a view was left in the session"
            assert module.settings("batch")["batch"].default == "32"
            assert "quantize.weight.dtype" in Tare.__doc__
        finally:
            spark.stop()
    print("PySpark calibrated, quantized and evaluated.")


main()
