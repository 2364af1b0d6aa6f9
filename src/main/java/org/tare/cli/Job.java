package org.tare.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.graph.FatalNodes;
import org.tare.graph.FloatPasses;
import org.tare.graph.ModelFile;
import org.tare.graph.OnnxModel;
import org.tare.graph.Quantization;
import org.tare.graph.QuantizedModel;
import org.tare.graph.SmoothQuant;
import org.tare.graph.TensorType;
import org.tare.infer.TensorTypes;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.report.HtmlReport;
import org.tare.report.ReportData;
import org.tare.spark.CalibrationJob;
import org.tare.spark.DataSource;
import org.tare.spark.EvaluationJob;
import org.tare.stats.CalibrationState;
import org.tare.store.HadoopFiles;
import org.tare.store.OutputFolder;

/**
 * Carries out one command: reads, runs the jobs, writes the output folder and tells about it.
 * Progress goes to standard error, the summary to standard output.
 */
final class Job implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Settings settings;
  private final Exports exports;
  private final PrintStream out = System.out;
  private final PrintStream err = System.err;
  private final Map<String, Double> seconds = new LinkedHashMap<>();
  private final List<String> warnings = new ArrayList<>();
  private final long started = System.nanoTime();
  private SparkSession spark;

  Job(Settings settings) {
    this.settings = settings;
    this.exports = Exports.of(settings);
  }

  /** Calibrates, quantizes, evaluates. */
  void run() {
    FloatModel model = readModel();
    Optional<DataSource> data =
        model.plan().isPresent() ? Optional.of(data()) : settings.source("data");
    Optional<DataSource> validation = settings.source("validation");
    if (settings.flag("dry-run")) {
      DryRun.print(settings, model, out);
      return;
    }
    OutputFolder output = output();
    Optional<CalibrationJob.Result> calibration =
        data.filter(table -> Calibration.isUseful(settings, model))
            .map(table -> calibrate(model, table));
    Optional<CalibrationState> state = calibration.map(CalibrationJob.Result::state);
    Corrections.Chosen chosen = correct(model, state, data);
    QuantizedModel quantized = quantize(chosen.model(), state);
    Optional<EvaluationJob.Result> evaluation =
        validation.map(table -> evaluate(model, quantized.model(), table));
    List<ModelFile> onnx = quantized.model().files("model.onnx");
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("qparams.json", json(Results.qparams(quantized)));
    files.putAll(exports.files(quantized));
    ObjectNode result = result("run", model);
    calibration.ifPresent(
        observed -> {
          putStates(files, observed);
          Results.addCalibration(result, observed);
        });
    Results.addQuantized(result, quantized, sizeBytes(onnx));
    Results.addCorrections(result, chosen);
    evaluation.ifPresent(found -> Results.addEvaluation(result, found));
    List<ReportData.Fact> summary = Results.summary(result);
    files.put("report.html", report(chosen.model(), quantized, state, summary));
    publish(output, files, onnx, result);
    print(summary, output.toString());
  }

  /** Writes the state alone. */
  void calibrateOnly() {
    FloatModel model = readModel();
    if (!Calibration.isUseful(settings, model)) {
      throw TareException.usage(
          "Nothing to calibrate: the mode %s needs no data%s",
          model.mapping().mode().id(),
          model.mapping().mode() == Mode.DYNAMIC ? " for this model and these settings" : "");
    }
    DataSource data = data();
    if (settings.flag("dry-run")) {
      DryRun.print(settings, model, out);
      return;
    }
    OutputFolder output = output();
    CalibrationJob.Result calibration = calibrate(model, data);
    ObjectNode result = result("calibrate", model);
    Results.addCalibration(result, calibration);
    Map<String, byte[]> files = new LinkedHashMap<>();
    putStates(files, calibration);
    publish(output, files, List.of(), result);
    print(Results.summary(result), output.toString());
  }

  private static void putStates(Map<String, byte[]> files, CalibrationJob.Result calibration) {
    files.put(CalibrationState.FILE_NAME, calibration.state().encode());
    calibration
        .slices()
        .forEach((slice, state) -> files.put("slices/" + slice + ".tare", state.encode()));
  }

  /** Writes the model of a state; Spark is not started. */
  void quantizeOnly() {
    FloatModel model = readModel();
    Optional<String> file =
        model.plan().isPresent() ? Optional.of(settings.require("state")) : settings.find("state");
    if (settings.flag("dry-run")) {
      DryRun.print(settings, model, out);
      return;
    }
    Optional<CalibrationState> state = file.map(name -> readState(model, name));
    OutputFolder output = output();
    state.map(Warnings::ofNonFinite).ifPresent(warnings::addAll);
    state.flatMap(observed -> Warnings.ofMissingMeans(model, observed)).ifPresent(warnings::add);
    Corrections.Chosen chosen = correct(model, state, Optional.empty());
    QuantizedModel quantized = quantize(chosen.model(), state);
    List<ModelFile> onnx = quantized.model().files("model.onnx");
    ObjectNode result = result("quantize", model);
    Results.addQuantized(result, quantized, sizeBytes(onnx));
    Results.addCorrections(result, chosen);
    List<ReportData.Fact> summary = Results.summary(result);
    Map<String, byte[]> files = new LinkedHashMap<>();
    files.put("qparams.json", json(Results.qparams(quantized)));
    files.putAll(exports.files(quantized));
    files.put("report.html", report(chosen.model(), quantized, state, summary));
    publish(output, files, onnx, result);
    print(summary, output.toString());
  }

  private CalibrationState readState(FloatModel model, String file) {
    CalibrationState state = CalibrationState.decode(files().read("calibration state", file), file);
    if (!state.modelDigest().equals(model.prepared().digest())) {
      throw TareException.badInput(
          "Cannot quantize %s: the state %s was made with another model (SHA-256 %s, this one has"
              + " %s)",
          model.name(), file, state.modelDigest(), model.prepared().digest());
    }
    return state;
  }

  /** Compares two models; writes an output folder if one is given. */
  void evaluateOnly() {
    String name = settings.require("model");
    OnnxModel model = read(name);
    OnnxModel quantized = read(settings.require("quantized"));
    Map<String, TensorType> types = TensorTypes.of(model, fileName(name));
    DataSource table =
        settings
            .source("validation")
            .or(() -> settings.source("data"))
            .orElseThrow(
                () ->
                    TareException.usage("Missing the rows to evaluate on: give --validation PATH"));
    Optional<OutputFolder> output = settings.find("output").map(folder -> output());
    FloatModel floatModel =
        new FloatModel(fileName(name), model, model, types, null, Optional.empty());
    if (settings.flag("dry-run")) {
      DryRun.printSettings(settings, out);
      return;
    }
    EvaluationJob.Result evaluation = evaluate(floatModel, quantized, table);
    ObjectNode result = result("evaluate", floatModel);
    Results.addEvaluation(result, evaluation);
    output.ifPresent(folder -> publish(folder, new LinkedHashMap<>(), List.of(), result));
    print(Results.summary(result), output.map(OutputFolder::toString).orElse(""));
  }

  private FloatModel readModel() {
    String file = settings.require("model");
    String name = fileName(file);
    OnnxModel original = read(file);
    OnnxModel prepared =
        FloatPasses.prepare(
            original,
            new FloatPasses.Options(
                settings.flag("prepare.equalize"),
                settings.flag("prepare.absorb-bias"),
                settings.flag("prepare.relu-for-relu6")),
            older -> TensorTypes.of(older, name));
    Map<String, TensorType> types = TensorTypes.of(prepared, name);
    QConfigMapping mapping = QuantizeSettings.of(settings);
    return FloatModel.of(name, original, prepared, types, mapping);
  }

  private OnnxModel read(String file) {
    OnnxModel model = files().withLocal("model", file, OnnxModel::dataFiles, OnnxModel::read);
    FatalNodes.check(model);
    return model;
  }

  private static String fileName(String file) {
    return file.substring(file.lastIndexOf('/') + 1);
  }

  private DataSource data() {
    return settings
        .source("data")
        .orElseThrow(
            () ->
                TareException.usage(
                    "Missing the rows to calibrate on: give --data PATH, --table or --query"));
  }

  private HadoopFiles files() {
    return new HadoopFiles(
        spark == null ? new Configuration() : spark.sparkContext().hadoopConfiguration());
  }

  private OutputFolder output() {
    return OutputFolder.check(files(), settings.require("output"), settings.flag("overwrite"));
  }

  private SparkSide side() {
    return new SparkSide(settings, this::spark, err::println);
  }

  private SparkSession spark() {
    if (spark == null) {
      spark =
          Sessions.start("Tare " + fileName(settings.require("model")), settings.flag("verbose"));
    }
    return spark;
  }

  private CalibrationJob.Result calibrate(FloatModel model, DataSource data) {
    CalibrationJob.Result result = new Calibration(side()).run(model, data);
    seconds.put("calibrate", result.seconds());
    warnings.addAll(Warnings.ofNonFinite(result.state()));
    return result;
  }

  /** The model with the corrections that it gets, measured on the data if there are any. */
  private Corrections.Chosen correct(
      FloatModel model, Optional<CalibrationState> state, Optional<DataSource> data) {
    SmoothQuant.Result none = new SmoothQuant.Result(model.prepared(), model.types(), List.of());
    SmoothQuant.Result smoothed =
        state
            .filter(observed -> Calibration.isSmoothed(settings, model))
            .map(observed -> smooth(model, observed))
            .orElse(none);
    long begun = System.nanoTime();
    Corrections.Chosen chosen =
        Corrections.choose(
            side(),
            (candidate, form) -> quantized(candidate, state, form).model(),
            model,
            smoothed,
            data);
    chosen.warning().ifPresent(warnings::add);
    if (!chosen.trials().isEmpty()) {
      seconds.put("correct", (System.nanoTime() - begun) / 1e9);
    }
    return chosen;
  }

  private SmoothQuant.Result smooth(FloatModel model, CalibrationState state) {
    SmoothQuant.Result smoothed =
        SmoothQuant.apply(model.prepared(), model.types(), model.mapping(), state);
    if (model.plan().isPresent() && !state.tensors().keySet().containsAll(smoothed.smoothed())) {
      warnings.add(
          "SmoothQuant is left out: the state was made without it, or is the sum of states with"
              + " other factors; calibrate again for it");
      return new SmoothQuant.Result(model.prepared(), model.types(), List.of());
    }
    return smoothed;
  }

  private QuantizedModel quantize(FloatModel model, Optional<CalibrationState> state) {
    long begun = System.nanoTime();
    QuantizedModel quantized = quantized(model, state, QuantizeSettings.form(settings));
    quantized
        .model()
        .metadata()
        .put(FloatNodeNotes.KEY, FloatNodeNotes.encode(quantized.floatNodes()));
    Warnings.ofWiderWeights(model, quantized).ifPresent(warnings::add);
    if (settings.flag("quantize.declare-shapes")) {
      Quantization.declareShapes(quantized, model.prepared(), model.types());
    }
    if (settings.flag("quantize.float16")) {
      Quantization.storeAsHalf(quantized);
    }
    // What the runtime does not load is not published.
    TensorTypes.check(quantized.model(), "quantized " + model.name());
    seconds.put("quantize", (System.nanoTime() - begun) / 1e9);
    return quantized;
  }

  private static QuantizedModel quantized(
      FloatModel model, Optional<CalibrationState> state, Quantization.Form form) {
    Map<String, String> metadata = new LinkedHashMap<>();
    metadata.put("tare.version", Tare.version());
    metadata.put("tare.float_model.sha256", model.original().digest());
    state.ifPresent(observed -> metadata.put("tare.state.sha256", observed.digest()));
    return Quantization.quantize(
        model.prepared(), model.types(), model.mapping(), form, state, metadata);
  }

  private EvaluationJob.Result evaluate(
      FloatModel model, OnnxModel quantized, DataSource validation) {
    EvaluationJob.Result result =
        EvaluationJob.run(
            spark(),
            new EvaluationJob.Request(
                model.name(),
                model.original(),
                quantized,
                model.types(),
                validation,
                settings.find("validation.label"),
                settings.mask(model.original().graph().inputNames()),
                settings.inputs(),
                settings.batch(),
                settings.badRows()),
            err::println);
    seconds.put("evaluate", result.seconds());
    warnings.addAll(Warnings.ofOutputs(result));
    return result;
  }

  private ObjectNode result(String command, FloatModel model) {
    ObjectNode result = JSON.createObjectNode();
    result.put("schema", 1);
    result.put("command", command);
    result.put("tare", Tare.version());
    if (spark != null) {
      result.put("spark", spark.version());
    }
    result.put("java", Runtime.version().toString());
    ObjectNode node = result.putObject("model");
    node.put("name", model.name());
    node.put("sha256", model.original().digest());
    node.put("bytes", model.original().sizeBytes());
    return result;
  }

  private static long sizeBytes(List<ModelFile> files) {
    return files.stream().mapToLong(ModelFile::sizeBytes).sum();
  }

  private void publish(
      OutputFolder output, Map<String, byte[]> files, List<ModelFile> onnx, ObjectNode result) {
    ObjectNode timings = result.putObject("seconds");
    seconds.forEach(timings::put);
    timings.put("total", (System.nanoTime() - started) / 1e9);
    ArrayNode list = result.putArray("warnings");
    warnings.forEach(list::add);
    files.put("result.json", json(result));
    Map<String, OutputFolder.Content> streamed = new LinkedHashMap<>();
    onnx.forEach(file -> streamed.put(file.name(), file::writeTo));
    output.publish(files, streamed);
  }

  private byte[] report(
      FloatModel model,
      QuantizedModel quantized,
      Optional<CalibrationState> state,
      List<ReportData.Fact> summary) {
    List<ReportData.Tensor> tensors = new ArrayList<>();
    if (state.isPresent()) {
      for (String tensor : model.observed()) {
        tensors.add(
            new ReportData.Tensor(
                tensor, state.get().tensor(tensor), quantized.activations().get(tensor)));
      }
    }
    List<List<String>> floatNodes =
        quantized.floatNodes().stream()
            .map(node -> List.of(node.opType(), node.name(), node.reason()))
            .toList();
    return HtmlReport.render(
            new ReportData(
                "Quantization of " + model.name(), summary, tensors, floatNodes, warnings))
        .getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] json(ObjectNode node) {
    return (node.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8);
  }

  private void print(List<ReportData.Fact> summary, String output) {
    for (ReportData.Fact fact : summary) {
      out.printf(Locale.ROOT, "%-26s %s%n", fact.name(), fact.value());
    }
    warnings.forEach(warning -> err.println("warning: " + warning));
    if (!output.isEmpty()) {
      out.printf(Locale.ROOT, "%-26s %s%n", "Output", output);
    }
  }

  @Override
  public void close() {
    if (spark != null) {
      spark.stop();
    }
  }
}
