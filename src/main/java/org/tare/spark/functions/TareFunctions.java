package org.tare.spark.functions;

import java.lang.reflect.Method;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.tare.TareException;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Tare's SQL functions: from SQL, from Java as {@code functions.expr(…)}, from PySpark.
 *
 * <table>
 *   <caption>Functions</caption>
 *   <tr><td>{@code tare_observe(x)}</td><td>aggregate: the state of the values, BINARY; x is a number
 *   of any type, an array of them, or BINARY with little-endian float32 values</td></tr>
 *   <tr><td>{@code tare_observe_channels(x)}</td><td>aggregate over arrays of one length: a state with
 *   statistics of each index</td></tr>
 *   <tr><td>{@code tare_merge(state)}</td><td>aggregate: the state of all</td></tr>
 *   <tr><td>{@code tare_qparams(state, method, dtype [, scheme [, rule]])}</td><td>STRUCT of scale,
 *   zero_point, min, max, method, expected_mse, minmax_mse, masked; NULL if no value is finite; a method may
 *   have parameters, as in {@code 'percentile(percentile=99.9)'}; the scheme is per_tensor_affine, the
 *   default, or per_tensor_symmetric</td></tr>
 *   <tr><td>{@code tare_channel_qparams(state, dtype [, scheme [, rule]])}</td><td>ARRAY of STRUCT of
 *   scale, zero_point, min, max by min-max of each channel; the scheme is per_channel_symmetric, the
 *   default, or per_channel_affine</td></tr>
 *   <tr><td>{@code tare_describe(state)}</td><td>STRUCT of count, zeros, nans, positive_infinities,
 *   negative_infinities, min, max, channels</td></tr>
 *   <tr><td>{@code tare_describe_file(content)}</td><td>what the bytes of a state file hold: STRUCT of
 *   model, slice, rows, and tensors, an ARRAY of STRUCT of tensor and the fields of tare_describe</td></tr>
 *   <tr><td>{@code tare_state(content, tensor)}</td><td>the state of one tensor of a state file,
 *   BINARY</td></tr>
 * </table>
 *
 * <p>The rule is {@code pytorch} for PyTorch's type names (quint8), {@code onnxruntime} for ONNX's
 * (uint8), unless it is given.
 *
 * <p>NULL: aggregates leave it out, and of nothing give the state of no value; the others give NULL
 * if any argument is NULL. In an array, NULL counts as NaN.
 *
 * <p>Errors: a wrong number or type of arguments, and a wrong literal method, dtype, scheme or
 * rule, are an {@code AnalysisException} when the query is analyzed. An argument from a column is
 * checked at run time, with the same message in a {@link TareException}; so are the bytes of
 * states. {@code DESCRIBE FUNCTION EXTENDED} explains each function.
 */
public final class TareFunctions {
  private TareFunctions() {}

  /**
   * Registers the functions in a session that runs already; {@link TareExtensions} does it for
   * every session. From PySpark: {@code
   * spark._jvm.org.tare.spark.functions.TareFunctions.register(spark._jsparkSession)}.
   */
  public static void register(SparkSession spark) {
    FunctionRegistry registry = registry(spark);
    FunctionTable.forEach(
        (info, builder) ->
            registry.createOrReplaceTempFunction(info.getName(), builder, info.getSource()));
    // That gives them the identifiers of temporary functions, which differ among Spark's releases,
    // but
    // no descriptions.
    List<FunctionIdentifier> all = CollectionConverters.asJava(registry.listFunction());
    FunctionTable.forEach(
        (info, builder) ->
            all.stream()
                .filter(id -> id.funcName().equals(info.getName()))
                .forEach(
                    id -> {
                      registry.dropFunction(id);
                      registry.registerFunction(id, info, builder);
                    }));
  }

  private static FunctionRegistry registry(SparkSession spark) {
    try {
      // The class that has the method is another one since Spark 4.
      Object state = spark.getClass().getMethod("sessionState").invoke(spark);
      Method registry = state.getClass().getMethod("functionRegistry");
      return (FunctionRegistry) registry.invoke(state);
    } catch (ReflectiveOperationException e) {
      throw TareException.usage(
              "Cannot register functions in a session of Spark %s: it has no function registry here;"
                  + " set spark.sql.extensions=%s where the session is made",
              spark.version(), TareExtensions.class.getName())
          .causedBy(e);
    }
  }
}
