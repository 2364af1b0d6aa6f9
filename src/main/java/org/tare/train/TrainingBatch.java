package org.tare.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Tensor;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.train.torch.Tensors;

/** Rows that one step is taken on. */
public record TrainingBatch(List<TrainingRow> rows) {
  public TrainingBatch {
    rows = List.copyOf(rows);
  }

  /** The inputs of the model, rows side by side along the first axis. */
  Map<String, Tensor> tensors(String model) {
    Map<String, Tensor> tensors = new HashMap<>();
    bytes(model, ByteBuffer::allocate)
        .forEach((input, given) -> tensors.put(input, tensor(model, input, given)));
    return tensors;
  }

  /** The same as ONNX Runtime takes them. */
  Map<String, InputTensor> bytes(String model) {
    return bytes(model, ByteBuffer::allocateDirect);
  }

  private Map<String, InputTensor> bytes(String model, IntFunction<ByteBuffer> memory) {
    TrainingRow first = rows.get(0);
    Map<String, InputTensor> tensors = new HashMap<>();
    for (int i = 0; i < first.inputs().length; i++) {
      TrainingRow.Value like = first.inputs()[i];
      int rowBytes = like.bytes().length;
      ByteBuffer all = memory.apply(rowBytes * rows.size()).order(ByteOrder.nativeOrder());
      for (TrainingRow row : rows) {
        TrainingRow.Value value = row.inputs()[i];
        if (!Arrays.equals(value.shape(), like.shape())) {
          throw TareException.badInput(
              "Cannot train %s: input \"%s\" has rows of the shapes %s and %s; training takes rows of"
                  + " one shape",
              model, like.name(), Arrays.toString(like.shape()), Arrays.toString(value.shape()));
        }
        all.put(value.bytes());
      }
      long[] shape = new long[like.shape().length + 1];
      shape[0] = rows.size();
      System.arraycopy(like.shape(), 0, shape, 1, like.shape().length);
      tensors.put(like.name(), new InputTensor(like.type(), shape, all.flip()));
    }
    return tensors;
  }

  /** An input on libtorch. */
  static Tensor tensor(String model, String input, InputTensor given) {
    ByteBuffer bytes = given.direct();
    long[] shape = given.shape();
    switch (given.elementType()) {
      case FLOAT32 -> {
        float[] values = new float[bytes.remaining() / 4];
        bytes.asFloatBuffer().get(values);
        return Tensors.tensor(values, shape);
      }
      case INT64 -> {
        long[] values = new long[bytes.remaining() / 8];
        bytes.asLongBuffer().get(values);
        return Tensors.tensor(values, shape);
      }
      case INT32 -> {
        int[] values = new int[bytes.remaining() / 4];
        bytes.asIntBuffer().get(values);
        return Tensors.tensor(values, shape);
      }
      default ->
          throw TareException.badInput(
              "Cannot train %s: its input \"%s\" is %s; training takes float32, int64 and int32",
              model, input, given.elementType());
    }
  }

  /** The class numbers of the rows. */
  Tensor labels(String model, long classes) {
    long[] labels = new long[rows.size()];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = rows.get(i).label();
      if (labels[i] < 0 || labels[i] >= classes) {
        throw TareException.badInput(
            "Cannot train %s: label %d is none of the classes 0 to %d",
            model, labels[i], classes - 1);
      }
    }
    return Tensors.tensor(labels, labels.length);
  }
}
