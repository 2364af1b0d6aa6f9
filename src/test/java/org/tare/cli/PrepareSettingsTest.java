package org.tare.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.onnx.OnnxModel;
import org.tare.spark.tasks.DigitsCalibration;

/** The keys below {@code prepare}: what they mean for the model and for its states. */
class PrepareSettingsTest {
  @TempDir static Path folder;

  private static String at(String name) {
    return folder.resolve(name).toString();
  }

  private static Outcome tare(String command, String output, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(command, "--model", at("digits-mobilenet.onnx"), "--output", at(output)));
    args.addAll(List.of(more));
    return Outcome.of(args.toArray(String[]::new));
  }

  @Test
  void stateOfAnEqualizedModelIsOneForItAlone() throws IOException {
    DigitsCalibration.demoFile(folder, "digits-mobilenet.onnx");
    DigitsCalibration.demoFile(folder, "digits-train.parquet");
    String equalize = "prepare.equalize=true";
    Outcome calibrated =
        tare(
            "calibrate",
            "equalized",
            "--data",
            at("digits-train.parquet"),
            "--sample",
            "32",
            "--set",
            "inputs.image.scale=0.00392156862745098",
            "--set",
            equalize);
    assertEquals(0, calibrated.status(), calibrated.err());
    String state = at("equalized/state.tare");

    Outcome without = tare("quantize", "refused", "--state", state);
    assertEquals(65, without.status());
    assertTrue(without.err().contains("was made with another model"), without.err());
    Outcome other =
        tare(
            "quantize",
            "refused",
            "--state",
            state,
            "--set",
            equalize,
            "--set",
            "prepare.relu-for-relu6=true");
    assertEquals(65, other.status());

    Outcome with = tare("quantize", "quantized", "--state", state, "--set", equalize);
    assertEquals(0, with.status(), with.err());
    OnnxModel quantized = OnnxModel.read(folder.resolve("quantized/model.onnx"));
    assertEquals("equalize", quantized.metadata().get("tare.prepare"));
    assertEquals(
        OnnxModel.read(folder.resolve("digits-mobilenet.onnx")).digest(),
        quantized.metadata().get("tare.float_model.sha256"));
  }

  @Test
  void partOfEqualizationWithoutItIsRefused() throws IOException {
    DigitsCalibration.demoFile(folder, "digits-mobilenet.onnx");
    Outcome outcome =
        tare("quantize", "refused", "--state", "none", "--set", "prepare.absorb-bias=true");
    assertEquals(64, outcome.status());
    assertTrue(outcome.err().contains("prepare.equalize"), outcome.err());
  }
}
