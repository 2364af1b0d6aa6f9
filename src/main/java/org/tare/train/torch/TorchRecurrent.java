package org.tare.train.torch;

import static org.tare.train.torch.Form.several;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.tare.onnx.Node;
import org.tare.train.torch.TorchOperators.Call;

/**
 * LSTM, GRU and RNN, step by step as ONNX defines them. Weights have a first axis for the
 * directions; the gates of a direction stand one below the other.
 */
final class TorchRecurrent {
  private static final int W = 1;
  private static final int R = 2;
  private static final int B = 3;
  private static final int LENGTHS = 4;
  private static final int FIRST_H = 5;
  private static final int FIRST_C = 6;
  private static final int PEEPHOLES = 7;

  private TorchRecurrent() {}

  static List<Form> forms() {
    Set<String> sigmoid = Set.of("sigmoid");
    Set<String> tanh = Set.of("tanh");
    return List.of(
        several("LSTM", call -> run(call, TorchRecurrent::lstm, 2))
            .unless(node -> obstacle(node, List.of(sigmoid, tanh, tanh))),
        several("GRU", call -> run(call, TorchRecurrent::gru, 1))
            .unless(node -> obstacle(node, List.of(sigmoid, tanh))),
        several("RNN", call -> run(call, TorchRecurrent::rnn, 1))
            .unless(node -> obstacle(node, List.of(Set.of("tanh", "relu")))));
  }

  /**
   * Why a node has no form.
   *
   * @param usual which activations the functions of one direction may be
   */
  private static Optional<String> obstacle(Node node, List<Set<String>> usual) {
    if (!node.input(PEEPHOLES).isEmpty()) {
      return Optional.of("it has peepholes");
    } else if (node.intAttribute("layout", 0) != 0) {
      return Optional.of("its layout is " + node.intAttribute("layout", 0));
    } else if (node.hasAttribute("clip")) {
      return Optional.of("it clips what its functions read");
    } else if (node.intAttribute("input_forget", 0) != 0) {
      return Optional.of("its input_forget is set");
    }
    List<String> given = node.stringsAttribute("activations");
    for (int i = 0; i < given.size(); i++) {
      if (!usual.get(i % usual.size()).contains(given.get(i).toLowerCase(Locale.ROOT))) {
        return Optional.of("it has the activation " + given.get(i));
      }
    }
    return Optional.empty();
  }

  /**
   * One direction.
   *
   * @param ofInputs what the inputs bring to the gates, of all steps: [steps, rows, gates * hidden]
   * @param r [gates * hidden, hidden]
   * @param bias of what the hidden state brings to the gates: [gates * hidden]; null for none
   */
  private record Direction(Call call, Tensor ofInputs, Tensor r, Tensor bias, int index) {
    /** What the hidden state brings to some of the gates. */
    Tensor ofHidden(Tensor h, int first, int gates) {
      long hidden = r.size(1);
      Tensor product = torch.matmul(h, r.narrow(0, first * hidden, gates * hidden).t());
      return bias == null ? product : product.add(bias.narrow(0, first * hidden, gates * hidden));
    }

    /** The part of one gate. */
    Tensor gate(Tensor of, int gate) {
      long hidden = r.size(1);
      return of.narrow(of.dim() - 1, gate * hidden, hidden);
    }
  }

  /**
   * Gives the next states from those before: the hidden one, and that of the cell if there is one.
   */
  @FunctionalInterface
  private interface Cell {
    List<Tensor> next(Direction direction, Tensor ofInput, List<Tensor> before);
  }

  private static List<Tensor> run(Call call, Cell cell, int states) {
    String direction = call.node().stringAttribute("direction", "forward");
    int directions = direction.equals("bidirectional") ? 2 : 1;
    List<List<Tensor>> found = new ArrayList<>();
    for (int i = 0; i < directions; i++) {
      boolean isBackwards = direction.equals("reverse") || i == 1;
      found.add(run(direction(call, i), cell, states, isBackwards));
    }
    List<Tensor> results = new ArrayList<>();
    for (int out = 0; out <= states; out++) {
      int place = out;
      results.add(
          torch.stack(
              vector(found.stream().map(one -> one.get(place)).toList()), out == 0 ? 1 : 0));
    }
    return results;
  }

  private static TensorVector vector(List<Tensor> tensors) {
    return new TensorVector(tensors.toArray(Tensor[]::new));
  }

  private static Direction direction(Call call, int index) {
    Tensor ofInputs = torch.matmul(call.x(), call.in(W).select(0, index).t());
    Tensor bias = null;
    if (call.has(B)) {
      Tensor both = call.in(B).select(0, index);
      long gates = both.size(0) / 2;
      ofInputs = ofInputs.add(both.narrow(0, 0, gates));
      bias = both.narrow(0, gates, gates);
    }
    return new Direction(call, ofInputs, call.in(R).select(0, index), bias, index);
  }

  /** The hidden states of all steps, and the last of all states. */
  private static List<Tensor> run(Direction direction, Cell cell, int states, boolean isBackwards) {
    Call call = direction.call();
    int steps = Math.toIntExact(call.x().size(0));
    List<Tensor> now = new ArrayList<>();
    for (int state = 0; state < states; state++) {
      int input = state == 0 ? FIRST_H : FIRST_C;
      now.add(
          call.has(input)
              ? call.in(input).select(0, direction.index())
              : direction.ofInputs().new_zeros(call.x().size(1), direction.r().size(1)));
    }
    Tensor[] hidden = new Tensor[steps];
    for (int i = 0; i < steps; i++) {
      int step = isBackwards ? steps - 1 - i : i;
      List<Tensor> next = cell.next(direction, direction.ofInputs().select(0, step), now);
      hidden[step] = next.get(0);
      if (call.has(LENGTHS)) {
        Tensor isInside = call.in(LENGTHS).gt(new Scalar(step)).unsqueeze(1);
        hidden[step] = hidden[step].mul(isInside);
        next = kept(isInside, next, now);
      }
      now = next;
    }
    List<Tensor> results = new ArrayList<>();
    results.add(torch.stack(vector(Arrays.asList(hidden)), 0));
    results.addAll(now);
    return results;
  }

  /** Behind the end of a row its states stay. */
  private static List<Tensor> kept(Tensor isInside, List<Tensor> next, List<Tensor> before) {
    List<Tensor> kept = new ArrayList<>();
    for (int i = 0; i < next.size(); i++) {
      kept.add(torch.where(isInside, next.get(i), before.get(i)));
    }
    return kept;
  }

  private static List<Tensor> lstm(Direction direction, Tensor ofInput, List<Tensor> before) {
    Tensor gates = ofInput.add(direction.ofHidden(before.get(0), 0, 4));
    Tensor in = torch.sigmoid(direction.gate(gates, 0));
    Tensor out = torch.sigmoid(direction.gate(gates, 1));
    Tensor forget = torch.sigmoid(direction.gate(gates, 2));
    Tensor fresh = torch.tanh(direction.gate(gates, 3));
    Tensor cell = forget.mul(before.get(1)).add(in.mul(fresh));
    return List.of(out.mul(torch.tanh(cell)), cell);
  }

  private static List<Tensor> gru(Direction direction, Tensor ofInput, List<Tensor> before) {
    Tensor h = before.get(0);
    boolean isAfter = direction.call().whole("linear_before_reset", 0) != 0;
    Tensor ofHidden = direction.ofHidden(h, 0, 2);
    Tensor update = torch.sigmoid(direction.gate(ofInput, 0).add(direction.gate(ofHidden, 0)));
    Tensor reset = torch.sigmoid(direction.gate(ofInput, 1).add(direction.gate(ofHidden, 1)));
    Tensor fresh =
        isAfter ? reset.mul(direction.ofHidden(h, 2, 1)) : direction.ofHidden(reset.mul(h), 2, 1);
    fresh = torch.tanh(direction.gate(ofInput, 2).add(fresh));
    return List.of(fresh.add(update.mul(h.sub(fresh))));
  }

  private static List<Tensor> rnn(Direction direction, Tensor ofInput, List<Tensor> before) {
    List<String> functions = direction.call().node().stringsAttribute("activations");
    String function = functions.isEmpty() ? "Tanh" : functions.get(direction.index());
    Tensor sum = ofInput.add(direction.ofHidden(before.get(0), 0, 1));
    return List.of(function.equalsIgnoreCase("relu") ? torch.relu(sum) : torch.tanh(sum));
  }
}
