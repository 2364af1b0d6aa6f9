package org.tare.spark.tasks;

import static org.apache.spark.sql.functions.avg;
import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.expr;
import static org.apache.spark.sql.functions.posexplode;
import static org.apache.spark.sql.functions.xxhash64;

import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NumericType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.tare.TareException;
import org.tare.spark.SparkFailures;
import org.tare.spark.rows.DataSource;

/**
 * A figure of the user's own, as an expression of Spark SQL. It sees the columns of the row, and
 * what both models give for it: {@value #FLOAT} and {@value #QUANTIZED}, structs with a field for
 * each output of floats, an array of the row's values. An expression of a row is averaged over the
 * rows, nulls left out; one with aggregate functions is over all rows.
 *
 * <p>Rows of a form are summed up in one task, in an order that their values give: the figure is
 * the same to the last bit for any partitioning.
 *
 * @param columns the columns of the table that it needs
 */
public record SqlMetric(String sql, Over over, List<String> columns, List<String> outputs) {
  /** What the expression is about. */
  public enum Over {
    ROW,
    ALL_ROWS
  }

  private static final String FLOAT = "float";
  private static final String QUANTIZED = "quantized";
  private static final String FORM = "__tare_form";
  private static final String FORMS = "__tare_forms";
  private static final String FIRST = "__tare_first";
  private static final String VALUE = "__tare_value";
  private static final String HASH = "__tare_hash";

  /** The column of what a task found besides; null for a row. */
  static final String PART = "__tare_part";

  public SqlMetric {
    columns = List.copyOf(columns);
    outputs = List.copyOf(outputs);
  }

  /**
   * Looks at an expression before any row is read.
   *
   * @param key the setting that it comes from, for messages
   * @param table the columns of the rows
   * @param outputs of the model, of floats
   * @throws TareException if Spark does not understand it, or it gives no number
   */
  public static SqlMetric check(
      SparkSession spark, String key, String sql, StructType table, List<String> outputs) {
    List<StructField> own =
        Arrays.stream(table.fields()).filter(field -> !isHidden(field.name())).toList();
    Over over = over(spark, key, sql, own, outputs);
    List<String> needed = new ArrayList<>();
    for (StructField one : own) {
      List<StructField> others = own.stream().filter(field -> !field.equals(one)).toList();
      try {
        over(spark, key, sql, others, outputs);
      } catch (TareException e) {
        needed.add(one.name());
      }
    }
    return new SqlMetric(sql, over, needed, outputs);
  }

  /** Models' outputs go before columns of their names. */
  private static boolean isHidden(String column) {
    return column.equalsIgnoreCase(FLOAT) || column.equalsIgnoreCase(QUANTIZED);
  }

  private static Over over(
      SparkSession spark, String key, String sql, List<StructField> own, List<String> outputs) {
    StructType schema =
        new StructType(own.toArray(StructField[]::new))
            .add(FLOAT, values(outputs))
            .add(QUANTIZED, values(outputs))
            .add(FORM, DataTypes.IntegerType);
    Dataset<Row> empty = spark.createDataFrame(List.<Row>of(), schema);
    try {
      DataType type = empty.select(expr(sql)).schema().apply(0).dataType();
      if (!(type instanceof NumericType || type instanceof BooleanType)) {
        throw TareException.usage(
            "%s cannot be \"%s\": it is of type %s, and has to be a number, or true or false",
            key, sql, type.simpleString());
      }
      try {
        empty.groupBy(FORM).agg(avg(expr(sql).cast(DataTypes.DoubleType))).schema();
        return Over.ROW;
      } catch (Exception e) { // AnalysisException is a checked exception that Scala throws
        if (!String.valueOf(e.getMessage()).contains("NESTED_AGGREGATE_FUNCTION")) {
          throw e;
        }
      }
      empty.groupBy(FORM).agg(expr(sql)).schema();
      return Over.ALL_ROWS;
    } catch (TareException e) {
      throw e;
    } catch (Exception e) { // as above
      throw TareException.usage(
              "%s cannot be \"%s\": %s", key, sql, SparkFailures.firstLine(e).replace('\t', ' '))
          .causedBy(e);
    }
  }

  private static StructType values(List<String> outputs) {
    StructType values = new StructType();
    for (String output : outputs) {
      values = values.add(output, DataTypes.createArrayType(DataTypes.FloatType, false), true);
    }
    return values;
  }

  /**
   * What tasks give: for each row its columns, the float outputs and those of each form; and at the
   * end what they found besides.
   *
   * @param table the schema of the rows that the tasks read
   */
  StructType emitted(StructType table) {
    StructType emitted = new StructType();
    for (String column : columns) {
      StructField field = table.apply(column);
      emitted = emitted.add(column, field.dataType(), true);
    }
    return emitted
        .add(FLOAT, values(outputs), true)
        .add(FORMS, DataTypes.createArrayType(values(outputs), false), true)
        .add(FIRST, DataTypes.IntegerType, true)
        .add(PART, DataTypes.BinaryType, true);
  }

  /** A value of the column of an output. */
  static Object array(float[] values, int from, int to) {
    List<Float> view =
        new AbstractList<>() {
          @Override
          public Float get(int index) {
            return values[from + index];
          }

          @Override
          public int size() {
            return to - from;
          }
        };
    return scala.jdk.javaapi.CollectionConverters.asScala(view).toSeq();
  }

  /**
   * The figure of each form.
   *
   * @param emitted what tasks gave
   * @throws TareException if one has none
   */
  List<Double> of(Dataset<Row> emitted, int forms) {
    List<Column> all = new ArrayList<>();
    columns.forEach(name -> all.add(col(DataSource.quoted(name))));
    all.add(col(FLOAT));
    List<Column> exploded = new ArrayList<>(all);
    exploded.add(col(FIRST));
    exploded.add(posexplode(col(FORMS)).as(new String[] {FORM, QUANTIZED}));
    Dataset<Row> rows =
        emitted
            .filter(col(PART).isNull())
            .select(exploded.toArray(Column[]::new))
            .withColumn(FORM, col(FORM).plus(col(FIRST)));
    List<Row> found =
        switch (over) {
          case ROW -> {
            Dataset<Row> values =
                rows.select(col(FORM), expr(sql).cast(DataTypes.DoubleType).as(VALUE));
            yield inOrder(values, forms, VALUE).groupBy(FORM).agg(avg(VALUE)).collectAsList();
          }
          case ALL_ROWS -> {
            all.add(col(QUANTIZED));
            Dataset<Row> hashed = rows.withColumn(HASH, xxhash64(hashable(rows, all)));
            yield inOrder(hashed, forms, HASH)
                .groupBy(FORM)
                .agg(expr(sql).cast(DataTypes.DoubleType))
                .collectAsList();
          }
        };
    Double[] figures = new Double[forms];
    for (Row row : found) {
      if (row.isNullAt(1)) {
        throw TareException.badInput(
            "The metric \"%s\" is null: it gives no number on these rows", sql);
      }
      figures[row.getInt(0)] = row.getDouble(1);
    }
    return List.of(figures);
  }

  /** Each form's rows in one partition, in order. */
  private static Dataset<Row> inOrder(Dataset<Row> rows, int forms, String by) {
    int partitions = Math.min(forms, rows.sparkSession().sparkContext().defaultParallelism());
    return rows.repartition(partitions, col(FORM)).sortWithinPartitions(FORM, by);
  }

  /** Those columns that have a hash: maps have none. */
  private static Column[] hashable(Dataset<Row> rows, List<Column> all) {
    return all.stream()
        .filter(
            column -> {
              try {
                rows.select(xxhash64(column));
                return true;
              } catch (Exception e) { // AnalysisException is a checked exception
                return false;
              }
            })
        .toArray(Column[]::new);
  }
}
