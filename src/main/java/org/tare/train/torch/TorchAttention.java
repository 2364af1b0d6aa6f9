package org.tare.train.torch;

import static org.tare.train.torch.Form.one;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/**
 * Attention as one operator, ONNX's and ONNX Runtime's: softmax(q k' * scale + mask) v, for each
 * head.
 */
final class TorchAttention {
  private TorchAttention() {}

  static List<Form> forms() {
    return List.of(
        one("Attention", TorchAttention::standard).unless(TorchAttention::standardObstacle),
        one("com.microsoft:Attention", TorchAttention::packed)
            .unless(TorchAttention::packedObstacle),
        one("com.microsoft:MultiHeadAttention", TorchAttention::multiHead)
            .unless(TorchAttention::multiHeadObstacle));
  }

  /** Says which of the inputs from a place on is given; they have these names. */
  private static Optional<String> readsMore(Node node, int from, String... names) {
    for (int i = 0; i < names.length; i++) {
      if (!node.input(from + i).isEmpty()) {
        return Optional.of("it reads " + names[i]);
      }
    }
    return Optional.empty();
  }

  private static Optional<String> setting(Node node, String... attributes) {
    return Arrays.stream(attributes)
        .filter(attribute -> node.intAttribute(attribute, 0) != 0)
        .findFirst()
        .map(attribute -> "its " + attribute + " is set");
  }

  private static Optional<String> packedObstacle(Node node) {
    return TorchOperators.severalOutputs(node)
        .or(() -> readsMore(node, 4, "past"))
        .or(() -> readsMore(node, 6, "past_sequence_length"))
        .or(() -> setting(node, "do_rotary", "past_present_share_buffer"));
  }

  private static Optional<String> multiHeadObstacle(Node node) {
    return TorchOperators.severalOutputs(node)
        .or(() -> readsMore(node, 6, "past_key", "past_value", "past_sequence_length"))
        .or(
            () ->
                node.input(1).isEmpty() || node.input(2).isEmpty()
                    ? Optional.of("its query, key and value are one tensor")
                    : Optional.empty());
  }

  private static Optional<String> standardObstacle(Node node) {
    return TorchOperators.severalOutputs(node)
        .or(() -> readsMore(node, 4, "past_key", "past_value", "nonpad_kv_seqlen"))
        .or(
            () ->
                node.floatAttribute("softcap", 0f) == 0f
                    ? Optional.empty()
                    : Optional.of("its softcap is set"));
  }

  /** Heads apart: of [rows, places, heads * size] to [rows, heads, places, size]. */
  private static Tensor heads(Tensor x, long heads) {
    return x.reshape(x.size(0), x.size(1), heads, x.size(2) / heads).transpose(1, 2);
  }

  private static Tensor together(Tensor x) {
    return x.transpose(1, 2).reshape(x.size(0), x.size(2), x.size(1) * x.size(3));
  }

  /**
   * Attention of heads.
   *
   * @param mask what is added to the products, or null
   */
  private static Tensor attend(Tensor q, Tensor k, Tensor v, double scale, Tensor mask) {
    Tensor products = torch.matmul(q, k.transpose(-2, -1)).mul(new Scalar(scale));
    Tensor masked = mask == null ? products : products.add(mask);
    return torch.matmul(torch.softmax(masked, -1), v);
  }

  private static double scale(Call call, Tensor q) {
    float given = call.node().floatAttribute("scale", 0f);
    return given == 0f ? 1 / Math.sqrt((double) q.size(-1)) : given;
  }

  private static Tensor sum(Tensor mask, Tensor other) {
    return mask == null ? other : mask.add(other);
  }

  /** A number where a condition does not hold, else 0, of the type of x. */
  private static Tensor where(Tensor isSeen, double otherwise, Tensor x) {
    Tensor zeros = x.detach().new_zeros(isSeen.shape());
    return zeros.masked_fill(isSeen.logical_not(), new Scalar(otherwise));
  }

  /** Hides what comes later. */
  private static Tensor causal(long queries, long keys, double hidden, Tensor x) {
    Tensor isSeen = x.detach().new_ones(queries, keys).tril().gt(new Scalar(0));
    return where(isSeen, hidden, x);
  }

  private static Tensor packed(Call call) {
    long heads = call.whole("num_heads", 1);
    Tensor all = torch.matmul(call.x(), call.in(1));
    if (call.has(2)) {
      all = all.add(call.in(2));
    }
    List<Long> sizes = call.node().intsAttribute("qkv_hidden_sizes");
    long third = all.size(2) / 3;
    Tensor[] parts = new Tensor[3];
    long from = 0;
    for (int i = 0; i < 3; i++) {
      long size = sizes.isEmpty() ? third : sizes.get(i);
      parts[i] = heads(all.narrow(2, from, size), heads);
      from += size;
    }
    double hidden = call.node().floatAttribute("mask_filter_value", -10000f);
    long places = call.x().size(1);
    Tensor mask = call.has(3) ? padding(call, call.in(3), places, hidden) : null;
    if (call.whole("unidirectional", 0) != 0) {
      mask = sum(mask, causal(places, places, hidden, all));
    }
    if (call.has(5)) {
      mask = sum(mask, call.in(5));
    }
    return together(attend(parts[0], parts[1], parts[2], scale(call, parts[0]), mask));
  }

  /** What is added where a key is none: by the number of keys of each row, or for each of them. */
  private static Tensor padding(Call call, Tensor keys, long places, double hidden) {
    Tensor x = call.x();
    if (keys.dim() == 1 && keys.size(0) == x.size(0)) {
      long[] counted = new long[(int) places];
      Arrays.setAll(counted, i -> i);
      Tensor isKey = Tensors.tensor(counted, 1, places).lt(keys.unsqueeze(1));
      return where(isKey, hidden, x).unsqueeze(1).unsqueeze(1);
    } else if (keys.dim() == 2) {
      return where(keys.gt(new Scalar(0)), hidden, x).unsqueeze(1).unsqueeze(1);
    } else if (keys.dim() == 3) {
      return where(keys.gt(new Scalar(0)), hidden, x).unsqueeze(1);
    }
    throw call.cannot("its mask has the shape " + Arrays.toString(keys.shape()));
  }

  private static Tensor multiHead(Call call) {
    if (call.x().dim() != 3 || call.in(1).dim() != 3) {
      throw call.cannot("its query, key and value do not have three axes each");
    }
    long heads = call.whole("num_heads", 1);
    Tensor[] parts = new Tensor[3];
    long from = 0;
    for (int i = 0; i < 3; i++) {
      Tensor part = call.in(i);
      if (call.has(3)) {
        part = part.add(call.in(3).narrow(0, from, part.size(2)));
      }
      from += part.size(2);
      parts[i] = heads(part, heads);
    }
    double hidden = call.node().floatAttribute("mask_filter_value", -10000f);
    long keys = call.in(1).size(1);
    Tensor mask = call.has(4) ? padding(call, call.in(4), keys, hidden) : null;
    if (call.whole("unidirectional", 0) != 0) {
      mask = sum(mask, causal(call.x().size(1), keys, hidden, call.x()));
    }
    if (call.has(5)) {
      mask = sum(mask, call.in(5));
    }
    return together(attend(parts[0], parts[1], parts[2], scale(call, parts[0]), mask));
  }

  private static Tensor standard(Call call) {
    boolean isFlat = call.x().dim() == 3;
    long queryHeads = isFlat ? call.whole("q_num_heads", 1) : call.x().size(1);
    long keyHeads = isFlat ? call.whole("kv_num_heads", 1) : call.in(1).size(1);
    Tensor q = isFlat ? heads(call.x(), queryHeads) : call.x();
    Tensor k = isFlat ? heads(call.in(1), keyHeads) : call.in(1);
    Tensor v = isFlat ? heads(call.in(2), keyHeads) : call.in(2);
    long group = queryHeads / keyHeads;
    if (group > 1) {
      k = k.repeat_interleave(group, new LongOptional(1), new LongOptional());
      v = v.repeat_interleave(group, new LongOptional(1), new LongOptional());
    }
    Tensor mask = null;
    if (call.has(3)) {
      boolean isFloat = call.in(3).is_floating_point();
      mask = isFloat ? call.in(3) : where(call.in(3), Double.NEGATIVE_INFINITY, q);
    }
    if (call.whole("is_causal", 0) != 0) {
      mask = sum(mask, causal(q.size(2), k.size(2), Double.NEGATIVE_INFINITY, q));
    }
    Tensor y = attend(q, k, v, scale(call, q), mask);
    return isFlat ? together(y) : y;
  }
}
