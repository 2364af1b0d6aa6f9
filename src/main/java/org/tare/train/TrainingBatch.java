package org.tare.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.train.torch.Tensors;

/**
 * Rows that one step is taken on.
 *
 * @param mask the input whose zeros say which places of a sequence are filling, if there is one
 */
public record TrainingBatch(List<TrainingRow> rows, Optional<String> mask) {
  public TrainingBatch {
    rows = List.copyOf(rows);
  }

  /** Rows without filling. */
  public TrainingBatch(List<TrainingRow> rows) {
    this(rows, Optional.empty());
  }

  /** The rows of each shape by themselves, in the order in which the shapes first come. */
  public List<TrainingBatch> parts() {
    Map<String, List<TrainingRow>> byShape = new LinkedHashMap<>();
    for (TrainingRow row : rows) {
      String shapes =
          Arrays.stream(row.inputs())
              .map(value -> Arrays.toString(value.shape()))
              .collect(Collectors.joining());
      byShape.computeIfAbsent(shapes, first -> new ArrayList<>()).add(row);
    }
    return byShape.values().stream().map(part -> new TrainingBatch(part, mask)).toList();
  }

  /**
   * Which places of the sequences hold something: of bool, of the shape [rows, length]. Empty where
   * no mask of two axes says it.
   */
  Optional<Tensor> kept(String model) {
    if (mask.isEmpty()) {
      return Optional.empty();
    }
    InputTensor given = bytes(model).get(mask.get());
    return given == null || given.shape().length != 2
        ? Optional.empty()
        : Optional.of(tensor(model, mask.get(), given).ne(new Scalar(0)));
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
              "Cannot train %s: input \"%s\" has rows of the shapes %s and %s; a model of a fixed"
                  + " batch is trained on rows of one shape",
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
