package org.tare.spark.rows;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.tare.TareException;

/**
 * Finds the columns of a table by their names. Upper and lower case are the same or not, as {@code
 * spark.sql.caseSensitive} says. A dot leads into a struct, as in {@code image.bytes}, unless a
 * column has the whole name.
 */
public record ColumnNames(StructType schema, boolean caseSensitive) {
  /**
   * A column, or a field of one.
   *
   * @param path the column's name, then those of the fields, as the table spells them
   */
  record Found(List<String> path, DataType type) implements Serializable {
    /** What the column is called once it is selected, and in messages. */
    String name() {
      return String.join(".", path);
    }

    /**
     * The column of a table, under its {@link #name()}. It is resolved when rows are selected, with
     * the settings of the table's session; {@code Dataset.col} takes those of the session that is
     * active in this thread.
     */
    Column column() {
      return functions
          .col(path.stream().map(DataSource::quoted).collect(Collectors.joining(".")))
          .as(name());
    }
  }

  public static ColumnNames of(SparkSession spark, StructType schema) {
    String caseSensitive = spark.conf().get("spark.sql.caseSensitive", "false");
    return new ColumnNames(schema, Boolean.parseBoolean(caseSensitive));
  }

  /** The names of all columns, for messages. */
  String list() {
    return String.join(", ", schema.fieldNames());
  }

  /** The only column, if there is only one. */
  Optional<Found> only() {
    return schema.length() == 1
        ? Optional.of(new Found(List.of(schema.apply(0).name()), schema.apply(0).dataType()))
        : Optional.empty();
  }

  /**
   * A column, or a field of a struct.
   *
   * @throws TareException if several columns have the name
   */
  Optional<Found> find(String name) {
    return find(schema, name, List.of());
  }

  /**
   * A column, fields of structs left out.
   *
   * @throws TareException if several columns have the name
   */
  Optional<Found> findColumn(String name) {
    return field(schema, name).map(field -> new Found(List.of(field.name()), field.dataType()));
  }

  private Optional<Found> find(StructType in, String name, List<String> above) {
    Optional<StructField> whole = field(in, name);
    if (whole.isPresent()) {
      return whole.map(field -> new Found(below(above, field), field.dataType()));
    }
    for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      Optional<StructField> first = field(in, name.substring(0, dot));
      if (first.isPresent() && first.get().dataType() instanceof StructType fields) {
        Optional<Found> found = find(fields, name.substring(dot + 1), below(above, first.get()));
        if (found.isPresent()) {
          return found;
        }
      }
    }
    return Optional.empty();
  }

  private static List<String> below(List<String> above, StructField field) {
    List<String> path = new ArrayList<>(above);
    path.add(field.name());
    return List.copyOf(path);
  }

  private Optional<StructField> field(StructType in, String name) {
    List<StructField> found =
        Arrays.stream(in.fields())
            .filter(
                field ->
                    caseSensitive ? field.name().equals(name) : field.name().equalsIgnoreCase(name))
            .toList();
    if (found.size() > 1) {
      throw TareException.badInput(
          "Cannot tell which column \"%s\" is: the table has %s; select one of them under another"
              + " name, or, if they differ in case, set spark.sql.caseSensitive=true",
          name, found.stream().map(StructField::name).collect(Collectors.joining(" and ")));
    }
    return found.stream().findFirst();
  }
}
