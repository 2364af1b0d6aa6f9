package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.catalyst.expressions.GenericRowWithSchema;
import org.apache.spark.sql.types.DataType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.tare.onnx.ElementType;
import org.tare.onnx.Float16;
import org.tare.onnx.TensorType;
import org.tare.spark.rows.RowDecoder.BadRow;
import org.tare.spark.rows.images.ImageDecoderTest;
import org.tare.spark.rows.images.RowMemory;
import scala.jdk.javaapi.CollectionConverters;

class RowDecoderTest {
  private static TensorType type(ElementType type, long... shape) {
    return new TensorType(type, shape);
  }

  private static final TensorType FLOATS = type(ElementType.FLOAT32, -1, -1);
  private static final TensorType LONGS = type(ElementType.INT64, -1, -1);
  private static final TensorType GRAY8 = type(ElementType.FLOAT32, -1, 1, 8, 8);

  /** Arrays as Spark gives them. */
  private static Object spark(Object value) {
    return value instanceof List<?> list
        ? CollectionConverters.asScala(list.stream().map(RowDecoderTest::spark).toList()).toSeq()
        : value;
  }

  private static RowDecoder.RowTensor decode(
      TensorType type, String column, InputSpecs spec, Object value) throws BadRow {
    DataType ddl = DataType.fromDDL(column);
    return new RowDecoder(List.of(InputBindingTest.bind(type, ddl, spec)))
        .decode(RowFactory.create(spark(value)))[0];
  }

  private static double[] numbers(TensorType type, String column, InputSpecs spec, Object value)
      throws BadRow {
    ByteBuffer bytes = decode(type, column, spec, value).bytes();
    double[] numbers = new double[bytes.limit() / type.elementType().sizeBytes()];
    for (int i = 0; i < numbers.length; i++) {
      numbers[i] =
          switch (type.elementType()) {
            case FLOAT32 -> bytes.getFloat(4 * i);
            case FLOAT64 -> bytes.getDouble(8 * i);
            case FLOAT16 -> Float16.value(bytes.getShort(2 * i));
            case INT64 -> bytes.getLong(8 * i);
            case INT32 -> bytes.getInt(4 * i);
            case INT16 -> bytes.getShort(2 * i);
            case UINT8 -> bytes.get(i) & 0xff;
            default -> bytes.get(i);
          };
    }
    return numbers;
  }

  private static String refusal(TensorType type, String column, InputSpecs spec, Object value) {
    BadRow e = assertThrows(BadRow.class, () -> decode(type, column, spec, value));
    String start = "input \"x\" expects " + type + ", column \"x\" ";
    assertTrue(e.getMessage().startsWith(start), e.getMessage());
    return e.getMessage().substring(start.length());
  }

  private static byte[] longs(long... values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asLongBuffer().put(values);
    return bytes.array();
  }

  private static byte[] floats(float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    return bytes.array();
  }

  private static byte[] halves(double... values) {
    ByteBuffer bytes = ByteBuffer.allocate(2 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    Arrays.stream(values).forEach(value -> bytes.putShort(Float16.bits(value)));
    return bytes.array();
  }

  private static byte[] doubles(double... values) {
    ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asDoubleBuffer().put(values);
    return bytes.array();
  }

  private static byte[] ints(int... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(values);
    return bytes.array();
  }

  private static final long LARGE = 1152921504606846973L;

  static Stream<Arguments> wholeNumbers() {
    List<Long> values = List.of(LARGE, -LARGE, Long.MAX_VALUE, Long.MIN_VALUE);
    return Stream.of(
        Arguments.of("array<bigint>", values),
        Arguments.of("array<array<bigint>>", List.of(values.subList(0, 2), values.subList(2, 4))),
        Arguments.of("array<decimal(38,0)>", values.stream().map(BigDecimal::new).toList()),
        Arguments.of(
            "array<decimal(38,2)>", values.stream().map(v -> new BigDecimal(v + ".00")).toList()),
        Arguments.of("binary", longs(values.stream().mapToLong(Long::longValue).toArray())));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("wholeNumbers")
  void wholeNumbersKeepAll64Bits(String column, Object value) throws BadRow {
    ByteBuffer bytes =
        decode(type(ElementType.INT64, -1, 2, 2), column, new InputSpecs(), value).bytes();
    long[] actual = new long[4];
    bytes.asLongBuffer().get(actual);
    assertArrayEquals(new long[] {LARGE, -LARGE, Long.MAX_VALUE, Long.MIN_VALUE}, actual);
  }

  @Test
  void aSingleNumberKeepsAll64Bits() throws BadRow {
    for (String column : List.of("bigint", "decimal(20,0)")) {
      Object value = column.equals("bigint") ? (Object) LARGE : new BigDecimal(LARGE);
      TensorType one = type(ElementType.INT64, -1);
      assertEquals(LARGE, decode(one, column, new InputSpecs(), value).bytes().getLong(0));
    }
  }

  static Stream<Arguments> notHeld() {
    return Stream.of(
        Arguments.of(
            ElementType.FLOAT32,
            "array<double>",
            List.of(1.0, 1e39),
            "holds 1.0E39 at position 1, which float32 does not hold"),
        Arguments.of(
            ElementType.FLOAT32,
            "array<double>",
            List.of(1e300),
            "holds 1.0E300 at position 0, which float32 does not hold"),
        Arguments.of(
            ElementType.FLOAT32, "array<double>", List.of(Double.NaN), "holds NaN at position 0"),
        Arguments.of(
            ElementType.FLOAT16,
            "array<float>",
            List.of(65504f, 65520f),
            "holds 65520 at position 1, which float16 does not hold"),
        Arguments.of(
            ElementType.FLOAT16,
            "array<bigint>",
            List.of(-70000L),
            "holds -70000 at position 0, which float16 does not hold"),
        Arguments.of(
            ElementType.FLOAT16, "array<double>", List.of(Double.NaN), "holds NaN at position 0"),
        Arguments.of(
            ElementType.FLOAT16,
            "binary",
            halves(1, Double.POSITIVE_INFINITY),
            "holds Infinity at position 1"),
        Arguments.of(
            ElementType.FLOAT64,
            "array<double>",
            List.of(Double.NEGATIVE_INFINITY),
            "holds -Infinity at position 0"),
        Arguments.of(
            ElementType.INT64,
            "array<float>",
            List.of(Float.POSITIVE_INFINITY),
            "holds Infinity at position 0"),
        Arguments.of(
            ElementType.INT64,
            "array<double>",
            List.of(1.0, 2.5),
            "holds 2.5 at position 1, which is no whole number"),
        Arguments.of(
            ElementType.INT64,
            "array<double>",
            List.of(0x1p63),
            "holds 9.223372036854776E18 at position 0, which int64 does not hold"),
        Arguments.of(
            ElementType.INT64,
            "array<decimal(10,2)>",
            List.of(new BigDecimal("7.25")),
            "holds 7.25 at position 0, which is no whole number"),
        Arguments.of(
            ElementType.INT64,
            "array<decimal(38,0)>",
            List.of(BigDecimal.ONE, BigDecimal.TEN.pow(19)),
            "holds 10000000000000000000 at position 1, which int64 does not hold"),
        Arguments.of(
            ElementType.INT32,
            "array<bigint>",
            List.of(1L << 40),
            "holds 1099511627776 at position 0, which int32 does not hold"),
        Arguments.of(
            ElementType.INT16,
            "array<int>",
            List.of(-32769),
            "holds -32769 at position 0, which int16 does not hold"),
        Arguments.of(
            ElementType.INT8,
            "array<int>",
            List.of(128),
            "holds 128 at position 0, which int8 does not hold"),
        Arguments.of(
            ElementType.UINT8,
            "array<int>",
            List.of(255, 300),
            "holds 300 at position 1, which uint8 does not hold"),
        Arguments.of(
            ElementType.UINT8,
            "array<double>",
            List.of(-1.0),
            "holds -1 at position 0, which uint8 does not hold"),
        Arguments.of(
            ElementType.BOOL,
            "array<int>",
            List.of(0, 1, 2),
            "holds 2 at position 2, which bool, of 0 and 1, does not hold"),
        Arguments.of(
            ElementType.BOOL,
            "array<double>",
            List.of(0.5),
            "holds 0.5 at position 0, which is no whole number"),
        Arguments.of(
            ElementType.FLOAT32,
            "array<float>",
            Arrays.asList(1f, null),
            "holds a null at position 1"),
        Arguments.of(
            ElementType.FLOAT32,
            "array<array<float>>",
            Arrays.asList(List.of(1f, 2f), null),
            "holds a null at position 2"),
        Arguments.of(
            ElementType.FLOAT32,
            "array<array<float>>",
            List.of(List.of(1f, 2f), List.of(1f)),
            "holds arrays of different sizes, 2 and 1"));
  }

  @ParameterizedTest(name = "{0} of {2}")
  @MethodSource("notHeld")
  void numbersThatTheTypeDoesNotHoldAreBadRows(
      ElementType element, String column, Object value, String message) {
    InputSpecs spec = new InputSpecs();
    InputSpecs said = column.equals("binary") ? spec.dtype("float16") : spec;
    assertEquals(message, refusal(type(element, -1, -1), column, said, value));
  }

  /** The nearest float16 of a number, in one step: 1 + 2^-11 is a tie, what is above it is not. */
  @Test
  void numbersBecomeTheNearestFloat16() throws BadRow {
    TensorType half = type(ElementType.FLOAT16, -1, -1);
    double above = Math.nextUp(1 + 0x1p-11);
    assertArrayEquals(
        new double[] {1, 1 + 0x1p-10, -0.0, 0x1p-24, 0, 65504, -65504},
        numbers(
            half,
            "array<double>",
            new InputSpecs(),
            List.of(1 + 0x1p-11, above, -0.0, 0x1p-24, 0x1p-25, 65519.99, -65504.0)));
    assertArrayEquals(
        new double[] {0.5, -2048},
        numbers(half, "array<bigint>", new InputSpecs().scale(0.5), List.of(1L, -4096L)));
    for (String dtype : List.of("float16", "float64", "int32")) {
      byte[] raw =
          switch (dtype) {
            case "float16" -> halves(3, -7);
            case "float64" -> doubles(3, -7);
            default -> ints(3, -7);
          };
      assertArrayEquals(
          new double[] {3, -7}, numbers(half, "binary", new InputSpecs().dtype(dtype), raw), dtype);
    }
  }

  @Test
  void singleNumbersHaveNoPosition() {
    assertEquals(
        "holds 300, which uint8 does not hold",
        refusal(type(ElementType.UINT8, -1), "int", new InputSpecs(), 300));
  }

  @Test
  void valuesAreCheckedAfterTheTransform() throws BadRow {
    InputSpecs halves = new InputSpecs().scale(0.5).mean(1.0);
    TensorType bytes = type(ElementType.UINT8, -1, -1);
    assertArrayEquals(new double[] {0, 255}, numbers(bytes, "array<int>", halves, List.of(2, 512)));
    assertEquals(
        "holds 0 at position 1, by scale, mean and std -1, which uint8 does not hold",
        refusal(bytes, "array<int>", halves, List.of(2, 0)));
    assertEquals(
        "holds 3 at position 0, by scale, mean and std 0.5, which is no whole number",
        refusal(bytes, "array<int>", halves, List.of(3)));
    assertArrayEquals(
        new double[] {1e38},
        numbers(FLOATS, "array<double>", new InputSpecs().scale(1e-200), List.of(1e238)),
        1e31);
  }

  @Test
  void theLimitsOfTypesAreHeld() throws BadRow {
    InputSpecs plain = new InputSpecs();
    assertArrayEquals(
        new double[] {Float.MAX_VALUE, -0.0, Float.MIN_VALUE, 0},
        numbers(
            FLOATS,
            "array<double>",
            plain,
            List.of((double) Float.MAX_VALUE, -0.0, (double) Float.MIN_VALUE, 1e-50)));
    assertArrayEquals(
        new double[] {0, 255},
        numbers(type(ElementType.UINT8, -1, 2), "array<int>", plain, List.of(0, 255)));
    assertArrayEquals(
        new double[] {-128, 127},
        numbers(
            type(ElementType.INT8, -1, 2),
            "array<tinyint>",
            plain,
            List.of((byte) -128, (byte) 127)));
    assertArrayEquals(
        new double[] {-0x1p63},
        numbers(type(ElementType.INT64, -1, 1), "array<double>", plain, List.of(-0x1p63)));
    assertArrayEquals(
        new double[] {1, 0},
        numbers(type(ElementType.BOOL, -1, 2), "array<boolean>", plain, List.of(true, false)));
    assertArrayEquals(
        new double[] {1, 0}, numbers(FLOATS, "array<boolean>", plain, List.of(true, false)));
    assertArrayEquals(
        new double[] {1.25}, numbers(FLOATS, "decimal(5,2)", plain, new BigDecimal("1.25")));
  }

  @Test
  void int64BytesAreTransformedToo() throws BadRow {
    assertArrayEquals(
        new double[] {1, 4},
        numbers(LONGS, "binary", new InputSpecs().scale(3).mean(5.0), longs(2, 3)));
    assertArrayEquals(
        new double[] {0.5, 1},
        numbers(FLOATS, "binary", new InputSpecs().dtype("int64").std(2.0), longs(1, 2)));
  }

  /** [H, W, C] of the column becomes [C, H, W], whatever the column holds. */
  @ParameterizedTest
  @ValueSource(strings = {"array<int>", "array<array<array<int>>>", "binary"})
  void nhwcIsTurned(String column) throws BadRow {
    TensorType type = type(ElementType.INT64, -1, 3, 2, 2);
    List<List<List<Integer>>> image = new ArrayList<>();
    for (int y = 0; y < 2; y++) {
      image.add(
          List.of(
              List.of(100 * y, 100 * y + 1, 100 * y + 2),
              List.of(100 * y + 10, 100 * y + 11, 100 * y + 12)));
    }
    List<Integer> flat = image.stream().flatMap(List::stream).flatMap(List::stream).toList();
    Object value =
        switch (column) {
          case "binary" -> longs(flat.stream().mapToLong(Integer::longValue).toArray());
          case "array<int>" -> flat;
          default -> image;
        };
    assertArrayEquals(
        new double[] {0, 10, 100, 110, 1, 11, 101, 111, 2, 12, 102, 112},
        numbers(type, column, new InputSpecs().nhwc(), value));
    assertArrayEquals(
        new double[] {-1, 9, 99, 109, -1, 9, 99, 109, -1, 9, 99, 109},
        numbers(type, column, new InputSpecs().nhwc().mean(1.0, 2.0, 3.0), value));
  }

  @Test
  void meanAndStdAreByChannelOrByTheLastAxis() throws BadRow {
    InputSpecs two = new InputSpecs().mean(1.0, 10.0).std(1.0, 2.0);
    assertArrayEquals(
        new double[] {0, 1, -3, -2.5},
        numbers(type(ElementType.FLOAT32, -1, 2, 1, 2), "array<int>", two, List.of(1, 2, 4, 5)));
    assertArrayEquals(
        new double[] {0, -4, 3, -2.5},
        numbers(type(ElementType.FLOAT32, -1, -1, 2), "array<int>", two, List.of(1, 2, 4, 5)));
    assertArrayEquals(
        new double[] {0, -4, 3, -2.5},
        numbers(type(ElementType.FLOAT32, -1, 1, 2, 2), "array<int>", two, List.of(1, 2, 4, 5)));
    assertEquals(
        "holds values of shape [4, 1, 1]; mean and std are for 2 channels",
        refusal(type(ElementType.FLOAT32, -1, -1, 1, 1), "array<int>", two, List.of(1, 2, 3, 4)));
  }

  @Test
  void theShapeFollowsFromTheNumberOfValues() throws BadRow {
    InputSpecs plain = new InputSpecs();
    assertArrayEquals(
        new long[] {3, 2},
        decode(type(ElementType.FLOAT32, -1, -1, 2), "array<int>", plain, List.of(1, 2, 3, 4, 5, 6))
            .shape());
    assertArrayEquals(
        new long[] {3, 1},
        decode(
                type(ElementType.FLOAT32, -1, -1, -1),
                "array<array<int>>",
                plain,
                List.of(List.of(1), List.of(2), List.of(3)))
            .shape());
    assertEquals(
        "does not tell its shape; set inputs.x.shape",
        refusal(type(ElementType.FLOAT32, -1, -1, -1), "array<int>", plain, List.of(1)));
    assertArrayEquals(
        new long[] {2, 3},
        decode(
                type(ElementType.FLOAT32, -1, -1, -1),
                "binary",
                plain.dtype("float32").shape(2L, 3L),
                floats(1, 2, 3, 4, 5, 6))
            .shape());
    assertEquals(
        "holds arrays of [3, 2] values",
        refusal(
            type(ElementType.FLOAT32, -1, 2, 3),
            "array<array<int>>",
            new InputSpecs(),
            List.of(List.of(1, 2), List.of(3, 4), List.of(5, 6))));
    assertEquals(
        "holds 3 values",
        refusal(
            type(ElementType.FLOAT32, -1, 2), "array<int>", new InputSpecs(), List.of(1, 2, 3)));
    assertEquals("holds 5 bytes", refusal(LONGS, "binary", new InputSpecs(), new byte[5]));
    assertEquals("is null", refusal(LONGS, "binary", new InputSpecs(), null));
  }

  @ParameterizedTest
  @CsvSource({"gray100.png, PNG", "gray100.jpg, JPEG"})
  void filesThatAreTakenForPixelsAreNamed(String name, String format) {
    byte[] file = ImageDecoderTest.file(name);
    assertEquals(
        "holds "
            + file.length
            + " bytes; these bytes look like a "
            + format
            + " file; set inputs.x.image=true",
        refusal(GRAY8, "binary", new InputSpecs(), file));
  }

  @Test
  void grayFilesGiveWhatTheirRawBytesGive() throws BadRow {
    byte[] raw = new byte[64];
    Arrays.fill(raw, (byte) 100);
    InputSpecs spec = new InputSpecs().scale(1 / 255.0).mean(0.5).std(0.25);
    double[] expected = numbers(GRAY8, "binary", spec, raw);
    assertArrayEquals(
        expected, numbers(GRAY8, "binary", spec.image(), ImageDecoderTest.file("gray100.png")));
    assertArrayEquals(
        expected, numbers(GRAY8, "binary", spec, ImageDecoderTest.file("gray100.jpg")));
  }

  @Test
  void imagesAreResizedAndCropped() throws BadRow {
    byte[] file = ImageDecoderTest.file("rgb8.png"); // 4x6
    TensorType colors = type(ElementType.UINT8, -1, 3, -1, -1);
    RowDecoder.RowTensor whole = decode(colors, "binary", new InputSpecs().image(), file);
    assertArrayEquals(new long[] {3, 4, 6}, whole.shape());
    double[] all = numbers(colors, "binary", new InputSpecs().image(), file);
    double[] middle = numbers(colors, "binary", new InputSpecs().image().crop(2, 4), file);
    for (int c = 0; c < 3; c++) {
      for (int i = 0; i < 8; i++) {
        assertEquals(all[24 * c + (1 + i / 4) * 6 + 1 + i % 4], middle[8 * c + i]);
      }
    }
    assertArrayEquals(
        new long[] {3, 8, 12},
        decode(colors, "binary", new InputSpecs().image().resize(8), file).shape());
    assertArrayEquals(
        new long[] {3, 2, 5},
        decode(colors, "binary", new InputSpecs().image().resize(2, 5), file).shape());
    assertEquals(
        "holds an image of 4x6 pixels, smaller than the crop of 5x5; set inputs.x.resize or a"
            + " smaller crop",
        refusal(colors, "binary", new InputSpecs().image().crop(5), file));
    assertEquals(
        "holds an image of 4x6 pixels, resized to 5x8, smaller than the crop of 6x6; set"
            + " inputs.x.resize or a smaller crop",
        refusal(colors, "binary", new InputSpecs().image().resize(5).crop(6), file));
    assertEquals(
        "holds an image of 4x6 pixels; set inputs.x.resize and crop",
        refusal(GRAY8, "binary", new InputSpecs().image(), file));
    assertEquals(
        "holds an image of 4x6 pixels, which resized to 8192x12288 has more than the 67108864 pixels"
            + " that resize may make",
        refusal(colors, "binary", new InputSpecs().image().resize(8192), file));
    assertEquals(
        "holds 3 bytes that are neither PNG nor JPEG",
        refusal(colors, "binary", new InputSpecs().image(), new byte[3]));
  }

  private static String shortage(
      TensorType type, String column, InputSpecs spec, Object value, int megabytes) {
    RowDecoder decoder =
        new RowDecoder(
            List.of(InputBindingTest.bind(type, DataType.fromDDL(column), spec)),
            new RowMemory((long) megabytes << 20));
    BadRow e = assertThrows(BadRow.class, () -> decoder.decode(RowFactory.create(spark(value))));
    String end =
        ", and a row may take "
            + megabytes
            + " MB, half of the heap; more spark.executor.memory, or spark.driver.memory where that"
            + " runs the tasks, gives more";
    assertTrue(e.getMessage().endsWith(end), e.getMessage());
    String start = "input \"x\" expects " + type + ", column \"x\" holds ";
    assertTrue(e.getMessage().startsWith(start), e.getMessage());
    return e.getMessage().substring(start.length(), e.getMessage().length() - end.length());
  }

  /** Nothing of these sizes is ever made: a header says them. */
  @Test
  void imagesThatNeedMoreThanTheHeapHasAreBadRows() {
    TensorType colors = type(ElementType.FLOAT32, -1, 3, -1, -1);
    InputSpecs image = new InputSpecs().image();
    assertEquals(
        "an image of 16384x16384 pixels, which needs about 3,072 MB of memory",
        shortage(colors, "binary", image, ImageDecoderTest.sized("rgba16.png", 16384, 16384), 512));
    assertEquals(
        "an image of 16384x16384 pixels, which needs about 1,280 MB of memory",
        shortage(colors, "binary", image, ImageDecoderTest.sized("gray8.png", 16384, 16384), 999));
    assertEquals(
        "an image of 40000x6000 pixels, which needs about 1,603 MB of memory",
        shortage(colors, "binary", image, ImageDecoderTest.sized("rgb.jpg", 40000, 6000), 900));
    assertEquals(
        "an image of 4x6 pixels, which resized to 1024x4096 needs about 161 MB of memory",
        shortage(
            colors,
            "binary",
            new InputSpecs().image().resize(1024, 4096),
            ImageDecoderTest.file("rgb8.png"),
            160));
    assertEquals(
        "an image of 4x6 pixels, which resized to 1024x4096 needs about 17 MB of memory",
        shortage(
            colors,
            "binary",
            new InputSpecs().image().resize(1024, 4096).crop(8),
            ImageDecoderTest.file("rgb8.png"),
            16));
  }

  @Test
  void sparseVectorsThatSayAnySizeTakeNoMemory() {
    TensorType open = type(ElementType.FLOAT32, -1, -1);
    Row huge = vector(0, Integer.MAX_VALUE, List.of(1), List.of(5.0));
    assertEquals(
        "a vector of size 2147483647, which needs about 40,960 MB of memory",
        shortage(open, VECTOR, new InputSpecs(), huge, 100));
    assertEquals(
        "holds 2147483647 values",
        refusal(type(ElementType.FLOAT32, -1, 4), VECTOR, new InputSpecs(), huge));
  }

  private static Row sparkImage(Object height, int width, int channels, int mode, byte[] data) {
    return new GenericRowWithSchema(
        new Object[] {"file:/a.png", height, width, channels, mode, data}, InputBindingTest.IMAGE);
  }

  private static final String IMAGE = InputBindingTest.IMAGE.sql();

  @Test
  void imagesOfSparkAreBlueGreenRed() throws BadRow {
    TensorType colors = type(ElementType.UINT8, -1, 3, 1, 2);
    assertArrayEquals(
        new double[] {3, 200, 2, 5, 1, 4},
        numbers(
            colors,
            IMAGE,
            new InputSpecs(),
            sparkImage(1, 2, 3, 16, new byte[] {1, 2, 3, 4, 5, (byte) 200})));
    assertArrayEquals(
        new double[] {3, 6, 2, 5, 1, 4},
        numbers(
            colors,
            IMAGE,
            new InputSpecs(),
            sparkImage(1, 2, 4, 24, new byte[] {1, 2, 3, 0, 4, 5, 6, 99})));
    assertArrayEquals(
        new double[] {7, 8, 7, 8, 7, 8},
        numbers(colors, IMAGE, new InputSpecs(), sparkImage(1, 2, 1, 0, new byte[] {7, 8})));
    assertArrayEquals(
        new double[] {8},
        numbers(
            type(ElementType.FLOAT32, -1, 1, 1, 1),
            IMAGE,
            new InputSpecs().crop(1),
            sparkImage(1, 3, 1, 0, new byte[] {7, 8, 9})));
  }

  @Test
  void imagesOfSparkThatAreWrongAreBadRows() {
    TensorType colors = type(ElementType.UINT8, -1, 3, -1, -1);
    assertEquals(
        "holds an image that Spark could not decode (mode -1)",
        refusal(colors, IMAGE, new InputSpecs(), sparkImage(-1, -1, -1, -1, new byte[0])));
    assertEquals(
        "holds an image of mode 21; the modes 0, 16 and 24 of 8 bits are read",
        refusal(colors, IMAGE, new InputSpecs(), sparkImage(1, 1, 3, 21, new byte[12])));
    assertEquals(
        "holds an image of 1x2 pixels, mode 16 and 3 channels with 5 bytes",
        refusal(colors, IMAGE, new InputSpecs(), sparkImage(1, 2, 3, 16, new byte[5])));
    assertEquals(
        "holds an image whose height is null",
        refusal(colors, IMAGE, new InputSpecs(), sparkImage(null, 2, 3, 16, new byte[5])));
    assertEquals(
        "holds an image of 100000x100000 pixels, more than the 268435456 that are taken",
        refusal(colors, IMAGE, new InputSpecs(), sparkImage(100_000, 100_000, 3, 16, new byte[5])));
  }

  private static final String VECTOR = InputBindingTest.VECTOR.sql();

  private static Row vector(int type, Integer size, List<Integer> indices, List<Double> values) {
    return RowFactory.create((byte) type, size, spark(indices), spark(values));
  }

  @Test
  void vectorsAreDenseOrSparse() throws BadRow {
    TensorType four = type(ElementType.FLOAT32, -1, 4);
    assertArrayEquals(
        new double[] {1, 2, 3, 4},
        numbers(
            four, VECTOR, new InputSpecs(), vector(1, null, null, List.of(1.0, 2.0, 3.0, 4.0))));
    assertArrayEquals(
        new double[] {0, 5, 0, -6},
        numbers(four, VECTOR, new InputSpecs(), vector(0, 4, List.of(1, 3), List.of(5.0, -6.0))));
    assertEquals(
        "holds a sparse vector of size 4 with the index 4",
        refusal(four, VECTOR, new InputSpecs(), vector(0, 4, List.of(4), List.of(5.0))));
    assertEquals(
        "holds a sparse vector of size 4 with 2 indices and 1 values",
        refusal(four, VECTOR, new InputSpecs(), vector(0, 4, List.of(1, 2), List.of(5.0))));
    assertEquals(
        "holds NaN at position 1",
        refusal(
            four,
            VECTOR,
            new InputSpecs(),
            vector(1, null, null, Arrays.asList(1.0, null, 3.0, 4.0))));
  }

  /** What an object of Spark ML has: nothing else of it is used. */
  public static final class VectorObject {
    public int size() {
      return 2;
    }

    public double[] toArray() {
      return new double[] {1, 2.5};
    }
  }

  @Test
  void vectorsMayBeObjects() throws BadRow {
    TensorType two = type(ElementType.FLOAT32, -1, 2);
    assertArrayEquals(
        new double[] {1, 2.5}, numbers(two, VECTOR, new InputSpecs(), new VectorObject()));
    assertEquals(
        "holds a java.util.BitSet whose values cannot be read; make it an array with"
            + " vector_to_array",
        refusal(two, VECTOR, new InputSpecs(), new java.util.BitSet()));
  }

  /** One decoder for many rows: what a longer row left behind does not show. */
  @Test
  void memoryThatServesAgainDoesNotShow() throws BadRow {
    Random random = new Random(3);
    RowDecoder shared =
        new RowDecoder(
            List.of(
                InputBindingTest.bind(LONGS, DataType.fromDDL("array<bigint>"), new InputSpecs())));
    for (int i = 0; i < 200; i++) {
      List<Long> values = random.longs(1 + random.nextInt(40)).boxed().toList();
      ByteBuffer bytes = shared.decode(RowFactory.create(spark(values)))[0].bytes();
      long[] actual = new long[bytes.limit() / 8];
      bytes.asLongBuffer().get(actual);
      assertArrayEquals(values.stream().mapToLong(Long::longValue).toArray(), actual);
    }
  }
}
