package org.tare.spark.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.SQLUserDefinedType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.UserDefinedType;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;
import org.tare.spark.SessionSettings;
import org.tare.spark.tasks.DigitsCalibration;

/** Tables as Spark gives them: nested, by case, images, vectors, and bytes of unknown form. */
class BoundTableTest {
  private static SparkSession spark;

  @BeforeAll
  static void start() {
    spark = DigitsCalibration.local("local[1]", Map.of());
  }

  @AfterAll
  static void stop() {
    spark.stop();
  }

  @AfterEach
  void forgetCase() {
    spark.conf().unset("spark.sql.caseSensitive");
  }

  private static final TensorType PAIR = new TensorType(ElementType.FLOAT32, new long[] {-1, 2});

  private static BoundTable bind(
      String query, Map<String, InputSpec> specs, Optional<String> label, String... by) {
    return bind(query, PAIR, specs, label, by);
  }

  private static BoundTable bind(
      String query,
      TensorType type,
      Map<String, InputSpec> specs,
      Optional<String> label,
      String... by) {
    return TableNeeds.of("calibrate", "m.onnx", Map.of("x", type), specs, 4, new BadRows(false, 0))
        .withLabel(label)
        .slicedBy(List.of(by))
        .bind(
            new SessionSettings(spark),
            new DataSource(new DataSource.Query(query), Optional.empty(), Optional.empty()));
  }

  private static float[] first(BoundTable table) throws RowDecoder.BadRow {
    Row row = table.rows().takeAsList(1).get(0);
    RowDecoder.RowTensor tensor = new RowDecoder(table.source().bindings()).decode(row)[0];
    float[] values = new float[tensor.bytes().limit() / 4];
    tensor.bytes().asFloatBuffer().get(values);
    return values;
  }

  private static Map<String, InputSpec> column(String name) {
    return Map.of("x", new InputSpecs().column(name).spec());
  }

  @Test
  void pinnedTablesDoNotGrow(@TempDir Path folder) {
    String path = folder.resolve("t").toString();
    spark.range(3).coalesce(1).write().parquet(path);
    DataSource files =
        new DataSource(
            new DataSource.Files(path, "parquet", Map.of()), Optional.empty(), Optional.empty());
    DataSource pinned = files.pinned(spark);
    spark.range(5).coalesce(1).write().mode("append").parquet(path);
    assertEquals(8, files.load(spark).count());
    assertEquals(3, pinned.load(spark).count());
    assertEquals(path, pinned.label());
  }

  @Test
  void theFirstRowsOfAPinnedTableAreReadOnce() {
    LongAccumulator read = spark.sparkContext().longAccumulator("read");
    UDF1<Long, Long> counted =
        value -> {
          read.add(1);
          return value;
        };
    Dataset<Row> rows =
        spark
            .range(0, 4, 1, 1)
            .select(
                functions.udf(counted, DataTypes.LongType).apply(functions.col("id")).as("x"),
                functions.col("id").as("y"));
    DataSource pinned = DataSource.of(rows, "rows").pinned(spark);
    List<Row> first = pinned.head(List.of("x"), rows.select("x"));
    assertEquals(first, pinned.head(List.of("x"), rows.select("x")));
    assertEquals(4, read.value());
    assertEquals(4, first.size());
    assertEquals(2, pinned.head(List.of("x", "y"), rows).get(0).size());
    assertEquals(8, read.value());
  }

  @Test
  void fieldsOfStructsAreColumns() throws RowDecoder.BadRow {
    String query =
        "SELECT 7 AS id, named_struct('f', named_struct('g', array(1f, 2f), 'label', 3)) AS s";
    BoundTable table = bind(query, column("s.f.g"), Optional.of("s.f.label"));
    assertArrayEquals(new float[] {1, 2}, first(table));
    assertEquals(List.of("s.f.g", "id", "s.f.label"), List.of(table.rows().columns()));
    assertEquals(2, table.source().labelIndex());
    String both = "SELECT named_struct('g', array(1f, 2f)) AS s, array(3f, 4f) AS `s.g`";
    assertArrayEquals(new float[] {3, 4}, first(bind(both, column("s.g"), Optional.empty())));
    assertArrayEquals(
        new float[] {5, 6},
        first(bind("SELECT array(5f, 6f) AS `a``.b`", column("a`.b"), Optional.empty())));
    TareException missing =
        assertThrows(TareException.class, () -> bind(query, column("s.f.h"), Optional.empty()));
    assertTrue(
        missing
            .getMessage()
            .endsWith("column \"s.f.h\", which is not there; the columns are id, s"),
        missing.getMessage());
  }

  @Test
  void caseMattersWhereSparkSaysSo() throws RowDecoder.BadRow {
    String query =
        "SELECT 1 AS ID, 2 AS Label, array(1f, 2f) AS X, named_struct('G', array(8f, 9f)) AS S";
    BoundTable table = bind(query, Map.of(), Optional.of("label"), "lAbEl");
    assertArrayEquals(new float[] {1, 2}, first(table));
    assertEquals(List.of("X", "ID", "Label"), List.of(table.rows().columns()));
    assertEquals("ID", table.source().keyColumn());
    assertEquals(List.of(new SliceColumn("Label", 2)), table.by());
    assertArrayEquals(new float[] {8, 9}, first(bind(query, column("s.g"), Optional.empty())));
    spark.conf().set("spark.sql.caseSensitive", "true");
    assertThrows(TareException.class, () -> bind(query, Map.of(), Optional.empty()));
    assertThrows(TareException.class, () -> bind(query, column("X"), Optional.of("label")));
    assertThrows(TareException.class, () -> bind(query, column("s.g"), Optional.empty()));
    assertThrows(TareException.class, () -> bind(query, column("X"), Optional.empty(), "label"));
    assertEquals("", bind(query, column("X"), Optional.empty()).source().keyColumn());
    String both = "SELECT array(1f, 2f) AS X, array(3f, 4f) AS x";
    assertArrayEquals(new float[] {3, 4}, first(bind(both, Map.of(), Optional.empty())));
  }

  @Test
  void imagesOfSparkAreRead() throws RowDecoder.BadRow {
    String query =
        "SELECT named_struct('origin', 'f', 'height', 1, 'width', 2, 'nChannels', 3, 'mode', 16,"
            + " 'data', X'010203040506') AS image";
    TensorType colors = new TensorType(ElementType.FLOAT32, new long[] {-1, 3, -1, -1});
    assertArrayEquals(
        new float[] {3, 6, 2, 5, 1, 4}, first(bind(query, colors, Map.of(), Optional.empty())));
    assertArrayEquals(
        new float[] {3, 2, 1},
        first(
            bind(
                query,
                colors,
                Map.of("x", new InputSpecs().column("image").crop(1).spec()),
                Optional.empty())));
  }

  @Test
  void arraysOfArraysAndDecimalsAreRead() throws RowDecoder.BadRow {
    assertArrayEquals(
        new float[] {1.5f, -2},
        first(bind("SELECT array(array(1.5), array(-2.0)) AS x", Map.of(), Optional.empty())));
    assertArrayEquals(
        new float[] {1, 0},
        first(bind("SELECT array(true, false) AS x", Map.of(), Optional.empty())));
    assertArrayEquals(
        new float[] {1, 0}, first(bind("SELECT array(1S, 0S) AS x", Map.of(), Optional.empty())));
  }

  @Test
  void vectorsWithoutTheirClassAreStructs() throws RowDecoder.BadRow {
    String dense =
        "SELECT named_struct('type', 1Y, 'size', int(null), 'indices', cast(null AS array<int>),"
            + " 'values', array(1D, 2D)) AS x";
    assertArrayEquals(new float[] {1, 2}, first(bind(dense, Map.of(), Optional.empty())));
    String sparse =
        "SELECT named_struct('type', 0Y, 'size', 2, 'indices', array(1), 'values', array(9D)) AS x";
    assertArrayEquals(new float[] {0, 9}, first(bind(sparse, Map.of(), Optional.empty())));
  }

  /** Stands for Spark ML's vectors, which are not on the class path of these tests. */
  @SQLUserDefinedType(udt = PairType.class)
  public static final class Pair {
    private final double[] values;

    Pair(double... values) {
      this.values = values;
    }

    public int size() {
      return values.length;
    }

    public double[] toArray() {
      return values.clone();
    }
  }

  /** The type of {@link Pair}, over the same struct as Spark ML's. */
  public static final class PairType extends UserDefinedType<Pair> {
    private static final long serialVersionUID = 1L;

    @Override
    public DataType sqlType() {
      return InputBindingTest.VECTOR;
    }

    @Override
    public Object serialize(Pair pair) {
      return new GenericInternalRow(
          new Object[] {(byte) 1, null, null, ArrayData.toArrayData(pair.toArray())});
    }

    @Override
    public Pair deserialize(Object datum) {
      return new Pair(((InternalRow) datum).getArray(3).toDoubleArray());
    }

    @Override
    public Class<Pair> userClass() {
      return Pair.class;
    }
  }

  @Test
  void vectorsWithTheirClassAreObjects() throws RowDecoder.BadRow {
    spark
        .createDataFrame(
            List.of(RowFactory.create(new Pair(3, 4))), new StructType().add("x", new PairType()))
        .createOrReplaceTempView("pairs");
    BoundTable table = bind("SELECT * FROM pairs", Map.of(), Optional.empty());
    assertEquals(InputBinding.Source.VECTOR, table.source().bindings().get(0).source());
    assertArrayEquals(new float[] {3, 4}, first(table));
  }

  private static final StructType BYTES =
      new StructType().add("id", DataTypes.IntegerType).add("x", DataTypes.BinaryType);

  private static BoundTable ofBytes(TensorType type, Map<String, InputSpec> specs, int... lengths) {
    Row[] rows = new Row[lengths.length];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = RowFactory.create(i, lengths[i] < 0 ? null : new byte[lengths[i]]);
    }
    spark.createDataFrame(Arrays.asList(rows), BYTES).coalesce(1).createOrReplaceTempView("bytes");
    return bind("SELECT * FROM bytes", type, specs, Optional.empty());
  }

  private static InputBinding.Source sourceOf(BoundTable table) {
    return table.source().bindings().get(0).source();
  }

  @Test
  void theFirstRowsThatAreNotNullShowWhatBytesAre() {
    assertEquals(
        InputBinding.Source.FLOAT32_BYTES, sourceOf(ofBytes(PAIR, Map.of(), -1, -1, 8, 8)));
    assertEquals(InputBinding.Source.UINT8_BYTES, sourceOf(ofBytes(PAIR, Map.of(), -1, 2, 2)));
    // A bad row says nothing.
    assertEquals(InputBinding.Source.FLOAT32_BYTES, sourceOf(ofBytes(PAIR, Map.of(), 5, 8)));
    assertEquals(InputBinding.Source.UINT8_BYTES, sourceOf(ofBytes(PAIR, Map.of(), 5)));
    assertEquals(List.of(), ofBytes(PAIR, Map.of(), 8).notes());
  }

  @ParameterizedTest
  @CsvSource({
    "FLOAT16, 2, UINT8_BYTES",
    "FLOAT16, 4, FLOAT16_BYTES",
    "FLOAT16, 8, FLOAT32_BYTES",
    "FLOAT64, 8, FLOAT32_BYTES",
    "FLOAT64, 16, FLOAT64_BYTES",
    "INT32, 2, UINT8_BYTES",
    "INT32, 8, INT32_BYTES",
    "INT16, 4, UINT8_BYTES",
  })
  void bytesOfTheInputsOwnTypeAreKnown(ElementType type, int length, InputBinding.Source expected) {
    TensorType pair = new TensorType(type, new long[] {-1, 2});
    assertEquals(expected, sourceOf(ofBytes(pair, Map.of(), -1, length)));
  }

  @Test
  void rowsThatContradictEachOtherAskForTheType() {
    TareException e = assertThrows(TareException.class, () -> ofBytes(PAIR, Map.of(), -1, 8, 2));
    assertEquals(65, e.kind().exitStatus());
    assertEquals(
        "Cannot calibrate m.onnx: column \"x\" holds 2 bytes in row id=2 and 8 bytes in row id=1,"
            + " so what they are does not show; set inputs.x.dtype to uint8 or float32",
        e.getMessage());
    Map<String, InputSpec> said = Map.of("x", new InputSpecs().dtype("uint8").spec());
    assertEquals(InputBinding.Source.UINT8_BYTES, sourceOf(ofBytes(PAIR, said, 8, 2)));
    TensorType half = new TensorType(ElementType.FLOAT16, new long[] {-1, 2});
    e = assertThrows(TareException.class, () -> ofBytes(half, Map.of(), 8, 4));
    assertTrue(e.getMessage().endsWith("set inputs.x.dtype to float16 or float32"), e.getMessage());
  }

  @Test
  void rowsThatAreAllNullAskForTheType() {
    TareException e = assertThrows(TareException.class, () -> ofBytes(PAIR, Map.of(), -1, -1));
    assertEquals(
        "Cannot calibrate m.onnx: column \"x\" is null in row id=0 and in all of the first 2 rows, so"
            + " what its bytes are does not show; set inputs.x.dtype to uint8 or float32",
        e.getMessage());
    assertEquals(List.of(), ofBytes(PAIR, Map.of()).head());
  }

  @Test
  void anUnknownShapeIsNoted() {
    TensorType open = new TensorType(ElementType.FLOAT32, new long[] {-1, -1, -1});
    assertEquals(
        List.of(
            "column \"x\" is read as uint8 bytes, since the shape of input \"x\" does not tell how"
                + " many values it has; set inputs.x.dtype"),
        ofBytes(open, Map.of(), 8).notes());
    Map<String, InputSpec> said = Map.of("x", new InputSpecs().dtype("uint8").spec());
    assertEquals(List.of(), ofBytes(open, said, 8).notes());
  }

  @Test
  void badRowsNameTheRow() {
    spark
        .createDataFrame(
            List.of(RowFactory.create(4, new byte[2]), RowFactory.create(5, new byte[3])), BYTES)
        .coalesce(1)
        .createOrReplaceTempView("bytes");
    RowSource source = bind("SELECT * FROM bytes", Map.of(), Optional.empty()).source();
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                source.run(
                    spark.table("bytes").select("x", "id").collectAsList().iterator(),
                    (batch, rows) -> {}));
    assertEquals(
        "Cannot calibrate m.onnx: input \"x\" expects float32 [N,2], column \"x\" holds 3 bytes in"
            + " row id=5; fix the row, or skip such rows with bad-rows=skip",
        e.getMessage());
  }

  @Test
  void aBatchOfMoreThanTwoGigabytesIsAUsageError() {
    Map<String, TensorType> types = new LinkedHashMap<>();
    types.put("x", new TensorType(ElementType.UINT8, new long[] {-1, 1 << 20}));
    List<InputBinding> bindings =
        InputBinding.bind(
            "calibrate",
            "m.onnx",
            types,
            Map.of(),
            new ColumnNames(new StructType().add("x", DataTypes.BinaryType), false));
    Batches batches = new Batches(bindings, 65536, (batch, rows) -> {});
    RowDecoder decoder = new RowDecoder(bindings);
    TareException e =
        assertThrows(
            TareException.class,
            () ->
                batches.add(
                    decoder.decode(RowFactory.create((Object) new byte[1 << 20])),
                    new RowTag(-1, null, 0)));
    assertEquals(64, e.kind().exitStatus());
    assertEquals(
        "Cannot make batches of 65536 rows of 1048576 bytes: a batch takes 2 GB at most; set batch"
            + " to at most 2047",
        e.getMessage());
  }
}
