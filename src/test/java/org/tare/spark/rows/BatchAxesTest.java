package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;

class BatchAxesTest {
  /**
   * Inputs as in {@code x[batch,64] h[2,batch,16] sr[]}; a question mark is a size without a name.
   */
  private static Map<String, TensorType> inputs(String text) {
    Map<String, TensorType> inputs = new LinkedHashMap<>();
    for (String input : text.split(" ")) {
      String name = input.substring(0, input.indexOf('['));
      String inner = input.substring(name.length() + 1, input.length() - 1);
      List<String> sizes = inner.isEmpty() ? List.of() : List.of(inner.split(","));
      long[] shape =
          sizes.stream().mapToLong(s -> s.matches("\\d+") ? Long.parseLong(s) : -1).toArray();
      List<String> names = sizes.stream().map(s -> s.matches("\\d+|\\?") ? "" : s).toList();
      inputs.put(name, new TensorType(ElementType.FLOAT32, shape, names));
    }
    return inputs;
  }

  private static BatchAxes axes(String text, Map<String, InputSpec> specs) {
    return BatchAxes.of("Cannot calibrate m.onnx", inputs(text), specs);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "x[batch,64] | {x=0} | OptionalInt.empty",
        "x[?,64] | {x=0} | OptionalInt.empty",
        "x[8,64] | {x=0} | OptionalInt[8]",
        "x[unk_1,64] y[unk_2,8] | {x=0, y=0} | OptionalInt.empty",
        "x[?,64] y[?,8] | {x=0, y=0} | OptionalInt.empty",
        "ids[batch,seq] mask[batch,seq] | {ids=0, mask=0} | OptionalInt.empty",
        // States of recurrent models.
        "x[batch,64] h[2,batch,16] | {x=0, h=1} | OptionalInt.empty",
        "h[2,batch,16] x[batch,64] | {h=1, x=0} | OptionalInt.empty",
        "x[batch_size,n] h[2,batch_size,16] sr[] | {x=0, h=1, sr=-1} | OptionalInt.empty",
        "x[rows,64] h[2,rows,16] c[2,rows,16] | {x=0, h=1, c=1} | OptionalInt.empty",
        "x[rows,seq] y[rows_y,4] h[2,4,rows] | {x=0, y=0, h=2} | OptionalInt.empty",
        "x[seq,batch,64] h[1,batch,16] | {x=1, h=1} | OptionalInt.empty",
        "x[seq,Batch,64] | {x=1} | OptionalInt.empty",
        // One name for all that varies.
        "x[N,N] y[N] | {x=0, y=0} | OptionalInt.empty",
        // Without an axis for rows, or traced with one row.
        "x[N,64] s[] | {x=0, s=-1} | OptionalInt.empty",
        "s[] t[] | {s=-1, t=-1} | OptionalInt[1]",
        "x[1,64] h[2,1,16] sr[] | {x=-1, h=-1, sr=-1} | OptionalInt[1]",
        "x[1,samples] h[2,1,16] | {x=-1, h=-1} | OptionalInt[1]",
        "x[3,8,8] k[4] | {x=-1, k=-1} | OptionalInt[1]",
        "x[batch,3,8,8] k[1,2] | {x=0, k=0} | OptionalInt[1]",
      })
  void axesFollowFromNamesAndSizes(String inputs, String axes, String size) {
    BatchAxes found = axes(inputs, Map.of());
    assertEquals(axes, found.axes().toString());
    assertEquals(size, found.size().toString());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "x[batch,64] h[2,?,16] | h | no size of it has the name of the rows of \"x\"",
        "x[?,64] h[2,?,16] | h | no size of it has the name of the rows of \"x\"",
        "x[batch,64] h[2,other,16] | h | no size of it has the name of the rows of \"x\"",
        "x[batch,64] k[4] | k | no size of it has the name of the rows of \"x\"",
        "x[batch,seq,8] p[seq] | p | its first size is named \"seq\", which is no number of rows",
      })
  void whatDoesNotShowIsRefused(String inputs, String name, String why) {
    TareException e = assertThrows(TareException.class, () -> axes(inputs, Map.of()));
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    assertTrue(e.getMessage().contains("which axis of input \"" + name + "\""), e.getMessage());
    assertTrue(e.getMessage().contains(why), e.getMessage());
    assertTrue(e.getMessage().contains("set inputs." + name + ".axis"), e.getMessage());
  }

  @Test
  void settingsSayTheAxis() {
    Map<String, InputSpec> second = Map.of("h", new InputSpecs().axis(1).spec());
    assertEquals("{x=0, h=1}", axes("x[?,64] h[2,?,16]", second).axes().toString());
    Map<String, InputSpec> none = Map.of("h", new InputSpecs().axis(-1).spec());
    assertEquals("{x=0, h=-1}", axes("x[batch,64] h[4]", none).axes().toString());
    BatchAxes all = axes("x[4,64]", Map.of("x", new InputSpecs().axis(InputSpec.NO_AXIS).spec()));
    assertTrue(all.isRowByRow());
    assertEquals(OptionalInt.of(1), all.size());
    // What one input is said to count, others count by its name.
    Map<String, InputSpec> last = Map.of("x", new InputSpecs().axis(1).spec());
    assertEquals("{x=1, h=2}", axes("x[64,k] h[3,2,k]", last).axes().toString());
    assertFalse(axes("x[64,k] h[3,2,k]", last).isRowByRow());
  }

  @Test
  void axesThatAreNotThereAreRefused() {
    TareException e =
        assertThrows(
            TareException.class,
            () -> axes("x[?,64]", Map.of("x", new InputSpecs().axis(2).spec())));
    assertEquals(
        "inputs.x.axis cannot be 2: the input is float32 [N,64], whose axes are 0 to 1, or none",
        e.getMessage());
    TareException sizes =
        assertThrows(
            TareException.class,
            () -> axes("x[4,64] h[2,3,16]", Map.of("h", new InputSpecs().axis(1).spec())));
    assertTrue(sizes.getMessage().contains("3 in input \"h\""), sizes.getMessage());
  }
}
