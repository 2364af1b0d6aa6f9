package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectOutputStream;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;
import org.tare.spark.rows.InputBinding.Source;

class InputBindingTest {
  static final StructType VECTOR =
      (StructType)
          DataType.fromDDL("type tinyint, size int, indices array<int>, values array<double>");
  static final StructType IMAGE =
      (StructType)
          DataType.fromDDL(
              "origin string, height int, width int, nChannels int, mode int, data binary");

  private static TensorType type(ElementType type, long... shape) {
    return new TensorType(type, shape);
  }

  private static final TensorType PIXELS = type(ElementType.FLOAT32, -1, 3, 8, 6);

  static InputBinding bind(TensorType type, DataType column, InputSpecs spec) {
    return InputBinding.bind(
            "calibrate",
            "m.onnx",
            Map.of("x", type),
            Map.of("x", spec.spec()),
            new ColumnNames(new StructType().add("x", column), false))
        .get(0);
  }

  private static String refusal(int status, TensorType type, DataType column, InputSpecs spec) {
    TareException e = assertThrows(TareException.class, () -> bind(type, column, spec));
    assertEquals(status, e.kind().exitStatus(), e.getMessage());
    return e.getMessage();
  }

  @Test
  void allIsDerived() {
    InputBinding binding = bind(PIXELS, DataTypes.BinaryType, new InputSpecs());
    assertEquals("x", binding.input());
    assertEquals("x", binding.column());
    assertEquals("float32 [N,3,8,6]", binding.expects());
    assertEquals(Source.UINT8_BYTES, binding.source());
    assertArrayEquals(new long[] {3, 8, 6}, binding.shape());
    assertTrue(binding.transform().keepsValues());
    assertFalse(binding.exact(), "float32 is not an integer");
  }

  @Test
  void everyFieldIsTaken() throws IOException {
    InputBinding binding =
        InputBinding.bind(
                "calibrate",
                "m.onnx",
                Map.of("x", type(ElementType.FLOAT32, -1, 3, -1, -1)),
                Map.of(
                    "x",
                    new InputSpecs()
                        .column("pixels")
                        .dtype("INT8")
                        .shape(3L, 8L, 6L)
                        .scale(0.5)
                        .mean(1.0, 2.0, 3.0)
                        .std(4.0, 5.0, 6.0)
                        .nhwc()
                        .spec()),
                new ColumnNames(
                    new StructType()
                        .add("x", DataTypes.FloatType)
                        .add("pixels", DataTypes.BinaryType),
                    true))
            .get(0);
    assertEquals("pixels", binding.column());
    assertEquals(Source.INT8_BYTES, binding.source());
    assertArrayEquals(new long[] {3, 8, 6}, binding.shape());
    assertEquals(0, binding.channelAxis());
    InputSpec.Transform transform = binding.transform();
    assertEquals(0.5, transform.scale());
    assertArrayEquals(new double[] {1, 2, 3}, transform.mean());
    assertArrayEquals(new double[] {4, 5, 6}, transform.std());
    assertTrue(transform.channelsLast());
    InputBinding image =
        bind(PIXELS, DataTypes.BinaryType, new InputSpecs().image().resize(9).crop(8, 6));
    assertEquals(Source.IMAGE, image.source());
    assertArrayEquals(new int[] {9}, image.transform().resize());
    assertArrayEquals(new int[] {8, 6}, image.transform().crop());
    // It travels to the executors.
    new ObjectOutputStream(new ByteArrayOutputStream()).writeObject(List.of(binding, image));
  }

  @ParameterizedTest
  @CsvSource({
    "uint8, UINT8_BYTES",
    "int8, INT8_BYTES",
    "int32, INT32_BYTES",
    "int64, INT64_BYTES",
    "float16, FLOAT16_BYTES",
    "FLOAT64, FLOAT64_BYTES",
    "Float32, FLOAT32_BYTES"
  })
  void dtypeSaysWhatBytesAre(String dtype, Source source) {
    assertEquals(
        source, bind(PIXELS, DataTypes.BinaryType, new InputSpecs().dtype(dtype)).source());
  }

  static Stream<Arguments> sources() {
    return Stream.of(
        Arguments.of("float", Source.SCALAR, false),
        Arguments.of("decimal(10,2)", Source.SCALAR, true),
        Arguments.of("boolean", Source.SCALAR, true),
        Arguments.of("bigint", Source.SCALAR, true),
        Arguments.of("array<tinyint>", Source.ARRAY, true),
        Arguments.of("array<smallint>", Source.ARRAY, true),
        Arguments.of("array<boolean>", Source.ARRAY, true),
        Arguments.of("array<decimal(38,0)>", Source.ARRAY, true),
        Arguments.of("array<array<array<float>>>", Source.ARRAY, false),
        Arguments.of("array<array<bigint>>", Source.ARRAY, true),
        Arguments.of("binary", Source.INT64_BYTES, true));
  }

  @ParameterizedTest
  @MethodSource("sources")
  void columnsOfTheseTypesAreRead(String ddl, Source source, boolean exact) {
    InputBinding binding =
        bind(type(ElementType.INT64, -1, 4), DataType.fromDDL(ddl), new InputSpecs());
    assertEquals(source, binding.source());
    assertEquals(exact, binding.exact());
    InputBinding scaled =
        bind(type(ElementType.INT64, -1, 4), DataType.fromDDL(ddl), new InputSpecs().scale(2));
    assertFalse(scaled.exact(), "scaling is arithmetic on floating-point numbers");
  }

  @Test
  void imagesAndVectorsOfSparkAreKnownByTheirFields() {
    assertEquals(Source.PIXELS, bind(PIXELS, IMAGE, new InputSpecs().crop(8, 6)).source());
    assertEquals(
        Source.VECTOR, bind(type(ElementType.FLOAT32, -1, 4), VECTOR, new InputSpecs()).source());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "string | cannot be read from column \"x\" of type string: it takes binary, numbers,"
            + " booleans, arrays of these, and Spark's images and vectors",
        "array<string> | cannot be read from column \"x\" of type array<string>",
        "map<int,int> | cannot be read from column \"x\" of type map<int,int>",
        "struct<bytes:binary,path:string> | name one of its fields, as in inputs.x.column=x.bytes"
      })
  void otherColumnsAreRefused(String ddl, String message) {
    String refusal = refusal(65, PIXELS, DataType.fromDDL(ddl), new InputSpecs());
    assertTrue(refusal.contains(message), refusal);
  }

  static Stream<Arguments> wrong() {
    DataType binary = DataTypes.BinaryType;
    DataType floats = DataType.fromDDL("array<float>");
    TensorType row = type(ElementType.FLOAT32, -1, 4);
    return Stream.of(
        Arguments.of(
            "inputs.x.dtype says what the bytes of a binary column are; column \"x\" is of type"
                + " array<float>",
            PIXELS,
            floats,
            new InputSpecs().dtype("uint8")),
        Arguments.of(
            "dtype cannot be \"uint16\": it is one of uint8, int8, int32, int64, float16, float32,"
                + " float64",
            PIXELS,
            binary,
            new InputSpecs().dtype("uint16")),
        Arguments.of(
            "inputs.x.crop is for images; set inputs.x.image=true, or leave it out",
            PIXELS,
            binary,
            new InputSpecs().crop(8)),
        Arguments.of(
            "inputs.x.resize is for images; set inputs.x.image=true, or leave it out",
            PIXELS,
            floats,
            new InputSpecs().resize(8, 8)),
        Arguments.of(
            "inputs.x.image=true is for binary columns of PNG or JPEG files and for Spark's image"
                + " source; column \"x\" is of type array<float>",
            PIXELS,
            floats,
            new InputSpecs().image()),
        Arguments.of(
            "inputs.x.crop: the height of 8 is more than the 7 that resize leaves",
            PIXELS,
            binary,
            new InputSpecs().image().resize(7, 6).crop(8, 6)),
        Arguments.of(
            "inputs.x.crop: the width of 8 is not the 6 of the model's float32 [N,3,8,6]",
            PIXELS,
            binary,
            new InputSpecs().image().crop(8)),
        Arguments.of(
            "inputs.x: mean and std take one value or one per channel (3), not 2",
            PIXELS,
            binary,
            new InputSpecs().mean(1.0, 2.0)),
        Arguments.of(
            "inputs.x: mean and std take one value or one per channel (3), not 6",
            PIXELS,
            binary,
            new InputSpecs().image().std(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)),
        Arguments.of(
            "inputs.x: mean and std take one value or one for each place of the last axis of"
                + " float32 [N,4], not 3",
            row,
            floats,
            new InputSpecs().mean(1.0, 2.0, 3.0)),
        Arguments.of(
            "inputs.x: mean and std take one value or one for each place of the last axis of"
                + " float32 [N], not 2",
            type(ElementType.FLOAT32, -1),
            floats,
            new InputSpecs().mean(1.0, 2.0)),
        Arguments.of(
            "inputs.x: mean has 3 values and std 4; each takes one value, or both one for each"
                + " channel",
            row,
            floats,
            new InputSpecs().mean(1.0, 2.0, 3.0).std(1.0, 2.0, 3.0, 4.0)),
        Arguments.of(
            "inputs.x.std cannot be 0: values are divided by it",
            row,
            floats,
            new InputSpecs().std(0.0)),
        Arguments.of(
            "inputs.x: scale, mean and std are finite numbers, not NaN",
            row,
            floats,
            new InputSpecs().mean(Double.NaN)),
        Arguments.of(
            "inputs.x: scale, mean and std are finite numbers, not Infinity",
            row,
            floats,
            new InputSpecs().scale(Double.POSITIVE_INFINITY)),
        Arguments.of(
            "inputs.x.layout=nhwc is for inputs of three axes besides the batch; this one is"
                + " float32 [N,4]",
            row,
            floats,
            new InputSpecs().nhwc()));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("wrong")
  void whatDoesNotApplyIsAUsageError(
      String message, TensorType type, DataType column, InputSpecs spec) {
    String refusal = refusal(64, type, column, spec);
    assertTrue(refusal.endsWith(message), refusal);
  }

  @ParameterizedTest
  @CsvSource({
    "0",
    "-1",
    "65537",
    "8193",
    "16385",
    "2147483647",
    "0;5",
    "5;-2147483648",
    "65536;1025",
    "2;3;4"
  })
  void sidesOutOfRangeAreUsageErrors(String sides) {
    Integer[] numbers = Stream.of(sides.split(";")).map(Integer::valueOf).toArray(Integer[]::new);
    for (InputSpecs specs :
        List.of(new InputSpecs().resize(numbers), new InputSpecs().crop(numbers))) {
      TareException e = assertThrows(TareException.class, specs::spec);
      assertEquals(64, e.kind().exitStatus());
      assertTrue(
          e.getMessage()
              .endsWith(
                  ": it is height and width, or one number for both, each a whole number from 1 to"
                      + " 65536, together at most 67108864 pixels"),
          e.getMessage());
    }
  }

  @Test
  void sidesAtTheLimitsAreTaken() {
    assertEquals(List.of(65536, 1024), new InputSpecs().resize(65536, 1024).spec().resize());
    assertEquals(List.of(8192), new InputSpecs().crop(8192).spec().crop());
    assertEquals(List.of(1, 1), new InputSpecs().crop(1, 1).spec().crop());
    assertTrue(InputSpec.areSides(List.of(8.0)));
    assertFalse(InputSpec.areSides(List.of(8.7)));
    assertFalse(InputSpec.areSides(List.of(Double.NaN)));
    assertFalse(InputSpec.areSides(List.of()));
  }

  @Test
  void meansCountChannelsOrTheLastAxis() {
    DataType floats = DataType.fromDDL("array<float>");
    InputSpecs three = new InputSpecs().mean(1.0, 2.0, 3.0);
    assertEquals(0, bind(PIXELS, floats, three).channelAxis());
    assertEquals(1, bind(type(ElementType.FLOAT32, -1, 5, 3), floats, three).channelAxis());
    assertEquals(0, bind(type(ElementType.FLOAT32, -1, 3), floats, three).channelAxis());
    assertEquals(2, bind(type(ElementType.FLOAT32, -1, 8, 6, 3), floats, three).channelAxis());
    assertEquals(0, bind(type(ElementType.FLOAT32, -1, -1, 6, 6), floats, three).channelAxis());
  }

  @Test
  void shapesThatDoNotFitAreRefused() {
    String refusal = refusal(65, PIXELS, DataTypes.BinaryType, new InputSpecs().shape(3L, 8L, 7L));
    assertTrue(
        refusal.endsWith("expects float32 [N,3,8,6], inputs.x.shape says [3, 8, 7] for one row"),
        refusal);
    String colors =
        refusal(
            65,
            type(ElementType.FLOAT32, -1, 4, 8, 6),
            DataTypes.BinaryType,
            new InputSpecs().image());
    assertTrue(colors.contains("with 1 or 3 channels, not 4"), colors);
    String axes =
        refusal(
            65, type(ElementType.FLOAT32, -1, 4), DataTypes.BinaryType, new InputSpecs().image());
    assertTrue(axes.endsWith("images need an input of three axes besides the batch"), axes);
    InputBinding scalar = bind(type(ElementType.FLOAT32), DataTypes.FloatType, new InputSpecs());
    assertArrayEquals(new long[0], scalar.shape());
    assertTrue(scalar.isShared(), "a scalar has no batch axis");
  }

  private static List<String> columns(StructType table, boolean caseSensitive, String... inputs) {
    Map<String, TensorType> types = new LinkedHashMap<>();
    for (String input : inputs) {
      types.put(input, type(ElementType.FLOAT32, -1));
    }
    return InputBinding.bind(
            "calibrate", "m.onnx", types, Map.of(), new ColumnNames(table, caseSensitive))
        .stream()
        .map(InputBinding::column)
        .toList();
  }

  @Test
  void columnsAreFoundByCaseAsSparkDoes() {
    StructType table = new StructType().add("X", DataTypes.FloatType).add("y", DataTypes.FloatType);
    assertEquals(List.of("y", "X"), columns(table, false, "Y", "x"));
    assertEquals(List.of("y", "X"), columns(table, true, "y", "X"));
    TareException missing = assertThrows(TareException.class, () -> columns(table, true, "x", "y"));
    assertEquals(
        "Cannot calibrate m.onnx: input \"x\" has no column of its name; the columns are X, y; set"
            + " inputs.x.column",
        missing.getMessage());
    StructType both = new StructType().add("X", DataTypes.FloatType).add("x", DataTypes.FloatType);
    assertEquals(List.of("x"), columns(both, true, "x"));
    TareException ambiguous = assertThrows(TareException.class, () -> columns(both, false, "x"));
    assertEquals(
        "Cannot tell which column \"x\" is: the table has X and x; select one of them under another"
            + " name, or, if they differ in case, set spark.sql.caseSensitive=true",
        ambiguous.getMessage());
  }

  @Test
  void aNameWithADotIsAColumnFirstAndAFieldThen() {
    StructType inner =
        new StructType().add("b", DataTypes.FloatType).add("b.c", DataTypes.FloatType);
    StructType table = new StructType().add("a", inner).add("a.b", DataTypes.DoubleType);
    ColumnNames names = new ColumnNames(table, true);
    assertEquals(List.of("a.b"), names.find("a.b").orElseThrow().path());
    assertEquals(List.of("a", "b.c"), names.find("a.b.c").orElseThrow().path());
    assertEquals("a.b.c", names.find("a.b.c").orElseThrow().name());
    assertTrue(names.find("a.c").isEmpty());
    assertTrue(names.find("a.B").isEmpty());
    assertEquals(List.of("a.b"), new ColumnNames(table, false).find("A.B").orElseThrow().path());
    assertTrue(names.find("a.b.c.d").isEmpty());
    assertTrue(names.findColumn("a.b.c").isEmpty());
    assertTrue(names.find(".").isEmpty());
  }
}
