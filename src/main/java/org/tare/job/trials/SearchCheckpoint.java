package org.tare.job.trials;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.tare.TareException;
import org.tare.job.CheckpointBytes;
import org.tare.job.CheckpointInput;
import org.tare.spark.tasks.OutputMetrics;

/**
 * What a search has measured.
 *
 * <p>The content of the file, which {@link CheckpointBytes} frames with the letters "TTRI": the
 * search, rows 8, number of forms 4; for each its types, whether the user's figure is there and the
 * figure, and the sums of each output by its name.
 *
 * @param search what tells it from others: a digest of model, ranges, rows and settings
 * @param rows that each form was measured on
 */
record SearchCheckpoint(String search, long rows, Map<Assignment, Figures> forms) {
  private static final String LETTERS = "TTRI";
  private static final int VERSION = 1;

  byte[] encode() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DataOutputStream out = new DataOutputStream(bytes)) {
      out.writeUTF(search);
      out.writeLong(rows);
      out.writeInt(forms.size());
      for (Map.Entry<Assignment, Figures> form : forms.entrySet()) {
        out.writeInt(form.getKey().types().size());
        for (LayerType type : form.getKey().types()) {
          out.writeUTF(type.id());
        }
        OptionalDouble own = form.getValue().own();
        out.writeBoolean(own.isPresent());
        out.writeDouble(own.orElse(0));
        out.writeInt(form.getValue().outputs().size());
        for (Map.Entry<String, OutputMetrics> output : form.getValue().outputs().entrySet()) {
          out.writeUTF(output.getKey());
          output.getValue().write(out);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return CheckpointBytes.around(LETTERS, VERSION, bytes.toByteArray());
  }

  /**
   * Reads one.
   *
   * @param file its path, for messages
   * @throws org.tare.TareException if it is none, of another version, or damaged
   */
  static SearchCheckpoint decode(byte[] bytes, String file) {
    return CheckpointBytes.read(LETTERS, VERSION, bytes, file, SearchCheckpoint::read);
  }

  private static SearchCheckpoint read(CheckpointInput in) throws IOException {
    String search = in.text();
    long rows = in.whole("rows");
    Map<Assignment, Figures> forms = new LinkedHashMap<>();
    for (int left = in.count("forms", 17); left > 0; left--) {
      List<LayerType> types = new ArrayList<>();
      for (int layers = in.count("layers", 2); layers > 0; layers--) {
        types.add(readType(in));
      }
      boolean hasOwn = in.rest().readBoolean();
      double own = in.rest().readDouble();
      Map<String, OutputMetrics> outputs = new LinkedHashMap<>();
      for (int open = in.count("outputs", 2); open > 0; open--) {
        outputs.put(in.text(), OutputMetrics.read(in.rest()));
      }
      OptionalDouble figure = hasOwn ? OptionalDouble.of(own) : OptionalDouble.empty();
      forms.put(new Assignment(types), new Figures(outputs, figure));
    }
    return new SearchCheckpoint(search, rows, forms);
  }

  private static LayerType readType(CheckpointInput in) throws IOException {
    try {
      return LayerType.of(in.text());
    } catch (TareException e) {
      throw in.cannot(e.getMessage());
    }
  }
}
