package org.tare.examples;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.tare.quant.Fidelity;

/**
 * How close Silero's detector of voices, a recurrent net whose layers are inside of an If, stays to
 * the float model over a minute of {@link SileroSound}. The state goes from one chunk to the next,
 * so errors can add up.
 */
final class SileroScore {
  private static final int RATE = SileroSound.RATE;
  private static final int CHUNK = SileroSound.CHUNK;
  private static final long[] STATE = {2, 1, 128};

  private SileroScore() {}

  /** Prints one line a model; the first is the float one. */
  static void print(List<String> models) throws IOException {
    float[] sound = SileroSound.ofAMinute();
    int chunks = sound.length / CHUNK;
    try (Comparison comparison = new Comparison("Silero VAD v5", models, 1)) {
      List<Map<String, Object>> figures = new ArrayList<>();
      float[] exact = null;
      for (Contender contender : comparison.contenders()) {
        float[] voices = voices(contender, sound, 0, chunks);
        exact = exact == null ? voices : exact;
        figures.add(figures(exact, voices));
      }
      int aRound = chunks / Comparison.ROUNDS;
      comparison.print(
          figures, aRound, round -> contender -> voices(contender, sound, round * aRound, aRound));
    }
  }

  private static Map<String, Object> figures(float[] exact, float[] voices) {
    Fidelity fidelity = new Fidelity();
    fidelity.add(exact, voices, 0, voices.length);
    double difference = 0;
    int same = 0;
    for (int i = 0; i < voices.length; i++) {
      difference += Math.abs(exact[i] - voices[i]);
      same += (exact[i] > 0.5f) == (voices[i] > 0.5f) ? 1 : 0;
    }
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("sqnr_db", fidelity.sqnr());
    figures.put("same_decision", (double) same / voices.length);
    figures.put("mean_difference", difference / voices.length);
    return figures;
  }

  /** What a model, which has heard nothing before, makes of some chunks of the sound. */
  private static float[] voices(Contender contender, float[] sound, int from, int count) {
    float[] voices = new float[count];
    Npy rate = Npy.ofLong(RATE);
    Npy state = Npy.ofFloats(STATE);
    for (int i = 0; i < count; i++) {
      Npy chunk = Npy.ofFloats(1, CHUNK);
      chunk.bytes().asFloatBuffer().put(sound, (from + i) * CHUNK, CHUNK);
      int at = i;
      Npy next = Npy.ofFloats(STATE);
      contender.run(
          Map.of("input", chunk, "state", state, "sr", rate),
          Set.of("output", "stateN"),
          (output, tensor) -> {
            if (output.equals("output")) {
              voices[at] = tensor.floats().get(0);
            } else {
              next.bytes().asFloatBuffer().put(tensor.floats());
            }
          });
      state = next;
    }
    return voices;
  }
}
