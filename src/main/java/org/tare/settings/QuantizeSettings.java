package org.tare.settings;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.tare.TareException;
import org.tare.export.TensorRtCalibrationCache;
import org.tare.job.CorrectionOptions;
import org.tare.job.CorrectionOptions.Switch;
import org.tare.job.Exports;
import org.tare.job.QuantizeOptions;
import org.tare.job.RoundingRun;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfig;
import org.tare.qconfig.QConfigMapping;
import org.tare.qconfig.TensorQConfig;
import org.tare.qconfig.WeightProducts;
import org.tare.quant.DType;
import org.tare.quant.QScheme;
import org.tare.range.RangeMethod;
import org.tare.rewrite.Quantization;
import org.tare.train.RoundingOptions;

/** What the settings below {@code quantize} mean, as typed values. */
public final class QuantizeSettings {
  private static final int ROUNDING_BATCH = 32;
  private static final long ROUNDING_SEED = 0;

  private QuantizeSettings() {}

  /** The same for a call that has rows to learn rounding on. */
  public static QuantizeOptions withRows(Settings settings) {
    return any(settings);
  }

  /** Whether rounding is learned. */
  public static boolean learnsRounding(Settings settings) {
    return settings.require("quantize.weight.rounding").equals("learned");
  }

  /** How rounding is learned. */
  public static RoundingRun.Settings rounding(Settings settings) {
    return new RoundingRun.Settings(
        new RoundingOptions(
            settings.whole("quantize.weight.rounding-steps"), ROUNDING_BATCH, ROUNDING_SEED),
        settings.whole("quantize.weight.rounding-rows"),
        settings.whole("quantize.measure-rows"));
  }

  /** The same where training follows: layers are trained, and do not stay float32 unless told. */
  public static QuantizeOptions forTraining(Settings settings) {
    settings.setDefault("quantize.float-below", "0", "default of finetune");
    return of(settings);
  }

  /**
   * All of them. What was not said is as the backend has it; it is put into the settings, so that
   * it shows as such.
   */
  public static QuantizeOptions of(Settings settings) {
    if (learnsRounding(settings)) {
      throw TareException.usage(
          "quantize.weight.rounding=learned needs rows, and works with the command run alone; this"
              + " one takes auto, sums or nearest");
    }
    return any(settings);
  }

  private static QuantizeOptions any(Settings settings) {
    CorrectionOptions corrections = corrections(settings);
    QConfigMapping mapping = mapping(settings, corrections);
    return new QuantizeOptions(
        mapping,
        form(settings, mapping),
        corrections,
        settings.flag("quantize.declare-shapes"),
        settings.flag("quantize.float16"),
        exports(settings));
  }

  private static QConfigMapping mapping(Settings settings, CorrectionOptions corrections) {
    Mode mode = Mode.of(settings.require("quantize.mode"));
    Backend backend = Backend.of(settings.require("quantize.backend"));
    setDefaults(settings, mode, backend);
    QConfig config =
        new QConfig(
            settings.flag("quantize.automatic"),
            tensor(settings, "quantize.activation."),
            tensor(settings, "quantize.weight."),
            settings.flag("quantize.reduce-range"),
            settings.flag("quantize.activation.reduce-range"),
            corrections.kernelSums() != Switch.OFF,
            WeightProducts.of(settings.require("quantize.weight.products")));
    List<QConfigMapping.Rule> overrides = Overrides.of(settings, config);
    if (!config.quantized() && overrides.isEmpty()) {
      throw TareException.usage(
          "quantize.automatic is false and quantize.overrides is empty: nothing would be quantized;"
              + " list what is to be, as in {op: Conv}");
    }
    return new QConfigMapping(
        mode, backend, config, overrides, corrections.biasCorrection() != Switch.OFF);
  }

  private static CorrectionOptions corrections(Settings settings) {
    String bias = settings.require("quantize.bias-correction");
    return new CorrectionOptions(
        correction(settings, "quantize.smooth-quant", "true"),
        correction(settings, "quantize.weight.rounding", "sums"),
        switch (bias) {
          case "auto", "sequential" -> Switch.AUTO;
          case "fast" -> Switch.ON;
          default -> Switch.OFF;
        },
        bias.equals("sequential"),
        settings.whole("quantize.measure-rows"),
        settings.number("quantize.float-below"));
  }

  private static Switch correction(Settings settings, String key, String on) {
    String value = settings.require(key);
    return value.equals("auto") ? Switch.AUTO : value.equals(on) ? Switch.ON : Switch.OFF;
  }

  private static Exports exports(Settings settings) {
    List<String> formats = settings.texts("quantize.export");
    for (String format : formats) {
      if (!Exports.FORMATS.contains(format)) {
        throw settings.wrong(
            "quantize.export", format, "a list of " + String.join(" and ", Exports.FORMATS));
      }
    }
    String version = settings.require("quantize.tensorrt-version");
    TensorRtCalibrationCache.checkVersion(version);
    return new Exports(formats, version);
  }

  private static Quantization.Form form(Settings settings, QConfigMapping mapping) {
    // 4-bit products have a fast kernel only in ONNX Runtime's own operator.
    boolean hasBlocks = settings.find("quantize.weight.block").isPresent();
    String form = settings.find("quantize.form").orElse(hasBlocks ? "qoperator" : "qdq");
    boolean isOfIntegers = form.equals("qoperator");
    if (isOfIntegers && mapping.mode() == Mode.STATIC && mapping.usesTypesOf21()) {
      throw TareException.usage(
          "quantize.form cannot be qoperator with types of 4 or 16 bits in the mode static: no"
              + " operator on integers takes them; leave it out");
    }
    return isOfIntegers ? Quantization.Form.QOPERATOR : Quantization.Form.QDQ;
  }

  /** What was not said is as the backend has it, and shows as such. */
  private static void setDefaults(Settings settings, Mode mode, Backend backend) {
    String origin = "backend " + backend.id();
    settings.setDefault("quantize.weight.products", backend.products().id(), origin);
    QConfig standard =
        backend.standard(mode, WeightProducts.of(settings.require("quantize.weight.products")));
    settings.setDefault("quantize.activation.dtype", standard.activation().dtype().id(), origin);
    settings.setDefault("quantize.activation.scheme", standard.activation().scheme().id(), origin);
    settings.setDefault(
        "quantize.activation.reduce-range", Boolean.toString(standard.reduceActivations()), origin);
    settings.setDefault("quantize.weight.dtype", standard.weight().dtype().id(), origin);
    DType weight = DType.of(settings.require("quantize.weight.dtype"));
    boolean isFourBits = weight.bits() == 4;
    boolean hasFewBits =
        settings.find("quantize.weight.bits").isPresent()
            && settings.whole("quantize.weight.bits") <= 4;
    settings.setDefault(
        "quantize.weight.scheme",
        isFourBits
            ? (weight.isSigned() ? QScheme.PER_CHANNEL_SYMMETRIC : QScheme.PER_CHANNEL_AFFINE).id()
            : standard.weight().scheme().id(),
        isFourBits ? "default of 4 bits" : origin);
    settings.setDefault(
        "quantize.weight.method",
        isFourBits || hasFewBits ? "mse" : "minmax",
        isFourBits || hasFewBits ? "default of 4 bits" : origin);
    if (isFourBits && mode != Mode.STATIC) {
      settings.setDefault("quantize.weight.block", "32", "default of 4 bits");
    }
  }

  private static TensorQConfig tensor(Settings settings, String prefix) {
    Map<String, Double> parameters = new TreeMap<>();
    for (String parameter : RangeMethod.parameterNames()) {
      if (settings.find(prefix + parameter).isPresent()) {
        parameters.put(parameter, settings.number(prefix + parameter));
      }
    }
    DType dtype = DType.of(settings.require(prefix + "dtype"));
    return new TensorQConfig(
        RangeMethod.parse(settings.require(prefix + "method"), parameters),
        dtype,
        QScheme.of(settings.require(prefix + "scheme")),
        settings.find(prefix + "block").isPresent() ? settings.whole(prefix + "block") : 0,
        settings.find(prefix + "bits").isPresent()
            ? settings.whole(prefix + "bits")
            : dtype.bits());
  }
}
