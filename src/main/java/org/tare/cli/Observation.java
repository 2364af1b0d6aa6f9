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
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.spark.sql.SparkSession;
import org.tare.TareException;
import org.tare.qconfig.torch.ObserverConfig;
import org.tare.qconfig.torch.ObserverKind;
import org.tare.qconfig.torch.TorchObserver;
import org.tare.quant.DType;
import org.tare.quant.DynamicQParams;
import org.tare.quant.QParams;
import org.tare.quant.QParamsRule;
import org.tare.quant.QScheme;
import org.tare.quant.QuantSpec;
import org.tare.quant.TorchQParams;
import org.tare.range.Range;
import org.tare.range.RangeChoice;
import org.tare.range.RangeMethod;
import org.tare.range.RangeSearch;
import org.tare.range.torch.TorchHistogram;
import org.tare.range.torch.TorchVersion;
import org.tare.spark.DataSource;
import org.tare.spark.ObserveJob;
import org.tare.stats.CalibrationState;
import org.tare.stats.ChannelStats;
import org.tare.stats.MovingAverage;
import org.tare.stats.TensorStats;
import org.tare.store.HadoopFiles;
import org.tare.store.OutputFolder;

/** The command {@code observe}: qparams of the columns of a table, without a model. */
final class Observation {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int RECORDED = 1 << 16;
  private static final int SHOWN_VALUES = 8;

  private final Settings settings;
  private final PrintStream out = System.out;
  private final PrintStream err = System.err;

  Observation(Settings settings) {
    this.settings = settings;
  }

  /** A line of the result. */
  private record Line(String slice, String column, ObjectNode node, List<String> cells) {}

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
      List<Line> lines = new ArrayList<>();
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
                            lines.add(line(slice, column, stats, observer, method, spec, scheme))));
        result
            .slices()
            .forEach(
                (slice, tensors) ->
                    written.put(
                        slice.isEmpty() ? CalibrationState.FILE_NAME : "slices/" + slice + ".tare",
                        new CalibrationState("", slice, result.rows().get(slice), tensors)
                            .encode()));
      }
      ObjectNode json = json(observer, spec, scheme, lines);
      if (!settings.flag("observe.json")) {
        print(observer, lines);
        out.println();
      }
      out.println(json.toPrettyString());
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
  private List<Line> inOrder(
      SparkSession spark, ObserveJob.Request request, String observer, QuantSpec spec) {
    List<Line> lines = new ArrayList<>();
    if (observer.equals("placeholder")) {
      Map<String, Integer> batches = new TreeMap<>();
      ObserveJob.inOrder(
          spark,
          request,
          (column, values) -> {
            int batch = batches.merge(column, 1, Integer::sum) - 1;
            lines.add(dynamic(column, values, spec, batch));
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
    observers.forEach(
        (column, one) -> {
          TorchQParams q = one.qparams().get(0);
          ObjectNode node = node("", column, observer);
          node.put("scale", q.scale());
          node.put("zero_point", (long) q.zeroPoint());
          node.put("min", one.min()[0]);
          node.put("max", one.max()[0]);
          lines.add(
              new Line(
                  "",
                  column,
                  node,
                  cells(q.scale(), (long) q.zeroPoint(), one.min()[0], one.max()[0], observer)));
        });
    return lines;
  }

  private static Line dynamic(String column, float[] values, QuantSpec spec, int number) {
    TensorStats.Extremes extremes = TensorStats.Extremes.of(values);
    if (!(extremes.min() <= extremes.max())) {
      throw TareException.badInput(
          "Cannot choose qparams of a batch of column \"%s\": it holds no finite value", column);
    }
    DynamicQParams q =
        DynamicQParams.choose(extremes.min(), extremes.max(), spec.quantMin(), spec.quantMax());
    ObjectNode node = node("", column, "placeholder");
    node.put("batch", number);
    node.put("scale", q.scale());
    node.put("zero_point", q.zeroPoint());
    node.put("min", extremes.min());
    node.put("max", extremes.max());
    return new Line(
        "",
        column,
        node,
        cells((float) q.scale(), q.zeroPoint(), extremes.min(), extremes.max(), "batch " + number));
  }

  private static Line line(
      String slice,
      String column,
      TensorStats stats,
      String observer,
      RangeMethod method,
      QuantSpec spec,
      QScheme scheme) {
    ObjectNode node = node(slice, column, observer);
    node.put("values", stats.count());
    node.put("nans", stats.nans());
    node.put("infinities", stats.positiveInfinities() + stats.negativeInfinities());
    if (stats.recording().isPresent()) {
      int kept = stats.recording().get().batches().stream().mapToInt(b -> b.length).sum();
      node.put("recorded", kept);
      ArrayNode first = node.putArray("first");
      stats.recording().get().batches().stream()
          .flatMap(
              batch -> java.util.stream.IntStream.range(0, batch.length).mapToObj(i -> batch[i]))
          .limit(SHOWN_VALUES)
          .forEach(first::add);
    }
    if (stats.finiteCount() == 0) {
      return withoutValues(slice, column, node);
    }
    if (scheme.isPerChannel()) {
      return perChannel(slice, column, stats, node, spec, scheme);
    }
    boolean isLiteral = method instanceof RangeMethod.MinMax;
    RangeChoice choice =
        isLiteral
            ? RangeSearch.extremes(column, stats, spec)
            : RangeSearch.choose(column, stats, method, spec);
    QParams q = spec.qparams(choice.range().min(), choice.range().max());
    node.put("method", choice.method());
    node.put("scale", q.scale());
    node.put("zero_point", q.zeroPoint());
    node.put("min", choice.range().min());
    node.put("max", choice.range().max());
    node.put("expected_mse", choice.expectedError());
    node.put("minmax_mse", choice.minMaxError());
    if (choice.masked() > 0) {
      node.put("masked", choice.masked());
    }
    return new Line(
        slice,
        column,
        node,
        cells(
            q.scale(),
            q.zeroPoint(),
            choice.range().min(),
            choice.range().max(),
            choice.masked() > 0
                ? choice.method() + ", " + choice.masked() + " masked"
                : choice.method()));
  }

  /** A column of nulls, NaN and infinities, or a slice of it, costs the others nothing. */
  private static Line withoutValues(String slice, String column, ObjectNode node) {
    for (String figure : List.of("scale", "zero_point", "min", "max")) {
      node.putNull(figure);
    }
    return new Line(
        slice, column, node, List.of("-", "-", "-", "-", "no finite value was observed"));
  }

  private static Line perChannel(
      String slice,
      String column,
      TensorStats stats,
      ObjectNode node,
      QuantSpec spec,
      QScheme scheme) {
    ArrayNode scales = node.putArray("scale");
    ArrayNode zeroPoints = node.putArray("zero_point");
    ArrayNode minima = node.putArray("min");
    ArrayNode maxima = node.putArray("max");
    int count =
        stats
            .channels()
            .map(ChannelStats::channels)
            .or(() -> stats.average().map(MovingAverage::channels))
            .orElseThrow(
                () -> TareException.badInput("Cannot observe column \"%s\": it is empty", column));
    float least = Float.POSITIVE_INFINITY;
    float greatest = Float.NEGATIVE_INFINITY;
    for (int c = 0; c < count; c++) {
      Range range = channelRange(column, stats, c);
      least = Math.min(least, range.min());
      greatest = Math.max(greatest, range.max());
      minima.add(range.min());
      maxima.add(range.max());
      if (scheme == QScheme.PER_CHANNEL_AFFINE_FLOAT_QPARAMS) {
        TorchQParams q = TorchQParams.ofFloatZeroPoint(range.min(), range.max(), spec);
        scales.add(q.scale());
        zeroPoints.add((float) q.zeroPoint());
      } else {
        QParams q = spec.qparams(range.min(), range.max());
        scales.add(q.scale());
        zeroPoints.add(q.zeroPoint());
      }
    }
    return new Line(
        slice,
        column,
        node,
        List.of(
            count + " channels",
            "",
            String.format(Locale.ROOT, "%.6g", least),
            String.format(Locale.ROOT, "%.6g", greatest),
            stats.channels().isPresent() ? "minmax" : "moving-average"));
  }

  private static Range channelRange(String column, TensorStats stats, int c) {
    if (stats.channels().isEmpty()) {
      MovingAverage average = stats.average().orElseThrow();
      return new Range(Math.min(average.min(c), average.max(c)), average.max(c));
    }
    ChannelStats channels = stats.channels().get();
    if (channels.finiteCount(c) == 0) {
      throw TareException.badInput(
          "Cannot choose a range for channel %d of column \"%s\": no finite value was observed",
          c, column);
    }
    return new Range(channels.min(c), channels.max(c));
  }

  private static ObjectNode node(String slice, String column, String observer) {
    ObjectNode node = JSON.createObjectNode();
    if (!slice.isEmpty()) {
      node.put("slice", slice);
    }
    node.put("column", column);
    node.put("observer", observer);
    return node;
  }

  private static List<String> cells(
      float scale, long zeroPoint, float min, float max, String method) {
    return List.of(
        String.format(Locale.ROOT, "%.9g", scale),
        Long.toString(zeroPoint),
        String.format(Locale.ROOT, "%.6g", min),
        String.format(Locale.ROOT, "%.6g", max),
        method);
  }

  private static ObjectNode json(
      String observer, QuantSpec spec, QScheme scheme, List<Line> lines) {
    ObjectNode root = JSON.createObjectNode();
    root.put("schema", 1);
    root.put("command", "observe");
    root.put("tare", Tare.version());
    root.put("observer", observer);
    root.put("dtype", spec.dtype().id());
    root.put("scheme", scheme.id());
    root.put("rule", spec.rule().id());
    root.put("quant_min", spec.quantMin());
    root.put("quant_max", spec.quantMax());
    ArrayNode list = root.putArray("qparams");
    lines.forEach(line -> list.add(line.node()));
    return root;
  }

  private void print(String observer, List<Line> lines) {
    boolean hasSlices = lines.stream().anyMatch(line -> !line.slice().isEmpty());
    List<List<String>> table = new ArrayList<>();
    List<String> head = new ArrayList<>(List.of("column", "scale", "zero_point", "min", "max"));
    head.add(observer.equals("placeholder") ? "of" : "method");
    if (hasSlices) {
      head.add(0, "slice");
    }
    table.add(head);
    for (Line line : lines) {
      List<String> row = new ArrayList<>(List.of(line.column()));
      row.addAll(line.cells());
      if (hasSlices) {
        row.add(0, line.slice());
      }
      table.add(row);
    }
    out.print(TextTable.of(table));
  }
}
