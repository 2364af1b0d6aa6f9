package org.tare.settings;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.TareException;
import org.tare.job.CorrectionOptions.Switch;
import org.tare.job.QuantizeOptions;
import org.tare.job.RowOptions;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.quant.DType;
import org.tare.range.RangeMethod;
import org.tare.rewrite.Quantization;
import org.tare.spark.rows.DataSource;
import org.tare.spark.rows.InputSpec;
import org.tare.spark.rows.Sample;

/** What settings mean as typed values. */
class TypedSettingsTest {
  private static Settings of(String... assignments) {
    Settings settings = new Settings();
    for (String assignment : assignments) {
      settings.assignment(assignment);
    }
    return settings;
  }

  private static String refusal(Runnable call) {
    TareException e = assertThrows(TareException.class, call::run);
    assertEquals(TareException.Kind.USAGE, e.kind(), e.getMessage());
    return e.getMessage();
  }

  @Test
  void everyFieldOfAnInput() {
    Settings settings =
        of(
            "inputs.image.column=pixels",
            "inputs.image.dtype=uint8",
            "inputs.image.shape=3,32,32",
            "inputs.image.scale=0.5",
            "inputs.image.mean=[0.1, 0.2, 0.3]",
            "inputs.image.std=1,2,3",
            "inputs.image.layout=nhwc");
    InputSpec image = RunSettings.rows(settings).inputs().get("image");
    assertEquals(Optional.of("pixels"), image.column());
    assertEquals(Optional.of("uint8"), image.dtype());
    assertEquals(List.of(3L, 32L, 32L), image.shape());
    assertEquals(0.5, image.scale());
    assertEquals(List.of(0.1, 0.2, 0.3), image.mean());
    assertEquals(List.of(1.0, 2.0, 3.0), image.std());
    assertTrue(image.channelsLast());
    InputSpec file =
        RunSettings.rows(
                of("inputs.a.b.image=true", "inputs.a.b.resize=40", "inputs.a.b.crop=[32, 24]"))
            .inputs()
            .get("a.b");
    assertTrue(file.image());
    assertEquals(List.of(40), file.resize());
    assertEquals(List.of(32, 24), file.crop());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "inputs.x.resize=0",
        "inputs.x.resize=8.7",
        "inputs.x.resize=[20000, 20000]",
        "inputs.x.crop=-3",
        "inputs.x.crop=1e9",
        "inputs.x.shape=2.5",
        "inputs.x.mean=a"
      })
  void numbersOfInputsAreChecked(String assignment) {
    String key = assignment.substring(0, assignment.indexOf('='));
    String message = refusal(() -> RunSettings.rows(of(assignment)));
    assertTrue(message.startsWith(key + " (--set " + assignment + ") cannot be"), message);
  }

  @Test
  void rowsBatchAndMask() {
    RowOptions rows =
        RunSettings.rows(of("batch=7", "bad-rows=skip", "bad-rows-limit=0.5", "mask=held"));
    assertEquals(7, rows.batch());
    assertTrue(rows.badRows().skip());
    assertEquals(0.5, rows.badRows().limit());
    assertEquals(Optional.of("held"), rows.mask(List.of("x", "held")));
    assertTrue(refusal(() -> rows.mask(List.of("x"))).contains("an input of the model: x"));
    RowOptions standard = RunSettings.rows(new Settings());
    assertEquals(Optional.empty(), standard.mask(List.of("x")));
    assertEquals(
        Optional.of("attention_mask"), standard.mask(List.of("input_ids", "attention_mask")));
    assertEquals(Optional.empty(), standard.mask(List.of("attention_mask", "decoder_input_ids")));
  }

  @ParameterizedTest
  @CsvSource({"1024, 1024, 0", "1, 1, 0", "0.25, 0, 0.25", "1.0, 0, 1.0", "1e-3, 0, 0.001"})
  void aPointMakesAShareOfASample(String text, int rows, double share) {
    Sample expected = rows > 0 ? new Sample.Rows(rows) : new Sample.Share(share);
    DataSource data = RunSettings.table(of("data=x", "data.sample=" + text), "data").orElseThrow();
    assertEquals(Optional.of(expected), data.sample());
  }

  @ParameterizedTest
  @ValueSource(strings = {"0", "-1", "1.5", "0.0", "half"})
  void otherSamplesAreRefused(String text) {
    String message = refusal(() -> RunSettings.table(of("data=x", "data.sample=" + text), "data"));
    assertTrue(message.contains("a whole number of rows, or a share of them"), message);
  }

  @Test
  void oneTableOrNone() {
    assertEquals(Optional.empty(), RunSettings.table(new Settings(), "data"));
    Settings two = of("data.path=x", "data.query=SELECT 1");
    assertTrue(refusal(() -> RunSettings.table(two, "data")).contains("not 2 of them"));
    DataSource files =
        RunSettings.table(
                of("validation=p", "validation.format=csv", "validation.options.header=true"),
                "validation")
            .orElseThrow();
    assertEquals(new DataSource.Files("p", "csv", Map.of("header", "true")), files.origin());
  }

  @Test
  void howAModelIsQuantized() {
    QuantizeOptions options =
        QuantizeSettings.of(
            of(
                "quantize.mode=weight-only",
                "quantize.weight.dtype=uint4",
                "quantize.weight.block=64",
                "quantize.smooth-quant=false",
                "quantize.weight.rounding=sums",
                "quantize.bias-correction=sequential",
                "quantize.measure-rows=17",
                "quantize.float-below=12.5",
                "quantize.declare-shapes=false",
                "quantize.float16=true",
                "quantize.export=tensorrt"));
    assertEquals(Mode.WEIGHT_ONLY, options.mapping().mode());
    assertEquals(DType.UINT4, options.mapping().standard().weight().dtype());
    assertEquals(64, options.mapping().standard().weight().block());
    assertEquals(Quantization.Form.QOPERATOR, options.form());
    assertEquals(Switch.OFF, options.corrections().smoothQuant());
    assertEquals(Switch.ON, options.corrections().kernelSums());
    assertTrue(options.corrections().inSequence());
    assertEquals(17, options.corrections().measureRows());
    assertEquals(12.5, options.corrections().floatBelow());
    assertTrue(!options.declaresShapes() && options.storesHalf());
    assertEquals(List.of("tensorrt"), options.exports().formats());
  }

  @Test
  void whatIsNotSaidIsAsTheBackendHasIt() {
    Settings settings = of("quantize.backend=tensorrt");
    QuantizeOptions options = QuantizeSettings.of(settings);
    assertEquals(Backend.TENSORRT, options.mapping().backend());
    assertEquals(DType.INT8, options.mapping().standard().activation().dtype());
    assertEquals("backend tensorrt", settings.origin("quantize.activation.dtype"));
  }

  @Test
  void overridesSetWhatTheySay() {
    Settings settings =
        new Settings()
            .set(
                "quantize.overrides",
                List.of(
                    Map.of("op", "Softmax", "float", true),
                    Map.of(
                        "name",
                        "head/*",
                        "reduce-range",
                        true,
                        "activation",
                        Map.of(
                            "percentile",
                            99.9,
                            "dtype",
                            "int8",
                            "scheme",
                            "per_tensor_symmetric"))),
                "here");
    QuantizeOptions options = QuantizeSettings.of(settings);
    assertTrue(!options.mapping().of("Softmax", "s", "s").quantized());
    QConfig head = options.mapping().of("Gemm", "head/1", "y");
    assertTrue(head.reduceRange());
    assertEquals(DType.INT8, head.activation().dtype());
    assertTrue(head.activation().method() instanceof RangeMethod.Percentile);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[{op: X, float: \"yes\"}] | quantize.overrides: float cannot be \"yes\": it is true or"
            + " false",
        "[{name: h, activation: minmax}] | quantize.overrides.activation cannot hold \"minmax\"",
        "[{name: h, activation: {methode: mse}}] | Unknown key \"methode\"",
        "[{name: h, activation: {percentile: high}}] | quantize.overrides.activation: percentile",
        "[{name: h, op: X}] | quantize.overrides: each takes either op or name",
        "[{op: X, floats: true}] | Unknown key \"floats\" (quantize.overrides): did you mean"
            + " \"float\"",
        "[text] | quantize.overrides cannot hold \"text\"",
        "text | quantize.overrides (--set quantize.overrides=text) cannot be \"text\""
      })
  void wrongOverridesAreErrors(String value, String begins) {
    String message = refusal(() -> QuantizeSettings.of(of("quantize.overrides=" + value)));
    assertTrue(message.startsWith(begins), message);
  }

  /** As YAML reads it. */
  @Test
  void yesIsTrue() {
    QuantizeOptions options =
        QuantizeSettings.of(of("quantize.overrides=[{op: Softmax, float: yes}]"));
    assertFalse(options.mapping().of("Softmax", "s", "s").quantized());
  }

  @Test
  void observing() {
    assertEquals(
        0.5f,
        ObserveSettings.of(
                of(
                    "observe.column=x",
                    "observe.observer=moving-average",
                    "observe.averaging-constant=0.5"))
            .averagingConstant());
    assertTrue(
        refusal(() -> ObserveSettings.of(of("observe.observer=minmax")))
            .startsWith("Missing observe.column"));
    assertTrue(
        refusal(
                () ->
                    ObserveSettings.of(
                        of("observe.column=x", "observe.observer=recording", "calibrate.by=c")))
            .contains("have no order"));
    assertTrue(
        refusal(
                () ->
                    ObserveSettings.of(
                        of("observe.column=x", "observe.observer=minmax", "observe.method=mse")))
            .contains("only the observer histogram takes a method"));
  }
}
