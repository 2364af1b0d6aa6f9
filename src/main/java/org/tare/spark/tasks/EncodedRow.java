package org.tare.spark.tasks;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Map;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;
import org.tare.spark.rows.Batches;
import org.tare.spark.rows.RowTag;
import org.tare.train.TrainingRow;

/**
 * A row that training holds, as bytes. They begin with a hash of the key, or of the inputs where
 * there is none: it chooses the shard, and the place in it.
 *
 * <pre>
 * hash 8 | label 8 | inputs 4 | of each: name 2 + n | type 4 | rank 4 | sizes 8 each | length 4 | values
 * </pre>
 */
final class EncodedRow {
  private EncodedRow() {}

  /** A row of a batch whose inputs all have the rows first. */
  static byte[] of(Batches.Batch batch, int row) {
    Map<String, InputTensor> inputs = batch.inputs(row + 1);
    int size = 20;
    for (Map.Entry<String, InputTensor> entry : inputs.entrySet()) {
      size += 14 + entry.getKey().getBytes(StandardCharsets.UTF_8).length;
      size += 8 * (entry.getValue().shape().length - 1);
      size += entry.getValue().direct().remaining() / (row + 1);
    }
    ByteBuffer out = ByteBuffer.allocate(size);
    RowTag tag = batch.tag(row);
    out.putLong(0).putLong(tag.label()).putInt(inputs.size());
    int content = out.position();
    inputs.forEach((name, tensor) -> put(out, name, tensor, row));
    MessageDigest sha = sha256();
    if (tag.key() != null) {
      sha.update(tag.key().toString().getBytes(StandardCharsets.UTF_8));
    } else {
      sha.update(out.array(), content, out.position() - content);
    }
    out.putLong(0, ByteBuffer.wrap(sha.digest()).getLong());
    return out.array();
  }

  private static void put(ByteBuffer out, String name, InputTensor tensor, int row) {
    byte[] text = name.getBytes(StandardCharsets.UTF_8);
    long[] shape = tensor.shape();
    out.putShort((short) text.length).put(text).putInt(tensor.elementType().code());
    out.putInt(shape.length - 1);
    for (int i = 1; i < shape.length; i++) {
      out.putLong(shape[i]);
    }
    ByteBuffer values = tensor.direct().duplicate();
    int bytes = values.remaining() / (row + 1);
    values.position(values.position() + row * bytes);
    out.putInt(bytes).put(values);
  }

  /** The shard of a row. */
  static int shard(byte[] row, int shards) {
    return (int) Long.remainderUnsigned(ByteBuffer.wrap(row).getLong(), shards);
  }

  static TrainingRow decode(byte[] row) {
    ByteBuffer in = ByteBuffer.wrap(row);
    in.getLong();
    long label = in.getLong();
    TrainingRow.Value[] inputs = new TrainingRow.Value[in.getInt()];
    for (int i = 0; i < inputs.length; i++) {
      byte[] name = new byte[in.getShort()];
      in.get(name);
      ElementType type = typeOf(in.getInt());
      long[] shape = new long[in.getInt()];
      for (int axis = 0; axis < shape.length; axis++) {
        shape[axis] = in.getLong();
      }
      byte[] values = new byte[in.getInt()];
      in.get(values);
      inputs[i] =
          new TrainingRow.Value(new String(name, StandardCharsets.UTF_8), type, shape, values);
    }
    return new TrainingRow(inputs, label);
  }

  private static ElementType typeOf(int code) {
    for (ElementType type : ElementType.values()) {
      if (type.code() == code) {
        return type;
      }
    }
    throw new IllegalStateException("no type has the number " + code);
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
