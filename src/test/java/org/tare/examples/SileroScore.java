package org.tare.examples;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.tare.graph.ElementType;
import org.tare.infer.ModelSession;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.quant.Fidelity;

/**
 * How close Silero's detector of voices, a recurrent net whose layers are inside of an If, stays to
 * the float model over a minute of sound that is made here: pulses of a voice's pitch with changing
 * overtones, in noise, with pauses. The state goes from one chunk to the next, so errors can add
 * up.
 */
final class SileroScore {
  private static final int RATE = 16000;
  private static final int CHUNK = 512;
  private static final int SECONDS = 60;
  private static final ObjectMapper JSON = new ObjectMapper();

  private SileroScore() {}

  /** Prints one line a model; the first is the float one. */
  static void print(List<String> models) throws IOException {
    float[] sound = sound();
    float[] exact = null;
    for (String model : models) {
      Contender.Name name = Contender.Name.parse(model);
      long started = System.nanoTime();
      float[] voices = voices(name, sound);
      double milliseconds = (System.nanoTime() - started) / 1e6 / voices.length;
      exact = exact == null ? voices : exact;
      Fidelity fidelity = new Fidelity();
      fidelity.add(exact, voices, 0, voices.length);
      double difference = 0;
      int same = 0;
      for (int i = 0; i < voices.length; i++) {
        difference += Math.abs(exact[i] - voices[i]);
        same += (exact[i] > 0.5f) == (voices[i] > 0.5f) ? 1 : 0;
      }
      Map<String, Object> line = new LinkedHashMap<>();
      line.put("model", "Silero VAD v5");
      line.put("tool", name.tool());
      line.put("mode", name.mode());
      line.put("sqnr_db", Double.isFinite(fidelity.sqnr()) ? fidelity.sqnr() : null);
      line.put("same_decision", (double) same / voices.length);
      line.put("mean_difference", difference / voices.length);
      line.put("batch", 1);
      line.put("bytes", Files.size(name.file()));
      line.put("ms_a_batch", milliseconds);
      System.out.println(JSON.writeValueAsString(line));
    }
  }

  private static float[] voices(Contender.Name name, float[] sound) {
    float[] voices = new float[sound.length / CHUNK];
    ByteBuffer state = direct(2 * 128 * Float.BYTES);
    ByteBuffer rate = direct(Long.BYTES);
    rate.putLong(0, RATE);
    try (ModelSession session = ModelSession.open(name.file(), name.file().toString(), 1)) {
      for (int i = 0; i < voices.length; i++) {
        ByteBuffer chunk = direct(CHUNK * Float.BYTES);
        chunk.asFloatBuffer().put(sound, i * CHUNK, CHUNK);
        Map<String, InputTensor> given =
            Map.of(
                "input", new InputTensor(ElementType.FLOAT, new long[] {1, CHUNK}, chunk),
                "state", new InputTensor(ElementType.FLOAT, new long[] {2, 1, 128}, state),
                "sr", new InputTensor(ElementType.INT64, new long[0], rate));
        int at = i;
        ByteBuffer next = direct(2 * 128 * Float.BYTES);
        session.run(
            given,
            Set.of("output", "stateN"),
            (output, tensor) -> {
              if (output.equals("output")) {
                voices[at] = tensor.floats().get(0);
              } else {
                next.asFloatBuffer().put(tensor.floats());
              }
            });
        state = next;
      }
    }
    return voices;
  }

  private static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  private static float[] sound() {
    float[] sound = new float[SECONDS * RATE];
    Random random = new Random(1);
    for (int i = 0; i < sound.length; i++) {
      double t = (double) i / RATE;
      double value = 0.003 * random.nextGaussian();
      if (t % 2 < 1.2) {
        double pitch = 120 + 20 * Math.sin(2 * Math.PI * 0.4 * t);
        for (int k = 1; k < 25; k++) {
          double loudness = 1 + 0.8 * Math.sin(2 * Math.PI * 3 * t + k);
          value += 0.1 * loudness * Math.sin(2 * Math.PI * pitch * k * t) / k;
        }
      }
      sound[i] = (float) value;
    }
    return sound;
  }
}
