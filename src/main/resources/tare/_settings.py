"""The settings of Tare, made from its registry of settings: do not edit.

``mvn test -Dtest=PythonSettingsTest -Dtare.write=true`` writes this file.
"""

from typing import Dict, Tuple

# The default and the meaning of each setting, by its name.
SETTINGS: Dict[str, Tuple[str, str]] = {
    "model": (
        "",
        "the float32 ONNX model",
    ),
    "quantized": (
        "",
        "the quantized ONNX model, or for drift the output folder that holds it",
    ),
    "state": (
        "",
        "the calibration state to quantize from",
    ),
    "output": (
        "",
        "the folder that the results are written to",
    ),
    "overwrite": (
        "false",
        "replace the output folder if Tare wrote it; another folder is never replaced",
    ),
    "data.path": (
        "",
        "files that Spark reads; data: PATH is short for it",
    ),
    "data.table": (
        "",
        "or a table of Spark's catalog, or a view",
    ),
    "data.query": (
        "",
        "or a query in Spark's SQL",
    ),
    "data.format": (
        "parquet",
        "the format of the files, as Spark names it",
    ),
    "data.sample": (
        "all rows",
        "how many rows, or which share of them; they are chosen by a hash of the key, so they are the same every time",
    ),
    "data.key": (
        "id, if there is such a column; else the inputs are hashed",
        "the column that names a row in messages and chooses the sample",
    ),
    "validation.path": (
        "",
        "files that Spark reads; validation: PATH is short for it",
    ),
    "validation.table": (
        "",
        "or a table of Spark's catalog, or a view",
    ),
    "validation.query": (
        "",
        "or a query in Spark's SQL",
    ),
    "validation.format": (
        "parquet",
        "the format of the files, as Spark names it",
    ),
    "validation.sample": (
        "all rows",
        "how many rows, or which share of them; they are chosen by a hash of the key, so they are the same every time",
    ),
    "validation.key": (
        "id, if there is such a column; else the inputs are hashed",
        "the column that names a row in messages and chooses the sample",
    ),
    "validation.label": (
        "",
        "the column of class numbers, for top-1 and top-5",
    ),
    "evaluate.min-sqnr": (
        "no bound",
        "the least SQNR in dB that every output must have; what is below is not published",
    ),
    "evaluate.min-cosine": (
        "no bound",
        "the least cosine that every output must have",
    ),
    "evaluate.max-top1-drop": (
        "no bound",
        "how much of top-1 may be lost at most: 0.01 is a point; needs a label",
    ),
    "evaluate.max-top5-drop": (
        "no bound",
        "how much of top-5 may be lost at most: 0.01 is a point; needs a label",
    ),
    "inputs.NAME.column": (
        "the column of the input's name, or the only column for the only input",
        "the column that the input is read from",
    ),
    "inputs.NAME.dtype": (
        "derived from the input's type and the number of bytes",
        "what the bytes of a binary column are",
    ),
    "inputs.NAME.shape": (
        "the model's",
        "the shape of one row, without the batch axis",
    ),
    "inputs.NAME.scale": (
        "1",
        "the input is (value * scale - mean) / std",
    ),
    "inputs.NAME.mean": (
        "0",
        "is subtracted: one number, or one per channel",
    ),
    "inputs.NAME.std": (
        "1",
        "divides: one number, or one per channel",
    ),
    "inputs.NAME.layout": (
        "nchw",
        "the layout of the column; nhwc has the channels last",
    ),
    "inputs.NAME.image": (
        "false",
        "the column holds PNG or JPEG files",
    ),
    "inputs.NAME.resize": (
        "",
        "resize images to height,width, or their shorter side to one number (bilinear)",
    ),
    "inputs.NAME.crop": (
        "",
        "cut height,width, or a square, from the middle of images",
    ),
    "inputs.NAME.value": (
        "",
        "what the model reads in every row, in place of a column: one number for all places, or one for each",
    ),
    "inputs.NAME.axis": (
        "follows from the names of sizes; else 0",
        "the axis of the model's input that counts the rows, from 0, or none for an input that all rows share",
    ),
    "batch": (
        "32",
        "rows per run of the model, unless the model fixes it; a calibration or comparison takes fewer where the tensors that it looks at hold over 128 MB",
    ),
    "mask": (
        "attention_mask",
        "the input [rows, length] whose zeros say which places of a sequence are filling; what tensors [rows, length, channels] hold there is neither observed nor evaluated. Empty for none. The default counts only if the model has such an input and no input whose name begins with \"decoder\"",
    ),
    "bad-rows": (
        "fail",
        "what to do with rows that cannot be decoded",
    ),
    "bad-rows-limit": (
        "0.01",
        "the share of skipped rows above which skipping fails too",
    ),
    "prepare.equalize": (
        "false",
        "rescale channels between neighbouring layers to equal ranges (cross-layer equalization), for weights of one scale per tensor",
    ),
    "prepare.absorb-bias": (
        "false",
        "with prepare.equalize: move what a channel exceeds by 3 standard deviations into the next layer's bias; rare values below change the result",
    ),
    "prepare.relu-for-relu6": (
        "false",
        "with prepare.equalize: ReLU6 between such layers becomes ReLU; values above 6 change the result",
    ),
    "calibrate.by": (
        "",
        "columns; each combination of their values gets a state of its own, in the same pass",
    ),
    "calibrate.channels": (
        "none",
        "what to keep of each channel: least, greatest and sums, or that and a histogram",
    ),
    "store.path": (
        "",
        "the folder of a state store",
    ),
    "store.slice": (
        "",
        "the name of a part of the data, as 2026-11-25 or country=DE/2026-11-25; the date in it places it in windows. Of recalibrate it is store.as-of unless it is said",
    ),
    "store.replace": (
        "false",
        "a slice that is there with other numbers gets the new ones; otherwise that is an error",
    ),
    "store.window": (
        "",
        "which days to add up: 7d or 4w, ending with store.as-of",
    ),
    "store.as-of": (
        "",
        "the last day of the window, as 2026-11-25; or yesterday, or today, in UTC",
    ),
    "store.allow-missing": (
        "false",
        "add up a window some of whose days have no slice",
    ),
    "store.key": (
        "the only one that fits",
        "which model and configuration, as states ls prints it; its beginning is enough",
    ),
    "store.before": (
        "",
        "states expire forgets slices of days before this one",
    ),
    "store.grace-hours": (
        "24",
        "states gc keeps what is younger, since a run may be about to name it",
    ),
    "calibrate.stream": (
        "false",
        "the rows are a stream: the state of each of its batches goes into the store, once",
    ),
    "stream.name": (
        "stream",
        "the name of the stream, which the names of its slices begin with",
    ),
    "stream.checkpoint": (
        "the store's name with .checkpoints/NAME behind it",
        "the folder in which Spark writes down how far the stream was read",
    ),
    "stream.every": (
        "take what is there, and end",
        "go on, with a batch each so often if there are rows, as in 1 minute",
    ),
    "stream.schema": (
        "that of the files that are there at the start",
        "the columns of the stream's files, as in id BIGINT, image BINARY",
    ),
    "quantize.mode": (
        "static",
        "when activations become integers",
    ),
    "quantize.form": (
        "qdq; qoperator for 4-bit weights",
        "pairs of QuantizeLinear and DequantizeLinear, or operators on integers",
    ),
    "quantize.backend": (
        "onnxruntime-cpu",
        "whose kernels will run the model; what is not set is as the backend has it",
    ),
    "quantize.automatic": (
        "true",
        "quantize all that has a rule; false quantizes what quantize.overrides lists, and nothing else",
    ),
    "quantize.reduce-range": (
        "false",
        "weights of integer products keep one bit free; portable weights are exact without",
    ),
    "quantize.activation.method": (
        "mse",
        "how ranges of activations are chosen: auto, entropy, fixed, lp, minmax, moving-average, mse, onnxruntime-entropy, onnxruntime-percentile, percentile, sigma",
    ),
    "quantize.activation.bins": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.constant": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.k": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.levels": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.lower": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.max": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.min": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.p": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.percentile": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.upper": (
        "the method's",
        "the method's parameter of this name",
    ),
    "quantize.activation.dtype": (
        "the backend's",
        "the integers of activations",
    ),
    "quantize.activation.bits": (
        "all",
        "how many bits of the type are used; the model stores the type",
    ),
    "quantize.activation.scheme": (
        "the backend's",
        "per_tensor_affine or per_tensor_symmetric",
    ),
    "quantize.activation.reduce-range": (
        "the backend's",
        "activations keep one bit free",
    ),
    "quantize.weight.method": (
        "minmax; mse for 4 bits and less",
        "how the range of a weight is chosen",
    ),
    "quantize.weight.dtype": (
        "the backend's",
        "int8; in the mode weight-only uint4 and int4 too",
    ),
    "quantize.weight.bits": (
        "all",
        "how many bits of int8 are used: 4, 3 or 2 show what training can save; the model stores int8, and runs as one of 8 bits does",
    ),
    "quantize.weight.scheme": (
        "the backend's",
        "per_channel_symmetric or per_tensor_symmetric; uint4 is per_channel_affine",
    ),
    "quantize.weight.block": (
        "32 for 4 bits",
        "rows of a column that share a scale: 16, 32, 64, 128 …",
    ),
    "quantize.weight.products": (
        "portable; full for the backend tensorrt",
        "on which CPUs int8 products are exact: on all, on x86 with VNNI and ARM alone, or on all in runtimes that add products in another order too",
    ),
    "quantize.overrides": (
        "",
        "a list of {op or name, float, activation, weight, reduce-range}. A name is stronger than a pattern of names (*, ?), that than an operator; of one kind the last wins",
    ),
    "quantize.declare-shapes": (
        "true",
        "write down that the two sides of residual additions are of one shape, so that ONNX Runtime fuses them with the normalization after them",
    ),
    "quantize.float16": (
        "false",
        "store large constants that stay float32 as float16; computation stays float32",
    ),
    "quantize.export": (
        "",
        "tensorrt, onnxruntime or both: the ranges in these tools' formats too",
    ),
    "quantize.tensorrt-version": (
        "8601",
        "what the head of TensorRT's cache says; 8601 is 8.6.1",
    ),
    "quantize.weight.rounding": (
        "auto",
        "of convolutions: so that the errors of each kernel add up to nothing, or each weight to the nearest integer; learned (AdaRound, command run): layer by layer from rows of the data, by libtorch",
    ),
    "quantize.weight.rounding-rows": (
        "512",
        "rows that rounding is learned on",
    ),
    "quantize.weight.rounding-steps": (
        "1000",
        "steps that rounding is learned in, for each layer",
    ),
    "quantize.smooth-quant": (
        "auto",
        "move outliers of activations into weights where the expected error falls",
    ),
    "quantize.bias-correction": (
        "auto",
        "take what rounding adds to the means of channels off biases: of convolutions from the float model's means, or of all layers one after the other",
    ),
    "quantize.measure-rows": (
        "256",
        "corrections that are auto or sequential are measured on so many rows of the calibration data and left out unless they lower the error; 0 goes by the expected error. SmoothQuant's factors are chosen on a quarter of them",
    ),
    "quantize.float-below": (
        "20",
        "where the SQNR in dB that is measured on these rows is lower, the layers that cost most stay float32, if that helps; 0 is never; in the mode static",
    ),
    "observe.column": (
        "",
        "the columns to observe",
    ),
    "observe.observer": (
        "histogram",
        "the observer",
    ),
    "observe.method": (
        "mse",
        "how the observer histogram chooses the range, as in mse or percentile(percentile=99.9)",
    ),
    "observe.dtype": (
        "quint8",
        "the quantized type",
    ),
    "observe.scheme": (
        "per_tensor_affine, or per_channel_affine",
        "the scheme",
    ),
    "observe.rule": (
        "pytorch for types like quint8, else onnxruntime",
        "whose arithmetic computes scale and zero point",
    ),
    "observe.averaging-constant": (
        "0.01",
        "the constant of moving averages",
    ),
    "observe.reduce-range": (
        "false",
        "leave one bit unused",
    ),
    "drift.reference": (
        "",
        "the state that is compared with",
    ),
    "drift.current": (
        "",
        "a state, or files with rows to observe, in the format of data.format",
    ),
    "drift.inputs-only": (
        "false",
        "observe and compare the model's inputs alone: the model is not run",
    ),
    "drift.warn.effect": (
        "0.2",
        "an effect, in standard deviations, from which a tensor moved a little",
    ),
    "drift.fail.effect": (
        "0.5",
        "an effect, in standard deviations, from which a tensor moved",
    ),
    "drift.warn.channel": (
        "0.1",
        "such a shift of a channel's mean, in standard deviations, from which a tensor moved a little",
    ),
    "drift.fail.channel": (
        "0.2",
        "such a shift of a channel's mean, in standard deviations, from which a tensor moved",
    ),
    "drift.warn.sqnr-loss": (
        "1",
        "so many dB less expected SQNR from which a tensor moved a little",
    ),
    "drift.fail.sqnr-loss": (
        "3",
        "so many dB less expected SQNR from which a tensor moved",
    ),
    "drift.warn.clipped": (
        "0.001",
        "such a share of values more that is clipped from which a tensor moved a little",
    ),
    "drift.fail.clipped": (
        "0.01",
        "such a share of values more that is clipped from which a tensor moved",
    ),
    "drift.warn.non-finite": (
        "0.000000001",
        "such a share of values more that is NaN or infinite from which a tensor moved a little",
    ),
    "drift.fail.non-finite": (
        "0.001",
        "such a share of values more that is NaN or infinite from which a tensor moved",
    ),
    "drift.fail-on-drift": (
        "false",
        "end with the exit status 10 if a tensor moved; one that moved a little is no reason",
    ),
    "recalibrate.metric": (
        "sqnr",
        "by what a candidate must be better than the deployed model on the validation data; of several outputs the worst counts",
    ),
    "recalibrate.margin": (
        "0",
        "by how much, in the metric's unit: dB, or a share; 0 is any better, below 0 allows worse",
    ),
    "recalibrate.force": (
        "false",
        "make a candidate though nothing moved, and though the same run was made before",
    ),
    "recalibrate.keep": (
        "5",
        "how many former outputs stay for a rollback",
    ),
    "recalibrate.lease-minutes": (
        "15",
        "how long a run of another machine or user keeps others away without a sign of life",
    ),
    "rollback.to": (
        "the last before",
        "the version to bring back",
    ),
    "notify.url": (
        "",
        "a URL that gets the result of a recalibration by POST; if it fails the run goes on",
    ),
    "notify.openlineage": (
        "",
        "a file that the run event of a recalibration is written to, in OpenLineage's JSON",
    ),
    "registry.mlflow.url": (
        "",
        "an MLflow tracking server: each output with a model that is published becomes a run there; if that fails the output stays",
    ),
    "registry.mlflow.experiment": (
        "tare",
        "the experiment of these runs",
    ),
    "registry.mlflow.model": (
        "none",
        "the registered model that each of them is a new version of",
    ),
    "train.epochs": (
        "2",
        "how often every row is trained on",
    ),
    "train.learning-rate": (
        "0.001",
        "the greatest; it rises for a tenth of the steps, then falls to 0 as half a cosine",
    ),
    "train.batch": (
        "64",
        "rows of a step of one worker",
    ),
    "train.workers": (
        "1",
        "into how many shards the rows go: so many tasks train at once, with fewer steps each; it changes the result, the cluster does not",
    ),
    "train.round-steps": (
        "25",
        "steps that each worker takes before the mean of their weights is taken",
    ),
    "train.loss": (
        "mse",
        "what brings the quantized model near the float one: mse the squared error over the mean square, kl the divergence of the softmaxes",
    ),
    "train.label": (
        "",
        "the column of class numbers in the data, to train on these too",
    ),
    "train.label-share": (
        "0.5",
        "the weight of the labels' cross entropy beside the float model; 1 for labels alone",
    ),
    "train.optimizer": (
        "adam",
        "what changes the weights",
    ),
    "train.weight-decay": (
        "0",
        "what weights shrink by in a step, times the learning rate",
    ),
    "train.clip-norm": (
        "1",
        "the greatest norm of all gradients of a step together; 0 for none",
    ),
    "train.seed": (
        "0",
        "of the order of the rows",
    ),
    "train.scales": (
        "fixed",
        "fixed: as calibration chose them; observed: those of activations follow moving averages of their values; learned: trained with the weights",
    ),
    "train.zero-points": (
        "fixed",
        "learned: those of activations are trained with learned scales; symmetric ones stay",
    ),
    "train.freeze-observers-after": (
        "0",
        "after how many steps observed scales stay as they are; 0 for half of all steps",
    ),
    "train.batch-normalization": (
        "folded",
        "folded: part of weights and biases; trained: kept in training, with the statistics of batches, and folded into what is written",
    ),
    "train.freeze-batch-normalization-after": (
        "0",
        "after how many steps its statistics stay as they are; 0 for half of all steps",
    ),
    "train.freeze-before-untrainable": (
        "false",
        "where a node cannot be trained through: it and all that it depends on stay as they are, in float32 while the rest is trained; off, such a model is refused",
    ),
    "train.evaluate-every": (
        "1",
        "after how many rounds the quantized model is measured",
    ),
    "train.measure-rows": (
        "1024",
        "rows to measure it on: of the validation data, or else of the data",
    ),
    "train.checkpoint": (
        "",
        "a file that training writes its state to after each round; if it is there, training goes on from it",
    ),
    "sensitivity.types": (
        "w8a8",
        "what each layer is tried in: w8a8, w4a8, w8a16, w4a16 (bits of weights and activations), with -tensor behind it for one scale per weight",
    ),
    "sensitivity.direction": (
        "only",
        "only the layer is quantized, or all-but the layer",
    ),
    "sensitivity.metric": (
        "sqnr",
        "what layers are ordered by; top1 needs a label",
    ),
    "mix.types": (
        "w4a8, w8a8; float is always there",
        "what layers may get, from narrow to wide: w8a8, w4a8, w8a16, w4a16 (bits of weights and activations), with -tensor behind it for one scale per weight",
    ),
    "mix.min-sqnr": (
        "no target",
        "the least SQNR in dB, of the mean error over all outputs",
    ),
    "mix.max-drop": (
        "no target",
        "how much of the metric may be lost at most: 0.01 of top1 is a point",
    ),
    "mix.cost": (
        "bytes",
        "what types are to have little of: bytes of the weights, or time for a row, measured on this machine",
    ),
    "mix.metric": (
        "top1",
        "what mix.max-drop is about",
    ),
    "trials.metric-sql": (
        "",
        "a metric of your own, for sensitivity, mix and recommend in the place of theirs, for evaluate besides: an expression of Spark SQL over the columns of a row and the structs float and quantized of its outputs; averaged, or with aggregate functions",
    ),
    "trials.metric-better": (
        "greater",
        "which figures of trials.metric-sql are better",
    ),
    "trials.checkpoint": (
        "OUTPUT.trials, which is deleted at the end",
        "a file that sensitivity and mix write what they measured to; if it is there, they go on from it",
    ),
    "recommend.budget": (
        "10m",
        "how long to try, as 90s, 10m or 1h: no way is begun after it",
    ),
    "recommend.max-drop": (
        "0.005",
        "how much of the metric may be lost at most",
    ),
    "recommend.metric": (
        "top1 with labels, else agreement where classes are ranked, else cosine",
        "what ways are judged by; top1 needs a label",
    ),
    "recommend.rows": (
        "512",
        "calibrate and judge on so many rows",
    ),
    "plot.tensor": (
        "",
        "the tensor to draw",
    ),
    "plot.method": (
        "minmax",
        "how the range is chosen, as in mse or percentile(percentile=99.9)",
    ),
    "plot.scheme": (
        "both",
        "with a free zero point, with one in the middle, or each in a panel of its own",
    ),
    "plot.dtype": (
        "uint8; for symmetric int8",
        "the quantized type",
    ),
    "plot.bins": (
        "100",
        "bars from the least to the greatest value",
    ),
}
