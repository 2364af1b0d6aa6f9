package org.tare.settings;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.TareException;
import org.tare.drift.Band;
import org.tare.drift.DriftThresholds;
import org.tare.export.TensorRtCalibrationCache;
import org.tare.job.Observer;
import org.tare.job.trials.Metric;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.WeightProducts;
import org.tare.range.RangeMethod;
import org.tare.settings.Key.Group;

/**
 * All settings there are: the one place of their names, types, defaults and meanings. Resolution,
 * help, the dry run, the settings' page and Python's docstrings are made from it.
 */
public final class Keys {
  /**
   * What follows these prefixes is free: it goes to Spark's reader, or into Spark's configuration.
   */
  static final List<String> FREE_PREFIXES =
      List.of("data.options.", "validation.options.", "spark.");

  private static final String INPUTS = "inputs.";
  private static final String NAMED = "inputs.NAME.";
  private static final double ANY = Double.POSITIVE_INFINITY;
  private static final DriftThresholds STANDARD_LIMITS = DriftThresholds.STANDARD;
  private static final Map<String, Key> ALL = all();

  private Keys() {}

  private static Map<String, Key> all() {
    List<Key> keys = new ArrayList<>();
    files(keys);
    table(keys, Group.DATA, "data");
    table(keys, Group.VALIDATION, "validation");
    keys.add(
        Key.text(
            Group.VALIDATION,
            "validation.label",
            "",
            "the column of class numbers, for top-1 and top-5"));
    gate(keys);
    inputs(keys);
    rows(keys);
    prepare(keys);
    calibrate(keys);
    store(keys);
    stream(keys);
    quantize(keys);
    corrections(keys);
    observe(keys);
    drift(keys);
    recalibrate(keys);
    train(keys);
    trials(keys);
    advice(keys);
    plot(keys);
    run(keys);
    Map<String, Key> byName = new LinkedHashMap<>();
    keys.forEach(key -> byName.put(key.name(), key));
    return Collections.unmodifiableMap(byName);
  }

  private static void files(List<Key> keys) {
    Group group = Group.FILES;
    keys.add(Key.text(group, "model", "", "the float32 ONNX model"));
    keys.add(
        Key.text(
            group,
            "quantized",
            "",
            "the quantized ONNX model, or for drift the output folder that holds it"));
    keys.add(Key.text(group, "state", "", "the calibration state to quantize from"));
    keys.add(Key.text(group, "output", "", "the folder that the results are written to"));
    keys.add(
        Key.flag(
            group,
            "overwrite",
            false,
            "replace the output folder if Tare wrote it; another folder is never replaced"));
  }

  private static void table(List<Key> keys, Group group, String prefix) {
    keys.add(
        Key.text(
            group,
            prefix + ".path",
            "",
            "files that Spark reads; `" + prefix + ": PATH` is short for it"));
    keys.add(Key.text(group, prefix + ".table", "", "or a table of Spark's catalog, or a view"));
    keys.add(Key.text(group, prefix + ".query", "", "or a query in Spark's SQL"));
    keys.add(
        Key.text(
            group, prefix + ".format", "parquet", "the format of the files, as Spark names it"));
    keys.add(
        Key.sample(
            group,
            prefix + ".sample",
            "how many rows, or which share of them; they are chosen by a hash of the key, so they"
                + " are the same every time"));
    keys.add(
        Key.text(
                group,
                prefix + ".key",
                "",
                "the column that names a row in messages and chooses the sample")
            .absent("`id`, if there is such a column; else the inputs are hashed"));
  }

  private static void gate(List<Key> keys) {
    Group group = Group.GATE;
    keys.add(
        Key.number(
                group,
                "evaluate.min-sqnr",
                "",
                -ANY,
                ANY,
                "the least SQNR in dB that every output must have; what is below is not published")
            .absent("no bound"));
    keys.add(
        Key.number(
                group,
                "evaluate.min-cosine",
                "",
                -1,
                1,
                "the least cosine that every output must have")
            .absent("no bound"));
    for (String top : List.of("1", "5")) {
      keys.add(
          Key.number(
                  group,
                  "evaluate.max-top" + top + "-drop",
                  "",
                  -1,
                  1,
                  "how much of top-" + top + " may be lost at most: 0.01 is a point; needs a label")
              .absent("no bound"));
    }
  }

  private static void inputs(List<Key> keys) {
    Group group = Group.INPUTS;
    keys.add(
        Key.text(group, NAMED + "column", "", "the column that the input is read from")
            .absent("the column of the input's name, or the only column for the only input"));
    keys.add(
        Key.choice(
                group,
                NAMED + "dtype",
                "",
                List.of("uint8", "int8", "int32", "int64", "float16", "float32", "float64"),
                "what the bytes of a binary column are")
            .absent("derived from the input's type and the number of bytes"));
    keys.add(
        Key.numbers(group, NAMED + "shape", "the shape of one row, without the batch axis")
            .absent("the model's"));
    keys.add(
        Key.number(
            group,
            NAMED + "scale",
            "1",
            Double.NEGATIVE_INFINITY,
            ANY,
            "the input is (value * scale - mean) / std"));
    keys.add(
        Key.numbers(group, NAMED + "mean", "is subtracted: one number, or one per channel")
            .absent("0"));
    keys.add(
        Key.numbers(group, NAMED + "std", "divides: one number, or one per channel").absent("1"));
    keys.add(
        Key.choice(
            group,
            NAMED + "layout",
            "nchw",
            List.of("nchw", "nhwc"),
            "the layout of the column; `nhwc` has the channels last"));
    keys.add(Key.flag(group, NAMED + "image", false, "the column holds PNG or JPEG files"));
    keys.add(
        Key.numbers(
            group,
            NAMED + "resize",
            "resize images to height,width, or their shorter side to one number (bilinear)"));
    keys.add(
        Key.numbers(
            group, NAMED + "crop", "cut height,width, or a square, from the middle of images"));
    keys.add(
        Key.numbers(
            group,
            NAMED + "value",
            "what the model reads in every row, in place of a column: one number for all places, or"
                + " one for each"));
    keys.add(
        Key.text(
                group,
                NAMED + "axis",
                "",
                "the axis of the model's input that counts the rows, from 0, or `none` for an input"
                    + " that all rows share")
            .absent("follows from the names of sizes; else 0"));
  }

  private static void rows(List<Key> keys) {
    Group group = Group.ROWS;
    keys.add(
        Key.whole(
            group,
            "batch",
            "32",
            1,
            65536,
            "rows per run of the model, unless the model fixes it; a calibration or comparison"
                + " takes fewer where the tensors that it looks at hold over 128 MB"));
    keys.add(
        Key.text(
            group,
            "mask",
            "attention_mask",
            "the input [rows, length] whose zeros say which places of a sequence are filling; what"
                + " tensors [rows, length, channels] hold there is neither observed nor evaluated."
                + " Empty for none. The default counts only if the model has such an input and no"
                + " input whose name begins with \"decoder\""));
    keys.add(
        Key.choice(
            group,
            "bad-rows",
            "fail",
            List.of("fail", "skip"),
            "what to do with rows that cannot be decoded"));
    keys.add(
        Key.number(
            group,
            "bad-rows-limit",
            "0.01",
            0,
            1,
            "the share of skipped rows above which skipping fails too"));
  }

  private static void prepare(List<Key> keys) {
    Group group = Group.PREPARE;
    keys.add(
        Key.flag(
            group,
            "prepare.equalize",
            false,
            "rescale channels between neighbouring layers to equal ranges (cross-layer"
                + " equalization), for weights of one scale per tensor"));
    keys.add(
        Key.flag(
            group,
            "prepare.absorb-bias",
            false,
            "with prepare.equalize: move what a channel exceeds by 3 standard deviations into the"
                + " next layer's bias; rare values below change the result"));
    keys.add(
        Key.flag(
            group,
            "prepare.relu-for-relu6",
            false,
            "with prepare.equalize: ReLU6 between such layers becomes ReLU; values above 6 change"
                + " the result"));
  }

  private static void calibrate(List<Key> keys) {
    Group group = Group.CALIBRATE;
    keys.add(
        Key.texts(
            group,
            "calibrate.by",
            "columns; each combination of their values gets a state of its own, in the same pass"));
    keys.add(
        Key.choice(
            group,
            "calibrate.channels",
            "none",
            List.of("none", "summary", "histogram"),
            "what to keep of each channel: least, greatest and sums, or that and a histogram"));
  }

  private static void store(List<Key> keys) {
    Group group = Group.STORE;
    keys.add(Key.text(group, "store.path", "", "the folder of a state store"));
    keys.add(
        Key.text(
            group,
            "store.slice",
            "",
            "the name of a part of the data, as 2026-11-25 or country=DE/2026-11-25; the date in it"
                + " places it in windows. Of recalibrate it is store.as-of unless it is said"));
    keys.add(
        Key.flag(
            group,
            "store.replace",
            false,
            "a slice that is there with other numbers gets the new ones; otherwise that is an"
                + " error"));
    keys.add(
        Key.text(
            group, "store.window", "", "which days to add up: 7d or 4w, ending with store.as-of"));
    keys.add(
        Key.text(
            group,
            "store.as-of",
            "",
            "the last day of the window, as 2026-11-25; or yesterday, or today, in UTC"));
    keys.add(
        Key.flag(
            group,
            "store.allow-missing",
            false,
            "add up a window some of whose days have no slice"));
    keys.add(
        Key.text(
                group,
                "store.key",
                "",
                "which model and configuration, as `states ls` prints it; its beginning is enough")
            .absent("the only one that fits"));
    keys.add(
        Key.text(
            group, "store.before", "", "`states expire` forgets slices of days before this one"));
    keys.add(
        Key.number(
            group,
            "store.grace-hours",
            "24",
            0,
            1_000_000,
            "`states gc` keeps what is younger, since a run may be about to name it"));
  }

  private static void stream(List<Key> keys) {
    Group group = Group.STREAM;
    keys.add(
        Key.flag(
            group,
            "calibrate.stream",
            false,
            "the rows are a stream: the state of each of its batches goes into the store, once"));
    keys.add(
        Key.text(
            group,
            "stream.name",
            "stream",
            "the name of the stream, which the names of its slices begin with"));
    keys.add(
        Key.text(
                group,
                "stream.checkpoint",
                "",
                "the folder in which Spark writes down how far the stream was read")
            .absent("the store's name with `.checkpoints/NAME` behind it"));
    keys.add(
        Key.text(
                group,
                "stream.every",
                "",
                "go on, with a batch each so often if there are rows, as in `1 minute`")
            .absent("take what is there, and end"));
    keys.add(
        Key.text(
                group,
                "stream.schema",
                "",
                "the columns of the stream's files, as in `id BIGINT, image BINARY`")
            .absent("that of the files that are there at the start"));
  }

  private static void quantize(List<Key> keys) {
    Group group = Group.QUANTIZE;
    keys.add(
        Key.choice(
            group,
            "quantize.mode",
            "static",
            Arrays.stream(Mode.values()).map(Mode::id).toList(),
            "when activations become integers"));
    keys.add(
        Key.choice(
                group,
                "quantize.form",
                "",
                List.of("qdq", "qoperator"),
                "pairs of QuantizeLinear and DequantizeLinear, or operators on integers")
            .absent("`qdq`; `qoperator` for 4-bit weights"));
    keys.add(
        Key.choice(
            group,
            "quantize.backend",
            "onnxruntime-cpu",
            Arrays.stream(Backend.values()).map(Backend::id).toList(),
            "whose kernels will run the model; what is not set is as the backend has it"));
    keys.add(
        Key.flag(
            group,
            "quantize.automatic",
            true,
            "quantize all that has a rule; false quantizes what quantize.overrides lists, and"
                + " nothing else"));
    keys.add(
        Key.flag(
            group,
            "quantize.reduce-range",
            false,
            "weights of integer products keep one bit free; portable weights are exact without"));
    String methods = String.join(", ", RangeMethod.PARAMETERS.keySet());
    keys.add(
        Key.text(
            group,
            "quantize.activation.method",
            "mse",
            "how ranges of activations are chosen: " + methods));
    for (String parameter : RangeMethod.parameterNames()) {
      keys.add(
          Key.number(
                  group,
                  "quantize.activation." + parameter,
                  "",
                  Double.NEGATIVE_INFINITY,
                  ANY,
                  "the method's parameter of this name")
              .absent("the method's"));
    }
    keys.add(
        Key.choice(
                group,
                "quantize.activation.dtype",
                "",
                List.of("uint8", "int8"),
                "the integers of activations")
            .absent("the backend's"));
    keys.add(
        Key.whole(
                group,
                "quantize.activation.bits",
                "",
                2,
                8,
                "how many bits of the type are used; the model stores the type")
            .absent("all"));
    keys.add(
        Key.text(
                group,
                "quantize.activation.scheme",
                "",
                "per_tensor_affine or per_tensor_symmetric")
            .absent("the backend's"));
    keys.add(
        Key.choice(
                group,
                "quantize.activation.reduce-range",
                "",
                List.of("true", "false"),
                "activations keep one bit free")
            .absent("the backend's"));
    keys.add(
        Key.choice(
                group,
                "quantize.weight.method",
                "",
                List.of("minmax", "mse"),
                "how the range of a weight is chosen")
            .absent("`minmax`; `mse` for 4 bits and less"));
    keys.add(
        Key.text(
                group,
                "quantize.weight.dtype",
                "",
                "int8; in the mode weight-only uint4 and int4 too")
            .absent("the backend's"));
    keys.add(
        Key.whole(
                group,
                "quantize.weight.bits",
                "",
                2,
                8,
                "how many bits of int8 are used: 4, 3 or 2 show what training can save; the model"
                    + " stores int8, and runs as one of 8 bits does")
            .absent("all"));
    keys.add(
        Key.text(
                group,
                "quantize.weight.scheme",
                "",
                "per_channel_symmetric or per_tensor_symmetric; uint4 is per_channel_affine")
            .absent("the backend's"));
    keys.add(
        Key.whole(
                group,
                "quantize.weight.block",
                "",
                0,
                1 << 20,
                "rows of a column that share a scale: 16, 32, 64, 128 …")
            .absent("32 for 4 bits"));
    keys.add(
        Key.choice(
                group,
                "quantize.weight.products",
                "",
                Arrays.stream(WeightProducts.values()).map(WeightProducts::id).toList(),
                "on which CPUs int8 products are exact: on all, on x86 with VNNI and ARM alone, or"
                    + " on all in runtimes that add products in another order too")
            .absent("`portable`; `full` for the backend tensorrt"));
    keys.add(
        new Key(
            "quantize.overrides",
            group,
            Key.Kind.OVERRIDES,
            List.of(),
            0,
            0,
            "",
            "",
            "a list of {op or name, float, activation, weight, reduce-range}. A name is stronger"
                + " than a pattern of names (*, ?), that than an operator; of one kind the last"
                + " wins"));
    keys.add(
        Key.flag(
            group,
            "quantize.declare-shapes",
            true,
            "write down that the two sides of residual additions are of one shape, so that ONNX"
                + " Runtime fuses them with the normalization after them"));
    keys.add(
        Key.flag(
            group,
            "quantize.float16",
            false,
            "store large constants that stay float32 as float16; computation stays float32"));
    keys.add(
        Key.texts(
            group,
            "quantize.export",
            "tensorrt, onnxruntime or both: the ranges in these tools' formats too"));
    keys.add(
        Key.text(
            group,
            "quantize.tensorrt-version",
            TensorRtCalibrationCache.DEFAULT_VERSION,
            "what the head of TensorRT's cache says; 8601 is 8.6.1"));
  }

  private static void corrections(List<Key> keys) {
    Group group = Group.CORRECTIONS;
    keys.add(
        Key.choice(
            group,
            "quantize.weight.rounding",
            "auto",
            List.of("auto", "sums", "nearest", "learned"),
            "of convolutions: so that the errors of each kernel add up to nothing, or each weight"
                + " to the nearest integer; learned (AdaRound, command run): layer by layer from"
                + " rows of the data, by libtorch"));
    keys.add(
        Key.whole(
            group,
            "quantize.weight.rounding-rows",
            "512",
            1,
            1 << 20,
            "rows that rounding is learned on"));
    keys.add(
        Key.whole(
            group,
            "quantize.weight.rounding-steps",
            "1000",
            1,
            1 << 20,
            "steps that rounding is learned in, for each layer"));
    keys.add(
        Key.choice(
            group,
            "quantize.smooth-quant",
            "auto",
            List.of("auto", "true", "false"),
            "move outliers of activations into weights where the expected error falls"));
    keys.add(
        Key.choice(
            group,
            "quantize.bias-correction",
            "auto",
            List.of("auto", "fast", "sequential", "false"),
            "take what rounding adds to the means of channels off biases: of convolutions from the"
                + " float model's means, or of all layers one after the other"));
    keys.add(
        Key.whole(
            group,
            "quantize.measure-rows",
            "256",
            0,
            1_000_000,
            "corrections that are auto or sequential are measured on so many rows of the"
                + " calibration data and left out unless they lower the error; 0 goes by the"
                + " expected error. SmoothQuant's factors are chosen on a quarter of them"));
    keys.add(
        Key.number(
            group,
            "quantize.float-below",
            "20",
            0,
            ANY,
            "where the SQNR in dB that is measured on these rows is lower, the layers that cost"
                + " most stay float32, if that helps; 0 is never; in the mode static"));
  }

  private static void observe(List<Key> keys) {
    Group group = Group.OBSERVE;
    keys.add(Key.texts(group, "observe.column", "the columns to observe"));
    keys.add(Key.choice(group, "observe.observer", "histogram", Observer.ids(), "the observer"));
    keys.add(
        Key.text(
                group,
                "observe.method",
                "",
                "how the observer histogram chooses the range, as in mse or"
                    + " percentile(percentile=99.9)")
            .absent("`mse`"));
    keys.add(Key.text(group, "observe.dtype", "quint8", "the quantized type"));
    keys.add(
        Key.text(group, "observe.scheme", "", "the scheme")
            .absent("`per_tensor_affine`, or `per_channel_affine`"));
    keys.add(
        Key.choice(
                group,
                "observe.rule",
                "",
                List.of("pytorch", "onnxruntime"),
                "whose arithmetic computes scale and zero point")
            .absent("`pytorch` for types like quint8, else `onnxruntime`"));
    keys.add(
        Key.number(
            group, "observe.averaging-constant", "0.01", 0, 1, "the constant of moving averages"));
    keys.add(Key.flag(group, "observe.reduce-range", false, "leave one bit unused"));
  }

  private static void plot(List<Key> keys) {
    Group group = Group.PLOT;
    keys.add(Key.text(group, "plot.tensor", "", "the tensor to draw"));
    keys.add(
        Key.text(
            group,
            "plot.method",
            "minmax",
            "how the range is chosen, as in mse or percentile(percentile=99.9)"));
    keys.add(
        Key.choice(
            group,
            "plot.scheme",
            "both",
            List.of("both", "affine", "symmetric"),
            "with a free zero point, with one in the middle, or each in a panel of its own"));
    keys.add(
        Key.text(group, "plot.dtype", "", "the quantized type")
            .absent("`uint8`; for symmetric `int8`"));
    keys.add(
        Key.whole(
            group, "plot.bins", "100", 1, 10_000, "bars from the least to the greatest value"));
  }

  private static void drift(List<Key> keys) {
    Group group = Group.DRIFT;
    keys.add(Key.text(group, "drift.reference", "", "the state that is compared with"));
    keys.add(
        Key.text(
            group,
            "drift.current",
            "",
            "a state, or files with rows to observe, in the format of data.format"));
    keys.add(
        Key.flag(
            group,
            "drift.inputs-only",
            false,
            "observe and compare the model's inputs alone: the model is not run"));
    band(keys, "effect", "an effect, in standard deviations,", STANDARD_LIMITS.effect());
    band(
        keys,
        "channel",
        "such a shift of a channel's mean, in standard deviations,",
        STANDARD_LIMITS.channel());
    band(keys, "sqnr-loss", "so many dB less expected SQNR", STANDARD_LIMITS.sqnrLoss());
    band(keys, "clipped", "such a share of values more that is clipped", STANDARD_LIMITS.clipped());
    band(
        keys,
        "non-finite",
        "such a share of values more that is NaN or infinite",
        STANDARD_LIMITS.nonFinite());
    keys.add(
        Key.flag(
            group,
            "drift.fail-on-drift",
            false,
            "end with the exit status 10 if a tensor moved; one that moved a little is no reason"));
  }

  private static void band(List<Key> keys, String name, String what, Band limits) {
    keys.add(
        limit("drift.warn." + name, limits.warn(), what + " from which a tensor moved a little"));
    keys.add(limit("drift.fail." + name, limits.fail(), what + " from which a tensor moved"));
  }

  private static Key limit(String name, double standard, String help) {
    String plain = BigDecimal.valueOf(standard).stripTrailingZeros().toPlainString();
    return Key.number(Group.DRIFT, name, plain, 0, ANY, help);
  }

  private static void trials(List<Key> keys) {
    Group group = Group.TRIALS;
    String types =
        "`w8a8`, `w4a8`, `w8a16`, `w4a16` (bits of weights and activations), with `-tensor` behind"
            + " it for one scale per weight";
    keys.add(
        Key.texts(group, "sensitivity.types", "what each layer is tried in: " + types)
            .absent("`w8a8`"));
    keys.add(
        Key.choice(
            group,
            "sensitivity.direction",
            "only",
            List.of("only", "all-but"),
            "`only` the layer is quantized, or `all-but` the layer"));
    keys.add(
        Key.choice(
            group,
            "sensitivity.metric",
            "sqnr",
            metrics(),
            "what layers are ordered by; top1 needs a label"));
    keys.add(
        Key.texts(group, "mix.types", "what layers may get, from narrow to wide: " + types)
            .absent("`w4a8, w8a8`; float is always there"));
    keys.add(
        Key.number(
                group,
                "mix.min-sqnr",
                "",
                -ANY,
                ANY,
                "the least SQNR in dB, of the mean error over all outputs")
            .absent("no target"));
    keys.add(
        Key.number(
                group,
                "mix.max-drop",
                "",
                0,
                ANY,
                "how much of the metric may be lost at most: 0.01 of top1 is a point")
            .absent("no target"));
    keys.add(
        Key.choice(
            group,
            "mix.cost",
            "bytes",
            List.of("bytes", "time"),
            "what types are to have little of: `bytes` of the weights, or `time` for a row,"
                + " measured on this machine"));
    keys.add(Key.choice(group, "mix.metric", "top1", metrics(), "what `mix.max-drop` is about"));
    keys.add(
        Key.text(
            group,
            "trials.metric-sql",
            "",
            "a metric of your own, for `sensitivity`, `mix` and `recommend` in the place of theirs,"
                + " for `evaluate` besides: an expression of Spark SQL over the columns of a row"
                + " and the structs `float` and `quantized` of its outputs; averaged, or with"
                + " aggregate functions"));
    keys.add(
        Key.choice(
            group,
            "trials.metric-better",
            "greater",
            List.of("greater", "less"),
            "which figures of `trials.metric-sql` are better"));
    keys.add(
        Key.text(
                group,
                "trials.checkpoint",
                "",
                "a file that `sensitivity` and `mix` write what they measured to; if it is there,"
                    + " they go on from it")
            .absent("`OUTPUT.trials`, which is deleted at the end"));
  }

  private static void advice(List<Key> keys) {
    Group group = Group.ADVICE;
    keys.add(
        Key.text(
            group,
            "recommend.budget",
            "10m",
            "how long to try, as `90s`, `10m` or `1h`: no way is begun after it"));
    keys.add(
        Key.number(
            group,
            "recommend.max-drop",
            "0.005",
            0,
            ANY,
            "how much of the metric may be lost at most"));
    keys.add(
        Key.choice(
                group,
                "recommend.metric",
                "",
                metrics().stream().filter(id -> !id.equals(Metric.SQNR.id())).toList(),
                "what ways are judged by; top1 needs a label")
            .absent(
                "`top1` with labels, else `agreement` where classes are ranked, else `cosine`"));
    keys.add(
        Key.whole(
            group, "recommend.rows", "512", 1, 1_000_000, "calibrate and judge on so many rows"));
  }

  private static List<String> metrics() {
    return Arrays.stream(Metric.values()).map(Metric::id).toList();
  }

  private static void recalibrate(List<Key> keys) {
    Group group = Group.RECALIBRATE;
    keys.add(
        Key.choice(
            group,
            "recalibrate.metric",
            "sqnr",
            RecalibrateSettings.metrics(),
            "by what a candidate must be better than the deployed model on the validation data; of"
                + " several outputs the worst counts"));
    keys.add(
        Key.number(
            group,
            "recalibrate.margin",
            "0",
            -ANY,
            ANY,
            "by how much, in the metric's unit: dB, or a share; 0 is any better, below 0 allows"
                + " worse"));
    keys.add(
        Key.flag(
            group,
            "recalibrate.force",
            false,
            "make a candidate though nothing moved, and though the same run was made before"));
    keys.add(
        Key.whole(
            group,
            "recalibrate.keep",
            "5",
            1,
            10_000,
            "how many former outputs stay for a rollback"));
    keys.add(
        Key.number(
            group,
            "recalibrate.lease-minutes",
            "15",
            0,
            100_000,
            "how long a run of another machine or user keeps others away without a sign of life"));
    keys.add(
        Key.text(group, "rollback.to", "", "the version to bring back").absent("the last before"));
    keys.add(
        Key.text(
            group,
            "notify.url",
            "",
            "a URL that gets the result of a recalibration by POST; if it fails the run goes on"));
    keys.add(
        Key.text(
            group,
            "notify.openlineage",
            "",
            "a file that the run event of a recalibration is written to, in OpenLineage's JSON"));
    keys.add(
        Key.text(
            Group.FILES,
            "registry.mlflow.url",
            "",
            "an MLflow tracking server: each output with a model that is published becomes a run"
                + " there; if that fails the output stays"));
    keys.add(
        Key.text(
            Group.FILES, "registry.mlflow.experiment", "tare", "the experiment of these runs"));
    keys.add(
        Key.text(
                Group.FILES,
                "registry.mlflow.model",
                "",
                "the registered model that each of them is a new version of")
            .absent("none"));
  }

  private static void train(List<Key> keys) {
    Group group = Group.TRAIN;
    keys.add(
        Key.number(group, "train.epochs", "2", 0, 10_000, "how often every row is trained on"));
    keys.add(
        Key.number(
            group,
            "train.learning-rate",
            "0.001",
            0,
            1000,
            "the greatest; it rises for a tenth of the steps, then falls to 0 as half a cosine"));
    keys.add(Key.whole(group, "train.batch", "64", 1, 1 << 20, "rows of a step of one worker"));
    keys.add(
        Key.whole(
            group,
            "train.workers",
            "1",
            1,
            10_000,
            "into how many shards the rows go: so many tasks train at once, with fewer steps each;"
                + " it changes the result, the cluster does not"));
    keys.add(
        Key.whole(
            group,
            "train.round-steps",
            "25",
            1,
            1 << 20,
            "steps that each worker takes before the mean of their weights is taken"));
    keys.add(
        Key.choice(
            group,
            "train.loss",
            "mse",
            List.of("mse", "kl"),
            "what brings the quantized model near the float one: mse the squared error over the"
                + " mean square, kl the divergence of the softmaxes"));
    keys.add(
        Key.text(
            group,
            "train.label",
            "",
            "the column of class numbers in the data, to train on these too"));
    keys.add(
        Key.number(
            group,
            "train.label-share",
            "0.5",
            0,
            1,
            "the weight of the labels' cross entropy beside the float model; 1 for labels alone"));
    keys.add(
        Key.choice(
            group, "train.optimizer", "adam", List.of("adam", "sgd"), "what changes the weights"));
    keys.add(
        Key.number(
            group,
            "train.weight-decay",
            "0",
            0,
            1000,
            "what weights shrink by in a step, times the learning rate"));
    keys.add(
        Key.number(
            group,
            "train.clip-norm",
            "1",
            0,
            1e30,
            "the greatest norm of all gradients of a step together; 0 for none"));
    keys.add(Key.whole(group, "train.seed", "0", 0, Integer.MAX_VALUE, "of the order of the rows"));
    keys.add(
        Key.choice(
            group,
            "train.scales",
            "fixed",
            List.of("fixed", "observed", "learned"),
            "fixed: as calibration chose them; observed: those of activations follow moving"
                + " averages of their values; learned: trained with the weights"));
    keys.add(
        Key.choice(
            group,
            "train.zero-points",
            "fixed",
            List.of("fixed", "learned"),
            "learned: those of activations are trained with learned scales; symmetric ones stay"));
    keys.add(
        Key.whole(
            group,
            "train.freeze-observers-after",
            "0",
            0,
            Integer.MAX_VALUE,
            "after how many steps observed scales stay as they are; 0 for half of all steps"));
    keys.add(
        Key.choice(
            group,
            "train.batch-normalization",
            "folded",
            List.of("folded", "trained"),
            "folded: part of weights and biases; trained: kept in training, with the statistics of"
                + " batches, and folded into what is written"));
    keys.add(
        Key.whole(
            group,
            "train.freeze-batch-normalization-after",
            "0",
            0,
            Integer.MAX_VALUE,
            "after how many steps its statistics stay as they are; 0 for half of all steps"));
    keys.add(
        Key.flag(
            group,
            "train.freeze-before-untrainable",
            false,
            "where a node cannot be trained through: it and all that it depends on stay as they"
                + " are, in float32 while the rest is trained; off, such a model is refused"));
    keys.add(
        Key.whole(
            group,
            "train.evaluate-every",
            "1",
            1,
            1 << 20,
            "after how many rounds the quantized model is measured"));
    keys.add(
        Key.whole(
            group,
            "train.measure-rows",
            "1024",
            1,
            1 << 30,
            "rows to measure it on: of the validation data, or else of the data"));
    keys.add(
        Key.text(
            group,
            "train.checkpoint",
            "",
            "a file that training writes its state to after each round; if it is there, training"
                + " goes on from it"));
  }

  private static void run(List<Key> keys) {
    Group group = Group.RUN;
    keys.add(
        Key.flag(
            group,
            "dry-run",
            false,
            "check everything and print what would be done; compute and write nothing"));
    keys.add(
        Key.flag(
            group,
            "merge.duplicates",
            false,
            "merge states of the same data, which is then counted twice"));
    keys.add(
        Key.flag(
            group,
            "demo.drift",
            false,
            "of the command demo: play seven days, the last of which differ from the first"));
    keys.add(Key.flag(group, "json", false, "print the result as JSON alone"));
    keys.add(Key.flag(group, "verbose", false, "show Spark's log, and stack traces"));
  }

  /** Every key, in the order of the page. */
  public static List<Key> list() {
    return List.copyOf(ALL.values());
  }

  /** The key of a name; of {@code inputs.image.column} that of {@code inputs.NAME.column}. */
  public static Optional<Key> find(String name) {
    int dot = name.lastIndexOf('.');
    boolean isInput = name.startsWith(INPUTS) && dot > INPUTS.length();
    String general = isInput ? NAMED + name.substring(dot + 1) : name;
    return Optional.ofNullable(ALL.get(general)).filter(key -> !name.startsWith(NAMED));
  }

  static boolean isFree(String name) {
    return FREE_PREFIXES.stream()
        .anyMatch(prefix -> name.startsWith(prefix) && name.length() > prefix.length());
  }

  /** The error of a name that is no key, with the nearest that is. */
  static TareException unknown(String name, String origin) {
    int dot = name.lastIndexOf('.');
    boolean isInput = name.startsWith(INPUTS) && dot > INPUTS.length();
    List<String> candidates =
        ALL.keySet().stream()
            .filter(key -> key.startsWith(NAMED) == isInput)
            .map(key -> isInput ? name.substring(0, dot + 1) + key.substring(NAMED.length()) : key)
            .toList();
    return TareException.usage(
        "Unknown key \"%s\" (%s): did you mean \"%s\"?",
        name, origin, Spelling.nearest(name, candidates));
  }
}
