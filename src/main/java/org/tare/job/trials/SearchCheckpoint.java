package org.tare.job.trials;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import org.tare.job.CheckpointBytes;
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
    byte[] content = CheckpointBytes.in(LETTERS, VERSION, bytes, file);
    try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(content))) {
      String search = in.readUTF();
      long rows = in.readLong();
      Map<Assignment, Figures> forms = new LinkedHashMap<>();
      for (int left = in.readInt(); left > 0; left--) {
        List<LayerType> types = new ArrayList<>();
        for (int layers = in.readInt(); layers > 0; layers--) {
          types.add(LayerType.of(in.readUTF()));
        }
        boolean hasOwn = in.readBoolean();
        double own = in.readDouble();
        Map<String, OutputMetrics> outputs = new LinkedHashMap<>();
        for (int open = in.readInt(); open > 0; open--) {
          outputs.put(in.readUTF(), OutputMetrics.read(in));
        }
        OptionalDouble figure = hasOwn ? OptionalDouble.of(own) : OptionalDouble.empty();
        forms.put(new Assignment(types), new Figures(outputs, figure));
      }
      return new SearchCheckpoint(search, rows, forms);
    } catch (IOException e) {
      throw CheckpointBytes.cannot(file, "it ends too early").causedBy(e);
    }
  }
}
