package org.tare.job.advice;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.TareException;
import org.tare.TareException.Kind;
import org.tare.job.CalibrationOptions;
import org.tare.job.CalibrationRun;
import org.tare.job.CorrectionOptions;
import org.tare.job.EvaluationRun;
import org.tare.job.FloatModel;
import org.tare.job.JobContext;
import org.tare.job.QuantizationRun;
import org.tare.job.QuantizeOptions;
import org.tare.job.advice.Advice.Measured;
import org.tare.job.advice.Advice.Step;
import org.tare.job.trials.Cost;
import org.tare.job.trials.Criterion;
import org.tare.job.trials.LayerType;
import org.tare.job.trials.Metric;
import org.tare.job.trials.MixRun;
import org.tare.onnx.ModelFile;
import org.tare.onnx.OnnxModel;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.KeptRows;
import org.tare.spark.tasks.EvaluationJob;
import org.tare.spark.tasks.Evaluations;
import org.tare.spark.tasks.ObservedParts.ChannelDetail;
import org.tare.spark.tasks.OutputMetrics;
import org.tare.spark.tasks.SqlEvaluation;
import org.tare.spark.tasks.SqlMetric;
import org.tare.stats.CalibrationState;

/**
 * Tries the ways to quantize a model on sample rows, the cheapest first, until one keeps the
 * target, or the time that is allowed is used up.
 */
public final class AdviceRun {
  /** Fewer rows say nothing. */
  private static final int FEWEST_ROWS = 32;

  /** How often the rows go through a model, about, until all ways but mixed types are tried. */
  private static final int PASSES = 12;

  /** Forms that a search measures besides those of one layer. */
  private static final int FORMS_OF_A_SEARCH = 30;

  /** A mixed model is worth it at this share of the float model's bytes at most. */
  private static final double WORTH_BYTES = 0.5;

  /** What a model, rows or the settings are to blame for: another way may do. */
  private static final Set<Kind> OF_THE_WAY =
      Set.of(Kind.USAGE, Kind.BAD_INPUT, Kind.NOTHING_TO_QUANTIZE);

  private final JobContext context;
  private final Options options;
  private final Map<Way, QuantizeOptions> ways;
  private final Map<Way, String> refused;
  private final Map<String, String> metadata;
  private final long begun = System.nanoTime();

  private FloatModel model;
  private Traits traits;
  private DataSource data;
  private DataSource judged;
  private Evaluations judgements;
  private Optional<String> label;
  private long rows;
  private Optional<Criterion> metric;

  /** The user's expression, if that is the metric. */
  private Optional<SqlMetric> own = Optional.empty();

  private double floatMetric = Double.NaN;
  private double evaluationSeconds;
  private Optional<CalibrationState> plainState = Optional.empty();
  private List<Map<String, Object>> overrides = List.of();

  /**
   * What is asked for.
   *
   * @param metric empty for top1 with labels, else agreement where an output ranks classes, else
   *     cosine
   * @param maxDrop how much of the metric may be lost
   * @param rows to measure on at most
   * @param budget after which no further way is begun
   */
  public record Options(Optional<Criterion> metric, double maxDrop, int rows, Duration budget) {}

  /**
   * @param ways how each quantizes
   * @param refused ways that the settings rule out, with why
   * @param metadata goes into models that are made
   */
  public AdviceRun(
      JobContext context,
      Options options,
      Map<Way, QuantizeOptions> ways,
      Map<Way, String> refused,
      Map<String, String> metadata) {
    // The share of bad rows is that of all rows; among few it may be greater.
    this.context =
        new JobContext(context.spark(), context.progress(), context.rows().withoutLimit());
    this.options = options;
    this.metric = options.metric();
    this.ways = new EnumMap<>(ways);
    this.refused = new EnumMap<>(refused);
    this.metadata = Map.copyOf(metadata);
  }

  /**
   * Tries the ways.
   *
   * @param model with the mapping of the static mode, if that is possible
   * @param data to calibrate on
   * @param judge to judge on
   * @param labels the column of class numbers among them
   */
  public Advice run(FloatModel model, DataSource data, DataSource judge, Optional<String> labels) {
    this.model = model;
    this.label = labels;
    this.traits = Traits.of(model);
    if (metric.isEmpty() && labels.isPresent()) {
      metric = Optional.of(new Criterion.Known(Metric.TOP1));
    }
    own = metric.flatMap(one -> one.sql(context, model, judge));
    int count = affordable(judge);
    try (KeptRows calibrating = kept(data, Optional.empty(), List.of(), count);
        KeptRows judging = toJudge(judge, count);
        Evaluations judgements =
            new EvaluationRun(context)
                .several(model.name(), model.original(), model.types(), judging.source(), label)) {
      this.data = calibrating.source();
      this.judged = judging.source();
      this.judgements = judgements;
      return tryAll();
    }
  }

  /** Of rows to judge on: with all that the metric reads. */
  private KeptRows toJudge(DataSource source, int count) {
    return kept(source, label, own.map(SqlMetric::columns).orElse(List.of()), count);
  }

  private KeptRows kept(DataSource source, Optional<String> labels, List<String> along, int count) {
    return KeptRows.of(
        context.spark().get(),
        model.name(),
        model.original(),
        model.types(),
        source,
        context.rows().inputs(),
        labels,
        along,
        count);
  }

  /** How many rows there is time for, by the time that the float model takes for a few. */
  private int affordable(DataSource judge) {
    int few = Math.min(FEWEST_ROWS, options.rows());
    try (KeptRows first = toJudge(judge, few)) {
      EvaluationJob.Result found = evaluate(model.original(), first.source());
      // A metric that the outputs do not have is wrong whatever the way.
      figure(found, first.source(), model.original());
      double seconds = found.seconds();
      double possible = budget() * few / (PASSES * Math.max(seconds, 1e-3));
      return (int) Math.max(few, Math.min(options.rows(), possible));
    }
  }

  private double budget() {
    return options.budget().toMillis() / 1e3;
  }

  private double spent() {
    return (System.nanoTime() - begun) / 1e9;
  }

  private Advice tryAll() {
    List<Step> tried = new ArrayList<>();
    Optional<Step> chosen = Optional.empty();
    for (Way way : Way.values()) {
      Step step = chosen.isPresent() ? notNeeded(way, chosen.get()) : step(way);
      tried.add(step);
      boolean isKept = step.measured().map(Measured::isMet).orElse(false) && isWorthIt(step);
      if (chosen.isEmpty() && isKept) {
        chosen = Optional.of(step);
      }
    }
    if (chosen.isEmpty()) {
      Comparator<Step> byDrop = Comparator.comparingDouble(step -> step.measured().get().drop());
      chosen =
          tried.stream()
              .filter(step -> step.measured().filter(one -> !Double.isNaN(one.drop())).isPresent())
              .min(byDrop);
    }
    boolean isMixed = chosen.filter(step -> step.way() == Way.MIXED).isPresent();
    return new Advice(
        traits,
        rows,
        metric.orElseGet(() -> new Criterion.Known(Metric.COSINE)),
        floatMetric,
        options.maxDrop(),
        tried,
        chosen,
        isMixed ? overrides : List.of(),
        spent());
  }

  /** Mixed types that leave most of the model in float gain nothing. */
  private boolean isWorthIt(Step step) {
    return step.way() != Way.MIXED || step.measured().get().bytes() <= WORTH_BYTES * traits.bytes();
  }

  private static Step notNeeded(Way way, Step chosen) {
    return new Step(
        way, Optional.empty(), "not needed: " + chosen.way().id() + " costs less and is enough");
  }

  private Step step(Way way) {
    Optional<String> obstacle =
        Optional.ofNullable(refused.get(way))
            .or(() -> ways.containsKey(way) ? traits.obstacle(way) : Optional.of("not asked for"));
    if (obstacle.isPresent()) {
      return new Step(way, Optional.empty(), "does not fit: " + obstacle.get());
    }
    if (spent() > budget()) {
      return new Step(
          way,
          Optional.empty(),
          String.format(
              Locale.ROOT,
              "not tried: %.0f s of the budget of %.0f s are spent",
              spent(),
              budget()));
    }
    try {
      context.progress().accept("Trying " + way.description());
      double from = spent();
      return way == Way.MIXED ? mixed(from) : measured(way, ways.get(way), from);
    } catch (TareException e) {
      if (!OF_THE_WAY.contains(e.kind())) {
        throw e;
      }
      return new Step(way, Optional.empty(), "not possible: " + e.getMessage());
    }
  }

  private Step measured(Way way, QuantizeOptions how, double from) {
    FloatModel planned = planned(how);
    QuantizationRun.Result made =
        new QuantizationRun(context, how, metadata)
            .run(planned, state(how, planned), Optional.of(data));
    EvaluationJob.Result found =
        new EvaluationRun(context).run(judgements, made.quantized().model());
    evaluationSeconds = found.seconds();
    rows = found.rows();
    SqlEvaluation.Figures figures = figure(found, judged, made.quantized().model());
    floatMetric = figures.floats();
    double figure = figures.quantized();
    double drop =
        metric.orElseThrow().isGreaterBetter() ? floatMetric - figure : figure - floatMetric;
    Measured measured =
        new Measured(
            figure,
            drop,
            Metric.SQNR.of(found.outputs()),
            bytes(made.quantized().model()),
            drop <= options.maxDrop(),
            spent() - from);
    return new Step(way, Optional.of(measured), verdict(way, measured));
  }

  /** Of the files that it is written as. */
  private static long bytes(OnnxModel made) {
    return made.files("model.onnx").stream().mapToLong(ModelFile::sizeBytes).sum();
  }

  private String verdict(Way way, Measured found) {
    if (!found.isMet()) {
      return String.format(
          Locale.ROOT, "loses %.4f, more than the %s allowed", found.drop(), options.maxDrop());
    }
    if (way == Way.MIXED && found.bytes() > WORTH_BYTES * traits.bytes()) {
      return String.format(
          Locale.ROOT,
          "keeps the target, with %.0f %% of the bytes: hardly quantized",
          100.0 * found.bytes() / traits.bytes());
    }
    return String.format(
        Locale.ROOT, "loses %.4f of the %s allowed", found.drop(), options.maxDrop());
  }

  /** The metric of a model that was evaluated on rows, and the float model's. */
  private SqlEvaluation.Figures figure(
      EvaluationJob.Result found, DataSource on, OnnxModel quantized) {
    if (own.isPresent()) {
      return new EvaluationRun(context)
          .run(model.name(), model.original(), quantized, model.types(), on, label, own.get());
    }
    Map<String, OutputMetrics> outputs = found.outputs();
    if (metric.isEmpty()) {
      boolean ranks = outputs.values().stream().anyMatch(OutputMetrics::hasClasses);
      metric = Optional.of(new Criterion.Known(ranks ? Metric.AGREEMENT : Metric.COSINE));
    }
    Metric by = ((Criterion.Known) metric.get()).metric();
    return new SqlEvaluation.Figures(by.of(outputs), by.ofFloat(outputs));
  }

  private Step mixed(double from) {
    QuantizeOptions how = ways.get(Way.MIXED);
    FloatModel planned = planned(how);
    List<LayerType> types = List.of(LayerType.of("w8a8"), LayerType.of("w8a16"));
    double left = budget() - spent();
    int forms = types.size() * MixRun.layers(planned).size() + FORMS_OF_A_SEARCH;
    double needed = forms * Math.max(evaluationSeconds, 1e-3);
    int possible = (int) (rows * Math.min(1, left / needed));
    if (possible < Math.min(FEWEST_ROWS, rows)) {
      return new Step(
          Way.MIXED,
          Optional.empty(),
          String.format(
              Locale.ROOT,
              "not tried: about %d forms of the model would take %.0f s, and %.0f s of the budget"
                  + " are left",
              forms,
              needed,
              left));
    }
    CalibrationState state = state(how, planned).orElseThrow();
    MixRun.Options search =
        new MixRun.Options(types, metric.orElseThrow(), options.maxDrop(), true, Cost.BYTES);
    try (KeptRows some = toJudge(judged, possible)) {
      MixRun.Result found = new MixRun(context, search).run(planned, state, some.source(), label);
      overrides = found.overrides();
      QuantizeOptions chosen =
          new QuantizeOptions(
              found.chosen().assignment().mapping(found.layers(), how.mapping()),
              how.form(),
              how.corrections(),
              how.declaresShapes(),
              how.storesHalf(),
              how.exports());
      Step step = measured(Way.MIXED, chosen, from);
      return new Step(
          Way.MIXED,
          step.measured(),
          step.reason() + counts(types, found.chosen().assignment().types()));
    }
  }

  private static String counts(List<LayerType> types, List<LayerType> chosen) {
    StringBuilder text = new StringBuilder("; layers: ");
    for (LayerType type : types) {
      text.append(chosen.stream().filter(type::equals).count()).append(' ').append(type.id());
      text.append(", ");
    }
    long floats = chosen.stream().filter(LayerType::isFloat).count();
    return text.append(floats).append(" float").toString();
  }

  private FloatModel planned(QuantizeOptions how) {
    return FloatModel.of(
        model.name(), model.original(), model.prepared(), model.types(), how.mapping());
  }

  /** Of the sample. Without SmoothQuant one state serves all ways. */
  private Optional<CalibrationState> state(QuantizeOptions how, FloatModel planned) {
    if (!CalibrationRun.isUseful(how.corrections(), planned)) {
      return Optional.empty();
    }
    if (CalibrationRun.isSmoothed(how.corrections(), planned)) {
      return Optional.of(calibrate(how.corrections(), planned));
    }
    if (plainState.isEmpty()) {
      // With the means that bias correction takes, whether this way corrects or not.
      QuantizeOptions most = ways.getOrDefault(Way.MIXED, how);
      plainState = Optional.of(calibrate(most.corrections(), planned(most)));
    }
    return plainState;
  }

  private CalibrationState calibrate(CorrectionOptions corrections, FloatModel planned) {
    CalibrationOptions plain = new CalibrationOptions(List.of(), ChannelDetail.NONE);
    return new CalibrationRun(context, plain, corrections)
        .run(planned, data, Optional::empty)
        .state();
  }

  private EvaluationJob.Result evaluate(OnnxModel quantized, DataSource on) {
    return new EvaluationRun(context)
        .run(model.name(), model.original(), quantized, model.types(), on, label);
  }
}
