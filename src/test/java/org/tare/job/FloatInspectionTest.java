package org.tare.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.onnx.OnnxModel;
import org.tare.prepare.FloatPasses;
import org.tare.qconfig.Backend;
import org.tare.qconfig.Mode;
import org.tare.qconfig.QConfigMapping;
import org.tare.rewrite.Quantization;
import org.tare.rewrite.QuantizedModel;
import org.tare.rewrite.RandomModel;
import org.tare.store.HadoopFiles;

class FloatInspectionTest {
  @TempDir private Path folder;

  /** It takes scales that are quicker to find; what it foretells is what quantizing gives. */
  @Test
  void foretellsWhatTheDefaultsQuantize() throws IOException {
    ModelReader reader = new ModelReader(new HadoopFiles(new Configuration(false)));
    String file = folder.resolve("m.onnx").toString();
    int weights = 0;
    for (int seed = 1; seed <= 60; seed++) {
      Files.write(Path.of(file), new RandomModel(new Random(seed)).bytes());
      OnnxModel model = OnnxModel.read(Path.of(file));
      FloatInspection found;
      try {
        found = ModelReader.inspect("m.onnx", model);
      } catch (TareException e) {
        continue; // Some have what ONNX Runtime refuses.
      }
      for (FloatInspection.Outlook outlook : found.modes()) {
        if (outlook.mode() == Mode.STATIC || outlook.obstacle().isPresent()) {
          continue;
        }
        QConfigMapping mapping =
            new QConfigMapping(
                outlook.mode(),
                Backend.ONNXRUNTIME_CPU,
                Backend.ONNXRUNTIME_CPU.standard(outlook.mode()),
                List.of());
        FloatModel read =
            reader.readFloat(file, new FloatPasses.Options(false, false, false), mapping);
        QuantizedModel quantized =
            Quantization.quantize(
                read.prepared(),
                read.types(),
                mapping,
                Quantization.Form.QDQ,
                Optional.empty(),
                Map.of());
        assertEquals(quantized.weights().size(), outlook.weights(), "seed " + seed);
        assertEquals(quantized.floatNodes(), outlook.floatNodes(), "seed " + seed);
        weights += outlook.weights();
      }
    }
    assertTrue(weights > 50, weights + " weights");
  }
}
