package org.tare.infer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.tare.TareException;
import org.tare.infer.ModelSession.InputTensor;
import org.tare.onnx.ElementType;
import org.tare.onnx.ModelPieces;
import org.tare.onnx.ModelPieces.Piece;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.Tensor;
import org.tare.onnx.TensorType;
import org.tare.onnx.TestModel;

class PieceByPieceTest {
  private static final int ROUNDS = 1_200;

  /**
   * Rounds of four nodes; each reads its own constant, one that all read, the input, and what the
   * round before gives. The first result is read again at the end, by an If from inside too.
   */
  private static TestModel rounds(int rounds) {
    TestModel model =
        TestModel.opset(17)
            .input("x", -1, 3)
            .input("unread", ElementType.INT64, 2)
            .constant("w", new long[] {3, 3}, 1, 0, 0, 0, 0, 1, 0, 1, 0)
            .node("MatMul", List.of("x", "w"), List.of("first"))
            .node("Identity", List.of("first"), List.of("r0"));
    for (int i = 0; i < rounds; i++) {
      String own = "c" + i;
      model
          .constant(own, new long[] {1}, i % 7)
          .node("MatMul", List.of("r" + i, "w"), List.of("m" + i))
          .node("Add", List.of("m" + i, own), List.of("a" + i))
          .node("Sub", List.of("a" + i, "x"), List.of("s" + i))
          .node("Relu", List.of("s" + i), List.of("r" + (i + 1)));
    }
    TestModel inner =
        TestModel.opset(17)
            .node("Add", List.of("first", "r1"), List.of("sum"))
            .output("sum", -1, 3);
    return model
        .initializer(Tensor.ofBytes("yes", ElementType.BOOL, new long[0], new byte[] {1}))
        .node("If", List.of("yes"), List.of("i"), "then_branch", inner, "else_branch", inner)
        .node("Shape", List.of("r" + rounds), List.of("shape"))
        .node("Add", List.of("i", "r" + rounds), List.of("y"))
        .output("r5", -1, 3)
        .output("shape", ElementType.INT64, 2)
        .output("y", -1, 3);
  }

  private static PieceByPiece cut(OnnxModel model) {
    return PieceByPiece.ofMoreThan(10, model, "m.onnx").orElseThrow();
  }

  @Test
  void piecesHoldEveryNodeOnceAndReadWhatThoseBeforeThemGive() {
    OnnxModel model = rounds(ROUNDS).read();
    List<Piece> pieces = ModelPieces.ofMoreThan(10, model).orElseThrow().pieces();
    assertTrue(pieces.size() > 2, pieces.size() + " pieces");
    assertEquals(
        model.graph().nodes(), pieces.stream().flatMap(piece -> piece.nodes().stream()).toList());
    Set<String> known = new HashSet<>(model.graph().inputNames());
    for (Piece piece : pieces) {
      assertTrue(piece.nodes().size() <= 2_000, piece.nodes().size() + " nodes");
      assertTrue(known.containsAll(piece.reads()), piece.reads().toString());
      known.addAll(piece.gives());
    }
    assertTrue(known.containsAll(model.graph().outputNames()));
    assertEquals(
        ROUNDS,
        pieces.stream().mapToLong(piece -> ownConstants(piece)).sum(),
        "each constant once");
  }

  private static long ownConstants(Piece piece) {
    return piece.constants().keySet().stream().filter(name -> name.startsWith("c")).count();
  }

  @Test
  void typesAreThoseOfTheWholeModel() {
    OnnxModel model = rounds(ROUNDS).read();
    Map<String, TensorType> types =
        cut(model).types(model, ModelSession::openForTypes).orElseThrow();
    try (TemporaryModel file = TemporaryModel.of(model);
        ModelSession whole = ModelSession.openForTypes(file.file(), "m.onnx")) {
      assertEquals(
          Set.of("x", "unread", "r5", "shape", "y"), types.keySet(), "inputs and outputs only");
      whole.inputs().forEach((name, type) -> assertEquals(type, types.get(name), name));
      whole.outputs().forEach((name, type) -> assertEquals(type, types.get(name), name));
    }
  }

  @Test
  void runsOnARow() {
    OnnxModel model = rounds(ROUNDS).read();
    PieceByPiece pieces = cut(model);
    List<Map<String, InputTensor>> rows = MadeUpInputs.of(pieces.inputs());
    assertEquals(Set.of("x", "unread"), rows.get(0).keySet());
    assertTrue(pieces.takes(rows.get(0)));
  }

  /** What fails behind thousands of nodes is told as of a small model. */
  @Test
  void theFirstRunOfALargeModelNamesTheNodeThatStops() {
    int rounds = FirstRun.MANY_NODES / 4 + 1;
    OnnxModel good = rounds(rounds).read();
    OnnxModel bad =
        rounds(rounds)
            .longs("five", 5)
            .node("Reshape", List.of("y", "five"), List.of("z"))
            .output("z", 5)
            .read();
    Map<String, TensorType> types = TensorTypes.of(good, "m.onnx");
    assertEquals(
        Optional.empty(), FirstRun.check(good, good, good, types, "m.onnx", Optional.empty()));
    TareException e =
        assertThrows(
            TareException.class,
            () -> FirstRun.check(bad, good, good, types, "m.onnx", Optional.empty()));
    assertTrue(e.getMessage().contains("it stops at Reshape("), e.getMessage());
  }

  @Test
  void whatIsRefusedInAPieceIsNotKnown() {
    TestModel made = rounds(ROUNDS);
    OnnxModel model =
        made.node("Relu", List.of("y"), List.of("z"), "slope", 1f).output("z", -1, 3).read();
    assertEquals(Optional.empty(), cut(model).types(model, ModelSession::openAsItIs));
    TareException e = assertThrows(TareException.class, () -> TensorTypes.asItIs(model, "m.onnx"));
    assertTrue(e.getMessage().contains("slope"), e.getMessage());
  }

  @Test
  void smallModelsAndOnesWithDefaultsStayWhole() {
    assertFalse(ModelPieces.ofMoreThan(100, rounds(6).read()).isPresent());
    OnnxModel defaults =
        rounds(ROUNDS)
            .input("more", 1)
            .constant("more", new long[] {1}, 3)
            .node("Add", List.of("y", "more"), List.of("z"))
            .output("z", -1, 3)
            .read();
    assertFalse(ModelPieces.ofMoreThan(10, defaults).isPresent());
  }

  /** Pieces that all read one large constant would take more than the model does. */
  @Test
  void largeConstantsAreNotWrittenForEachPiece() {
    int size = 3_000_000;
    TestModel model =
        TestModel.opset(17).input("x", 1).constant("large", new long[] {size}, new float[size]);
    for (int i = 0; i < 20_000; i++) {
      model.node(i % 1_999 == 0 ? "Add" : "Relu", reads(i), List.of("t" + i));
    }
    OnnxModel read = model.output("t19999", size).read();
    assertFalse(ModelPieces.ofMoreThan(10, read).isPresent());
  }

  private static List<String> reads(int i) {
    String before = i == 0 ? "x" : "t" + (i - 1);
    return i % 1_999 == 0 ? List.of(before, "large") : List.of(before);
  }

  @Test
  void modelsOfManyInputsAreCutEvenIfTheyHaveFewNodes() {
    OnnxModel model = inputs(1_001).read();
    PieceByPiece pieces = PieceByPiece.ofMoreThan(10_000, model, "m.onnx").orElseThrow();
    assertEquals(2_002, pieces.types(model, ModelSession::openForTypes).orElseThrow().size());
    assertTrue(pieces.takes(MadeUpInputs.of(pieces.inputs()).get(0)));
    assertFalse(PieceByPiece.ofMoreThan(10_000, inputs(1_000).read(), "m.onnx").isPresent());
  }

  private static TestModel inputs(int count) {
    TestModel model = TestModel.opset(17);
    for (int i = 0; i < count; i++) {
      model.input("x" + i, 1).node("Relu", List.of("x" + i), List.of("y" + i)).output("y" + i, 1);
    }
    return model;
  }
}
