package org.tare.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import org.tare.PrintableText;
import org.tare.TareException;
import org.tare.qconfig.torch.ObserverConfig;
import org.tare.qconfig.torch.ObserverKind;
import org.tare.qconfig.torch.TorchObserver;
import org.tare.quant.DType;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.range.RangeMethod;
import org.tare.range.torch.TorchHistogram;
import org.tare.range.torch.TorchVersion;
import org.tare.spark.DataSource;
import org.tare.spark.ObserveJob;
import org.tare.stats.CalibrationState;
import org.tare.stats.MovingAverage;
import org.tare.store.HadoopFiles;
import org.tare.store.OutputFolder;

/** The command {@code observe}: qparams of the columns of a table, without a model. */
final class Observation {
  private static final int RECORDED = 1 << 16;

  private final Settings settings;
  private final PrintStream out = System.out;
  private final PrintStream err = System.err;

  Observation(Settings settings) {
    this.settings = settings;
  }

  void run() {
    DataSource data =
        settings
            .source("data")
            .orElseThrow(
                () -> TareException.usage("Missing the table: give its path, --table or --query"));
    List<String> columns = settings.texts("observe.column");
    if (columns.isEmpty()) {
      throw TareException.usage("Missing the columns: give --column NAME[,NAME]");
    }
    String observer = settings.find("observe.observer").orElse("histogram");
    QScheme scheme = scheme(observer);
    QuantSpec spec = spec(observer, scheme);
    checkSlices(observer);
    RangeMethod method = method(observer);
    boolean isTorch = observer.startsWith("torch-");
    ObserveJob.Request request =
        new ObserveJob.Request(
            data,
            new ObserveJob.Columns(
                columns,
                isTorch ? ObserveJob.Part.STATS : part(observer),
                settings.batch(),
                constant(),
                RECORDED),
            settings.texts("calibrate.by"));
    if (settings.flag("dry-run")) {
      settings
          .effective()
          .forEach(one -> out.printf("%-32s %-28s %s%n", one.key(), one.value(), one.origin()));
      return;
    }
    SparkSession spark = Sessions.start(settings.flag("verbose"));
    try {
      HadoopFiles files = new HadoopFiles(spark.sparkContext().hadoopConfiguration());
      Optional<OutputFolder> folder =
          settings
              .find("output")
              .map(name -> OutputFolder.check(files, name, settings.flag("overwrite")));
      List<QParamsLine> lines = new ArrayList<>();
      Map<String, byte[]> written = new LinkedHashMap<>();
      if (isTorch || observer.equals("placeholder")) {
        lines.addAll(inOrder(spark, request, observer, spec));
      } else {
        ObserveJob.Result result = ObserveJob.run(spark, request, err::println);
        result
            .slices()
            .forEach(
                (slice, tensors) ->
                    tensors.forEach(
                        (column, stats) ->
                            lines.add(
                                QParamsLine.of(
                                    slice, column, stats, observer, method, spec, scheme))));
        result
            .slices()
            .forEach(
                (slice, tensors) ->
                    written.put(
                        slice.isEmpty() ? CalibrationState.FILE_NAME : "slices/" + slice + ".tare",
                        new CalibrationState("", slice, result.rows().get(slice), tensors)
                            .encode()));
      }
      ObjectNode json = QParamsLine.json(observer, spec, scheme, lines);
      if (!settings.flag("observe.json")) {
        out.println(QParamsLine.table(observer, lines));
      }
      out.println(PrintableText.ofLines(json.toPrettyString()));
      folder.ifPresent(
          place -> {
            written.put(
                "result.json", (json.toPrettyString() + "\n").getBytes(StandardCharsets.UTF_8));
            place.publish(written);
          });
    } finally {
      spark.stop();
    }
  }

  private float constant() {
    float constant = (float) settings.number("observe.averaging-constant");
    MovingAverage.checkConstant(constant);
    return constant;
  }

  private QScheme scheme(String observer) {
    boolean isPerChannel = observer.startsWith("per-channel");
    QScheme scheme =
        QScheme.of(
            settings
                .find("observe.scheme")
                .orElse(isPerChannel ? "per_channel_affine" : "per_tensor_affine"));
    if (scheme.isPerChannel() != isPerChannel) {
      throw settings.wrong(
          "observe.scheme",
          scheme.id(),
          isPerChannel
              ? "one per channel with the observer " + observer
              : "one per tensor with the observer " + observer);
    }
    return scheme;
  }

  private void checkSlices(String observer) {
    boolean isOrdered = observer.endsWith("moving-average") || observer.equals("recording");
    List<String> by = settings.texts("calibrate.by");
    if (isOrdered && !by.isEmpty()) {
      throw TareException.usage(
          "--by cannot be %s with the observer %s: the rows of a slice have no order",
          String.join(",", by), observer);
    }
  }

  private QuantSpec spec(String observer, QScheme scheme) {
    String dtype = settings.find("observe.dtype").orElse("quint8");
    boolean isTorch = observer.startsWith("torch-");
    QParamsRule rule =
        settings
            .find("observe.rule")
            .map(QParamsRule::of)
            .orElse(
                isTorch || dtype.startsWith("q") ? QParamsRule.PYTORCH : QParamsRule.ONNXRUNTIME);
    if (isTorch && rule != QParamsRule.PYTORCH) {
      throw settings.wrong("observe.rule", rule.id(), "pytorch with the observer " + observer);
    }
    return rule.spec(DType.of(dtype), scheme.isSymmetric(), settings.flag("observe.reduce-range"));
  }

  private RangeMethod method(String observer) {
    Optional<String> given = settings.find("observe.method");
    if (given.isPresent() && !observer.equals("histogram")) {
      throw settings.wrong(
          "observe.method", given.get(), "left out: only the observer histogram takes a method");
    }
    if (given.map(RangeMethod::parse).orElse(null) instanceof RangeMethod.MovingAverageMinMax) {
      throw settings.wrong(
          "observe.method", given.get(), "another one; moving-average is an observer");
    }
    return switch (observer) {
      case "minmax", "recording" -> new RangeMethod.MinMax();
      case "moving-average" -> new RangeMethod.MovingAverageMinMax(constant());
      default -> given.map(RangeMethod::parse).orElse(new RangeMethod.Mse());
    };
  }

  private ObserveJob.Part part(String observer) {
    return switch (observer) {
      case "histogram", "minmax", "placeholder" -> ObserveJob.Part.STATS;
      case "moving-average" -> ObserveJob.Part.MOVING_AVERAGE;
      case "per-channel-minmax" -> ObserveJob.Part.CHANNELS;
      case "per-channel-moving-average" -> ObserveJob.Part.CHANNEL_MOVING_AVERAGE;
      case "recording" -> ObserveJob.Part.RECORDING;
      default ->
          throw settings.wrong(
              "observe.observer",
              observer,
              "one of histogram, minmax, moving-average, per-channel-minmax,"
                  + " per-channel-moving-average, recording, placeholder, torch-1.13, torch-2.0,"
                  + " torch-2.5");
    };
  }

  /** The observers that see all batches in one order, on the driver. */
  private List<QParamsLine> inOrder(
      SparkSession spark, ObserveJob.Request request, String observer, QuantSpec spec) {
    List<QParamsLine> lines = new ArrayList<>();
    if (observer.equals("placeholder")) {
      Map<String, Integer> batches = new TreeMap<>();
      ObserveJob.inOrder(
          spark,
          request,
          (column, values) -> {
            int batch = batches.merge(column, 1, Integer::sum) - 1;
            lines.add(QParamsLine.ofBatch(column, values, spec, batch));
          });
      return lines;
    }
    ObserverConfig config =
        ObserverConfig.of(ObserverKind.HISTOGRAM)
            .with(
                spec.dtype(),
                spec.symmetric() ? QScheme.PER_TENSOR_SYMMETRIC : QScheme.PER_TENSOR_AFFINE)
            .withHistogram(
                TorchVersion.of(observer),
                TorchHistogram.DEFAULT_BINS,
                TorchHistogram.DEFAULT_UPSAMPLE_RATE);
    ObserverConfig reduced =
        settings.flag("observe.reduce-range") ? config.withReducedRange() : config;
    SortedMap<String, TorchObserver> observers = new TreeMap<>();
    request
        .observed()
        .columns()
        .forEach(column -> observers.put(column, new TorchObserver(reduced)));
    ObserveJob.inOrder(
        spark, request, (column, values) -> observers.get(column).observe(values, values.length));
    observers.forEach((column, one) -> lines.add(QParamsLine.ofTorch(column, observer, one)));
    return lines;
  }
}
