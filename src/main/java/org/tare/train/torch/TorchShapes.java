package org.tare.train.torch;

import static org.tare.train.torch.Form.one;
import static org.tare.train.torch.Form.several;
import static org.tare.train.torch.TorchOperators.axis;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.tare.onnx.ElementType;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/** Operators that move values, pick some of them, or make them of shapes. */
final class TorchShapes {
  private TorchShapes() {}

  static List<Form> forms() {
    return List.of(
        one("Flatten", TorchShapes::flatten),
        one("Reshape", TorchShapes::reshape),
        one("Transpose", TorchShapes::transpose),
        one("Squeeze", TorchShapes::squeeze),
        one("Unsqueeze", TorchShapes::unsqueeze),
        one("Concat", TorchShapes::concat),
        one("Slice", TorchShapes::slice),
        several("Split", TorchShapes::split),
        one("Gather", TorchShapes::gather),
        one("GatherElements", TorchShapes::gatherElements),
        several("TopK", TorchShapes::topK),
        one("Pad", TorchShapes::pad).unless(TorchShapes::unknownPadding),
        one("Expand", TorchShapes::expand),
        one("Tile", call -> call.x().repeat(Tensors.longs(call.in(1)))),
        one("Trilu", TorchShapes::triangle),
        one("DepthToSpace", TorchShapes::depthToSpace),
        one("SpaceToDepth", TorchShapes::spaceToDepth),
        one("Shape", TorchShapes::shape),
        one("Size", call -> Tensors.tensor(new long[] {call.x().numel()})),
        one("ConstantOfShape", TorchShapes::constant).unless(TorchShapes::unknownValue),
        one("Range", TorchShapes::range),
        one("Cast", TorchShapes::cast).unless(TorchShapes::unknownType));
  }

  private static Tensor flatten(Call call) {
    long[] shape = call.x().shape();
    long rows = 1;
    for (int i = 0; i < axis(call.whole("axis", 1), shape.length); i++) {
      rows *= shape[i];
    }
    return call.x().reshape(rows, rows == 0 ? 0 : call.x().numel() / rows);
  }

  private static Tensor reshape(Call call) {
    long[] wanted = Tensors.longs(call.in(1));
    if (call.whole("allowzero", 0) == 0) {
      for (int i = 0; i < wanted.length; i++) {
        wanted[i] = wanted[i] == 0 ? call.x().size(i) : wanted[i];
      }
    }
    return call.x().reshape(wanted);
  }

  private static Tensor transpose(Call call) {
    int rank = (int) call.x().dim();
    List<Long> given = call.node().intsAttribute("perm");
    long[] order = new long[rank];
    Arrays.setAll(order, i -> given.isEmpty() ? rank - 1 - i : given.get(i));
    return call.x().permute(order);
  }

  private static Tensor squeeze(Call call) {
    int rank = (int) call.x().dim();
    Optional<long[]> axes = call.wholes("axes", 1);
    if (axes.isEmpty()) {
      return call.x().squeeze();
    }
    Tensor x = call.x();
    long[] descending = Arrays.stream(axes.get()).map(a -> axis(a, rank)).sorted().toArray();
    for (int i = descending.length - 1; i >= 0; i--) {
      x = x.squeeze(descending[i]);
    }
    return x;
  }

  private static Tensor unsqueeze(Call call) {
    long[] axes = call.wholes("axes", 1).orElseThrow();
    int rank = (int) call.x().dim() + axes.length;
    Tensor x = call.x();
    for (long axis : Arrays.stream(axes).map(a -> axis(a, rank)).sorted().toArray()) {
      x = x.unsqueeze(axis);
    }
    return x;
  }

  private static Tensor concat(Call call) {
    return torch.cat(new TensorVector(call.inputs().toArray(Tensor[]::new)), call.whole("axis", 0));
  }

  private static Tensor slice(Call call) {
    long[] starts = call.wholes("starts", 1).orElseThrow();
    long[] ends = call.wholes("ends", 2).orElseThrow();
    Optional<long[]> axes = call.wholes("axes", 3);
    Optional<long[]> steps = call.wholes("steps", 4);
    Tensor x = call.x();
    for (int i = 0; i < starts.length; i++) {
      long step = steps.isPresent() ? steps.get()[i] : 1;
      long axis = axis(axes.isPresent() ? axes.get()[i] : i, (int) x.dim());
      x =
          step > 0
              ? x.slice(axis, new LongOptional(starts[i]), new LongOptional(ends[i]), step)
              : backwards(x, axis, starts[i], ends[i], step);
    }
    return x;
  }

  /** libtorch has no steps backwards. */
  private static Tensor backwards(Tensor x, long axis, long start, long end, long step) {
    long side = x.size(axis);
    long first = Math.min(start < 0 ? start + side : start, side - 1);
    // Below the first place is where a slice to the beginning ends.
    long last = Math.max(end < 0 ? end + side : end, -1);
    LongStream.Builder places = LongStream.builder();
    for (long place = first; place > last && place >= 0; place += step) {
      places.add(place);
    }
    return pick(x, axis, places.build().toArray());
  }

  private static Tensor pick(Tensor x, long axis, long[] places) {
    return x.index_select(axis, Tensors.tensor(places, places.length));
  }

  private static List<Tensor> split(Call call) {
    int axis = axis(call.whole("axis", 0), (int) call.x().dim());
    long side = call.x().size(axis);
    int parts = call.node().outputs().size();
    long even = (side + parts - 1) / parts;
    long[] sizes = call.wholes("split", 1).orElse(null);
    List<Tensor> results = new ArrayList<>();
    long from = 0;
    for (int i = 0; i < parts; i++) {
      long size = sizes == null ? Math.min(even, side - from) : sizes[i];
      results.add(call.x().narrow(axis, from, size));
      from += size;
    }
    return results;
  }

  private static Tensor gather(Call call) {
    long[] data = call.x().shape();
    int axis = axis(call.whole("axis", 0), data.length);
    long[] places = Tensors.longs(call.in(1));
    for (int i = 0; i < places.length; i++) {
      places[i] = places[i] < 0 ? places[i] + data[axis] : places[i];
    }
    Tensor picked = pick(call.x(), axis, places);
    long[] by = call.in(1).shape();
    long[] shape = new long[data.length - 1 + by.length];
    System.arraycopy(data, 0, shape, 0, axis);
    System.arraycopy(by, 0, shape, axis, by.length);
    System.arraycopy(data, axis + 1, shape, axis + by.length, data.length - axis - 1);
    return picked.reshape(shape);
  }

  private static Tensor pad(Call call) {
    long[] pads = padsOfAll(call);
    String mode = call.node().stringAttribute("mode", "constant");
    if (mode.equals("constant")) {
      float value = call.has(2) ? call.in(2).item_float() : 0f;
      return torch.constant_pad_nd(call.x(), lastAxisFirst(pads), new Scalar(value));
    }
    Tensor x = call.x();
    int rank = pads.length / 2;
    for (int axis = 0; axis < rank; axis++) {
      int side = Math.toIntExact(x.size(axis));
      long from = -pads[axis];
      long to = side + pads[rank + axis];
      if (from != 0 || to != side) {
        x = pick(x, axis, LongStream.range(from, to).map(i -> inside(mode, i, side)).toArray());
      }
    }
    return x;
  }

  private static Optional<String> unknownPadding(Node node) {
    String mode = node.stringAttribute("mode", "constant");
    return List.of("constant", "reflect", "edge", "wrap").contains(mode)
        ? Optional.empty()
        : Optional.of("its mode is " + mode);
  }

  /** The place whose value a place outside of the axis takes. */
  private static long inside(String mode, long place, int side) {
    return switch (mode) {
      case "edge" -> Math.max(0, Math.min(side - 1, place));
      case "wrap" -> Math.floorMod(place, side);
      default -> {
        // There and back again, without the last place twice.
        long round = Math.floorMod(place, Math.max(1, 2 * side - 2));
        yield round < side ? round : 2 * side - 2 - round;
      }
    };
  }

  /** The begins of all axes, then their ends. */
  private static long[] padsOfAll(Call call) {
    long[] pads = call.wholes("pads", 1).orElseThrow();
    if (!call.has(3)) {
      return pads;
    }
    long[] axes = Tensors.longs(call.in(3));
    int rank = (int) call.x().dim();
    long[] all = new long[2 * rank];
    for (int i = 0; i < axes.length; i++) {
      all[axis(axes[i], rank)] = pads[i];
      all[rank + axis(axes[i], rank)] = pads[axes.length + i];
    }
    return all;
  }

  /** ONNX has the begins of all axes, then their ends; libtorch both of the last axis first. */
  static long[] lastAxisFirst(long[] pads) {
    int rank = pads.length / 2;
    long[] turned = new long[pads.length];
    for (int i = 0; i < rank; i++) {
      turned[2 * i] = pads[rank - 1 - i];
      turned[2 * i + 1] = pads[2 * rank - 1 - i];
    }
    return turned;
  }

  private static Tensor expand(Call call) {
    long[] wanted = Tensors.longs(call.in(1));
    long[] own = call.x().shape();
    int rank = Math.max(wanted.length, own.length);
    long[] shape = new long[rank];
    for (int i = 1; i <= rank; i++) {
      long mine = i <= own.length ? own[own.length - i] : 1;
      long other = i <= wanted.length ? wanted[wanted.length - i] : 1;
      shape[rank - i] = mine == 1 ? other : mine;
    }
    return call.x().expand(shape);
  }

  private static Tensor shape(Call call) {
    long[] shape = call.x().shape();
    int from = axis(call.whole("start", 0), shape.length);
    int to = axis(call.whole("end", shape.length), shape.length);
    long[] part = Arrays.copyOfRange(shape, from, Math.max(from, to));
    return Tensors.tensor(part, part.length);
  }

  private static Tensor cast(Call call) {
    return as(call.x(), call.whole("to", 0));
  }

  private static Tensor as(Tensor x, long type) {
    if (type == ElementType.FLOAT32.code()) {
      return x.is_floating_point() ? x : x.to(torch.ScalarType.Float);
    } else if (type == ElementType.INT64.code()) {
      return x.to(torch.ScalarType.Long);
    } else if (type == ElementType.INT32.code()) {
      return x.to(torch.ScalarType.Int);
    }
    return x.to(torch.ScalarType.Bool);
  }

  private static Optional<String> unknownType(Node node) {
    long to = node.intAttribute("to", 0);
    return Stream.of(ElementType.FLOAT32, ElementType.INT64, ElementType.INT32, ElementType.BOOL)
            .anyMatch(type -> type.code() == to)
        ? Optional.empty()
        : Optional.of("it casts to another type than float32, int64, int32 and bool");
  }

  private static Tensor gatherElements(Call call) {
    int axis = axis(call.whole("axis", 0), (int) call.x().dim());
    Tensor places = call.in(1).to(torch.ScalarType.Long);
    // Places below 0 count from the end.
    Tensor added = places.lt(new Scalar(0)).mul(new Scalar(call.x().size(axis)));
    return call.x().gather(axis, places.add(added));
  }

  private static List<Tensor> topK(Call call) {
    T_TensorTensor_T found =
        call.x()
            .topk(
                Tensors.longs(call.in(1))[0],
                call.whole("axis", -1),
                call.whole("largest", 1) != 0,
                true);
    return List.of(found.get0(), found.get1());
  }

  private static Tensor triangle(Call call) {
    long diagonal = call.has(1) ? Tensors.longs(call.in(1))[0] : 0;
    return call.whole("upper", 1) != 0 ? call.x().triu(diagonal) : call.x().tril(diagonal);
  }

  private static Tensor depthToSpace(Call call) {
    long block = call.whole("blocksize", 1);
    long[] shape = call.x().shape();
    long depth = shape[1] / (block * block);
    boolean isRowsFirst = call.node().stringAttribute("mode", "DCR").equals("DCR");
    Tensor parts =
        isRowsFirst
            ? call.x()
                .reshape(shape[0], block, block, depth, shape[2], shape[3])
                .permute(0, 3, 4, 1, 5, 2)
            : call.x()
                .reshape(shape[0], depth, block, block, shape[2], shape[3])
                .permute(0, 1, 4, 2, 5, 3);
    return parts.reshape(shape[0], depth, shape[2] * block, shape[3] * block);
  }

  private static Tensor spaceToDepth(Call call) {
    long block = call.whole("blocksize", 1);
    long[] shape = call.x().shape();
    return call.x()
        .reshape(shape[0], shape[1], shape[2] / block, block, shape[3] / block, block)
        .permute(0, 3, 5, 1, 2, 4)
        .reshape(shape[0], shape[1] * block * block, shape[2] / block, shape[3] / block);
  }

  private static Tensor constant(Call call) {
    long[] shape = Tensors.longs(call.x());
    Optional<org.tare.onnx.Tensor> value = call.node().tensorAttribute("value");
    boolean isFloat = value.isEmpty() || value.get().type() == ElementType.FLOAT32;
    Tensor one =
        isFloat
            ? Tensors.tensor(new float[] {value.isEmpty() ? 0f : value.get().floats()[0]}, 1)
            : as(Tensors.tensor(value.get().longs(), 1), value.get().type().code());
    return one.expand(shape);
  }

  private static Optional<String> unknownValue(Node node) {
    return node.tensorAttribute("value")
        .map(org.tare.onnx.Tensor::type)
        .filter(
            type ->
                !List.of(
                        ElementType.FLOAT32, ElementType.INT64, ElementType.INT32, ElementType.BOOL)
                    .contains(type))
        .map(type -> "its value is " + type);
  }

  private static Tensor range(Call call) {
    double start = call.x().item_double();
    double step = call.in(2).item_double();
    long count = (long) Math.max(0, Math.ceil((call.in(1).item_double() - start) / step));
    long[] places = LongStream.range(0, count).toArray();
    return Tensors.tensor(places, count)
        .to(call.x().scalar_type().intern())
        .mul(call.in(2))
        .add(call.x());
  }
}
