package org.tare.onnx;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import java.util.Arrays;
import java.util.Random;
import org.tare.onnx.proto.Onnx.AttributeProto;
import org.tare.onnx.proto.Onnx.GraphProto;
import org.tare.onnx.proto.Onnx.ModelProto;
import org.tare.onnx.proto.Onnx.NodeProto;
import org.tare.onnx.proto.Onnx.TensorProto;

/** Changes one thing in a valid model, in its fields or in its bytes. */
public final class Damage {
  private Damage() {}

  public static byte[] apply(byte[] model, Random random) {
    if (random.nextInt(6) == 0) {
      return Arrays.copyOf(model, random.nextInt(model.length));
    }
    if (random.nextInt(4) == 0) {
      byte[] flipped = model.clone();
      for (int i = 1 + random.nextInt(3); i > 0; i--) {
        flipped[random.nextInt(flipped.length)] ^= (byte) (1 << random.nextInt(8));
      }
      return flipped;
    }
    try {
      ModelProto.Builder builder = ModelProto.parseFrom(model).toBuilder();
      change(builder.getGraphBuilder(), random);
      return builder.build().toByteArray();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void change(GraphProto.Builder graph, Random random) {
    NodeProto.Builder node = graph.getNodeBuilder(random.nextInt(graph.getNodeCount()));
    switch (random.nextInt(9)) {
      case 0 -> {
        if (node.getInputCount() > 1) {
          String first = node.getInput(0);
          node.setInput(0, node.getInput(1)).setInput(1, first);
        }
      }
      case 1 -> {
        if (graph.getInitializerCount() > 0) {
          graph.removeInitializer(random.nextInt(graph.getInitializerCount()));
        }
      }
      case 2 -> reshape(graph, random);
      case 3 -> {
        if (node.getInputCount() > 0) {
          node.setInput(random.nextInt(node.getInputCount()), "");
        }
      }
      case 4 -> graph.removeNode(random.nextInt(graph.getNodeCount()));
      case 5 -> {
        if (node.getAttributeCount() > 0) {
          changeAttribute(
              node.getAttributeBuilder(random.nextInt(node.getAttributeCount())), random);
        }
      }
      case 6 -> {
        if (node.getAttributeCount() > 0) {
          node.removeAttribute(random.nextInt(node.getAttributeCount()));
        }
      }
      case 7 -> {
        if (node.getInputCount() > 0) {
          int last = node.getInputCount() - 1;
          String rest = node.getInput(last);
          node.clearInput();
          if (random.nextBoolean()) {
            node.addInput(rest).addInput(rest).addInput(rest);
          }
        }
      }
      default -> {
        if (random.nextBoolean()) {
          node.clearOutput();
        } else {
          node.setOutput(0, "");
        }
      }
    }
  }

  private static void reshape(GraphProto.Builder graph, Random random) {
    if (graph.getInitializerCount() == 0) {
      return;
    }
    TensorProto.Builder tensor =
        graph.getInitializerBuilder(random.nextInt(graph.getInitializerCount()));
    switch (random.nextInt(5)) {
      case 0 -> tensor.addDims(1);
      case 1 -> tensor.clearDims();
      case 2 -> {
        if (tensor.getDimsCount() > 0) {
          long[] sizes = {0, -1, 3, 1L << 40, Long.MAX_VALUE, Integer.MAX_VALUE};
          tensor.setDims(random.nextInt(tensor.getDimsCount()), sizes[random.nextInt(6)]);
        }
      }
      case 3 -> tensor.setDataType(random.nextInt(24));
      default -> tensor.setRawData(ByteString.EMPTY);
    }
  }

  private static void changeAttribute(AttributeProto.Builder attribute, Random random) {
    long[] numbers = {0, -1, 1, 2, 7, -100, Long.MAX_VALUE};
    long number = numbers[random.nextInt(numbers.length)];
    switch (random.nextInt(4)) {
      case 0 -> attribute.setI(number);
      case 1 -> {
        if (attribute.getIntsCount() > 0) {
          attribute.setInts(random.nextInt(attribute.getIntsCount()), number);
        }
      }
      case 2 -> attribute.clearInts();
      default -> attribute.setType(AttributeProto.AttributeType.forNumber(1 + random.nextInt(8)));
    }
  }
}
