package org.tare.report;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.SerializableString;
import com.fasterxml.jackson.core.io.CharacterEscapes;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.List;
import org.tare.PrintableText;
import org.tare.quant.QParams;
import org.tare.range.ExpectedFidelity;
import org.tare.range.RangeChoice;
import org.tare.report.ReportData.Tensor;
import org.tare.stats.ChannelStats;
import org.tare.stats.TensorStats;

/**
 * What the page's script draws, as JSON in ASCII in which no character means anything to HTML:
 * names come from models that anyone may have made. Figures that are not finite are the texts
 * {@code inf} and {@code -inf}, or null for NaN.
 */
final class ReportJson {
  /**
   * More channels are told by their neighbours' common range: a bar a channel could not be seen.
   */
  private static final int MOST_CHANNELS = 128;

  /** Figures to read. */
  private static final MathContext DIGITS = new MathContext(6);

  /** Figures that only become bars. */
  private static final MathContext FEW_DIGITS = new MathContext(4);

  /** Whole numbers below it are as short as they are. */
  private static final double LARGEST_WHOLE = 1e7;

  private final JsonGenerator json;

  private ReportJson(JsonGenerator json) {
    this.json = json;
  }

  static String of(ReportData data) {
    StringWriter text = new StringWriter();
    JsonFactory factory = JsonFactory.builder().build();
    factory.setCharacterEscapes(new MarkupEscapes());
    try (JsonGenerator json = factory.createGenerator(text)) {
      json.setHighestNonEscapedChar(127);
      new ReportJson(json).write(data);
    } catch (IOException e) { // memory has none
      throw new UncheckedIOException(e);
    }
    return text.toString();
  }

  /** Escapes what opens and closes markup, besides what JSON escapes. */
  private static final class MarkupEscapes extends CharacterEscapes {
    private static final long serialVersionUID = 1L;

    @Override
    public int[] getEscapeCodesForAscii() {
      int[] codes = standardAsciiEscapesForJSON();
      for (char symbol : "<>&'".toCharArray()) {
        codes[symbol] = ESCAPE_STANDARD;
      }
      return codes;
    }

    @Override
    public SerializableString getEscapeSequence(int symbol) {
      return null;
    }
  }

  private void write(ReportData data) throws IOException {
    json.writeStartObject();
    list("tensors", data.tensors(), this::tensor);
    list("weights", data.weights(), this::weight);
    Analysis analysis = data.analysis();
    list("layers", analysis.layers(), this::layer);
    if (analysis.sensitivity().isPresent()) {
      sensitivity(analysis.sensitivity().get());
    }
    if (analysis.front().isPresent()) {
      front(analysis.front().get());
    }
    list("losses", analysis.losses(), this::loss);
    json.writeEndObject();
  }

  /** Writes one thing. */
  @FunctionalInterface
  private interface Writer<T> {
    void write(T one) throws IOException;
  }

  private <T> void list(String name, List<T> all, Writer<T> writer) throws IOException {
    if (!all.isEmpty()) {
      json.writeArrayFieldStart(name);
      for (T one : all) {
        json.writeStartObject();
        writer.write(one);
        json.writeEndObject();
      }
      json.writeEndArray();
    }
  }

  private void tensor(Tensor tensor) throws IOException {
    TensorStats stats = tensor.stats();
    RangeChoice choice = tensor.chosen().choice();
    QParams qparams = tensor.chosen().qparams();
    ExpectedFidelity fidelity = ExpectedFidelity.of(stats, qparams);
    text("name", tensor.name());
    text("op", tensor.op());
    json.writeNumberField("values", stats.count());
    json.writeNumberField("zeros", stats.zeros());
    json.writeNumberField("nonFinite", stats.count() - stats.finiteCount());
    json.writeNumberField("masked", choice.masked());
    if (stats.finiteCount() > 0) {
      number("min", stats.min());
      number("max", stats.max());
    }
    text("dtype", qparams.dtype().id());
    number("scale", qparams.scale());
    json.writeNumberField("zeroPoint", qparams.zeroPoint());
    range(qparams);
    text("method", choice.method());
    number("error", fidelity.meanSquaredError());
    number("sqnr", fidelity.sqnr());
    number("clipped", fidelity.clipped());
    strings("sharedBy", tensor.chosen().sharedBy());
    json.writeArrayFieldStart("methods");
    for (MethodRange one : tensor.methods()) {
      json.writeStartObject();
      method(one, qparams);
      json.writeEndObject();
    }
    json.writeEndArray();
    TensorBins bins = TensorBins.of(stats);
    if (!bins.isConstant()) {
      json.writeObjectFieldStart("linear");
      number("from", bins.from());
      number("to", bins.to());
      numbers("counts", bins.linear());
      json.writeEndObject();
      json.writeObjectFieldStart("log");
      json.writeNumberField("top", bins.top());
      numbers("negative", bins.negative());
      numbers("positive", bins.positive());
      json.writeEndObject();
    }
    if (stats.channels().isPresent()) {
      ChannelStats channels = stats.channels().get();
      channels(channels.channels(), channels::min, channels::max);
    }
  }

  private void method(MethodRange one, QParams chosen) throws IOException {
    text("method", one.method());
    range(one.qparams());
    number("error", one.expectedError());
    json.writeBooleanField("isChosen", one.qparams().equals(chosen));
  }

  private void weight(Weight weight) throws IOException {
    List<QParams> all = weight.qparams();
    text("name", weight.name());
    text("op", weight.op());
    text("dtype", weight.dtype());
    json.writeNumberField("values", weight.values());
    json.writeNumberField("bytes", weight.bytes());
    text("layout", weight.layout());
    number("leastScale", all.stream().mapToDouble(QParams::scale).min().orElse(Double.NaN));
    number("greatestScale", all.stream().mapToDouble(QParams::scale).max().orElse(Double.NaN));
    if (weight.error().isPresent()) {
      WeightError error = weight.error().get();
      number("sqnr", error.sqnr());
      number("mse", error.mse());
      number("cosine", error.cosine());
      number("greatest", error.greatest());
    }
    if (all.size() > 1) {
      channels(all.size(), i -> all.get(i).lowest(), i -> all.get(i).highest());
    }
  }

  /** The ends of one channel's range. */
  @FunctionalInterface
  private interface End {
    double of(int channel);
  }

  private void channels(int count, End low, End high) throws IOException {
    int each = (count + MOST_CHANNELS - 1) / MOST_CHANNELS;
    int groups = (count + each - 1) / each;
    double[] lows = new double[groups];
    double[] highs = new double[groups];
    for (int i = 0; i < groups; i++) {
      lows[i] = Double.POSITIVE_INFINITY;
      highs[i] = Double.NEGATIVE_INFINITY;
      for (int c = i * each; c < Math.min(count, (i + 1) * each); c++) {
        lows[i] = Math.min(lows[i], low.of(c));
        highs[i] = Math.max(highs[i], high.of(c));
      }
    }
    json.writeObjectFieldStart("channels");
    json.writeNumberField("count", count);
    json.writeNumberField("each", each);
    numbers("low", lows);
    numbers("high", highs);
    json.writeEndObject();
  }

  private void layer(LayerError layer) throws IOException {
    text("name", layer.name());
    text("op", layer.op());
    number("accumulated", layer.accumulatedSqnr());
    number("local", layer.localSqnr());
  }

  private void sensitivity(Sensitivity sensitivity) throws IOException {
    json.writeObjectFieldStart("sensitivity");
    text("metric", sensitivity.metric());
    text("meaning", sensitivity.meaning());
    list(
        "layers",
        sensitivity.layers(),
        one -> {
          text("name", one.layer());
          text("type", one.type());
          number("sqnr", one.sqnr());
          number("metric", one.metric());
        });
    json.writeEndObject();
  }

  private void front(ParetoFront front) throws IOException {
    json.writeObjectFieldStart("front");
    text("unit", front.unit());
    text("metric", front.metric());
    if (front.target().isPresent()) {
      number("target", front.target().getAsDouble());
    }
    list(
        "points",
        front.points(),
        one -> {
          number("cost", one.cost());
          number("metric", one.metric());
          json.writeBooleanField("isChosen", one.isChosen());
          text("label", one.label());
        });
    json.writeEndObject();
  }

  private void loss(LossPoint point) throws IOException {
    json.writeNumberField("step", point.step());
    number("loss", point.loss());
    number("sqnr", point.sqnr());
    number("top1", point.top1());
  }

  private void range(QParams qparams) throws IOException {
    number("low", qparams.lowest());
    number("high", qparams.highest());
  }

  private void text(String name, String value) throws IOException {
    json.writeStringField(name, PrintableText.of(value));
  }

  private void strings(String name, List<String> values) throws IOException {
    json.writeArrayFieldStart(name);
    for (String value : values) {
      json.writeString(PrintableText.of(value));
    }
    json.writeEndArray();
  }

  private void numbers(String name, double[] values) throws IOException {
    json.writeArrayFieldStart(name);
    for (double value : values) {
      number(value, FEW_DIGITS);
    }
    json.writeEndArray();
  }

  private void number(String name, double value) throws IOException {
    json.writeFieldName(name);
    number(value, DIGITS);
  }

  private void number(double value, MathContext digits) throws IOException {
    if (Double.isNaN(value)) {
      json.writeNull();
    } else if (Double.isInfinite(value)) {
      json.writeString(value > 0 ? "inf" : "-inf");
    } else if (value == Math.rint(value) && Math.abs(value) < LARGEST_WHOLE) {
      json.writeNumber((long) value);
    } else {
      json.writeNumber(new BigDecimal(value).round(digits).doubleValue());
    }
  }
}
