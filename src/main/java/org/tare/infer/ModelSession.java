package org.tare.infer;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions.OptLevel;
import ai.onnxruntime.TensorInfo;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.tare.TareException;
import org.tare.onnx.ElementType;
import org.tare.onnx.TensorType;

/**
 * An ONNX model loaded into ONNX Runtime on the CPU, with all graph optimisations on. Threads are
 * as many as asked for and never spin: the machine belongs to Spark. Safe to use from several
 * threads.
 */
public final class ModelSession implements AutoCloseable {
  private static final OrtEnvironment ENVIRONMENT = RuntimeEnvironment.create();

  private static final String LEFT_OUT = "optimization.disable_specified_optimizers";

  /**
   * Keeps equal small constants once. Of ONNX Runtime 1.29 it takes time that grows with the square
   * of the number of constants, and changes no result.
   */
  private static final String SLOW_OPTIMIZERS = "ConstantSharing";

  /**
   * For models that are not going to be run. Weights are not copied into kernels' own order. And
   * products with a bias stay two nodes, since ONNX Runtime 1.29 takes time for one that grows with
   * the number of nodes that share its weight; no type depends on it.
   */
  private static final Map<String, String> NOT_RUN =
      Map.of("session.disable_prepacking", "1", LEFT_OUT, SLOW_OPTIMIZERS + ";MatMulAddFusion");

  private static final Map<String, String> RUN = Map.of(LEFT_OUT, SLOW_OPTIMIZERS);

  /** On x86, weights of int8 become uint8: those kernels add in 32 bits. */
  private static final Map<String, String> EXACT =
      Map.of("session.x64quantprecision", "1", LEFT_OUT, SLOW_OPTIMIZERS);

  private static final Map<String, String> PAIRS_APART =
      Map.of("session.disable_quant_qdq", "1", LEFT_OUT, SLOW_OPTIMIZERS);

  /** Whether a session plans where its tensors lie in memory. */
  private enum MemoryPlan {
    /** Worth it for many runs. */
    MADE,
    /**
     * ONNX Runtime 1.29 takes time for it that grows with the square of the number of constants.
     */
    NONE
  }

  private final String name;
  private final OrtSession session;
  private final Map<String, TensorType> inputs;
  private final Map<String, TensorType> outputs;

  private ModelSession(String name, OrtSession session) throws OrtException {
    this.name = name;
    this.session = session;
    this.inputs = types(session.getInputInfo());
    this.outputs = types(session.getOutputInfo());
  }

  /** What becomes of pairs of QuantizeLinear and DequantizeLinear around an operator. */
  public enum Pairs {
    /** One kernel on integers takes the place of the pairs and the operator, where there is one. */
    FUSED,
    /** The same by kernels whose sums of products saturate on no x86; slower where others do. */
    FUSED_EXACT,
    /**
     * They round, and the operator computes in floats: quantization is simulated, with the same
     * numbers on every CPU but for the rounding of floats.
     */
    APART
  }

  /** Loads a model whose pairs become what is said. */
  public static ModelSession open(Path model, String name, int threads, Pairs pairs) {
    return open(
        model,
        name,
        threads,
        OptLevel.ALL_OPT,
        MemoryPlan.MADE,
        switch (pairs) {
          case FUSED -> RUN;
          case FUSED_EXACT -> EXACT;
          case APART -> PAIRS_APART;
        });
  }

  /**
   * Loads a model.
   *
   * @param model the file
   * @param name what to call the model in messages
   * @param threads for the parallel parts of one operator
   * @throws TareException if ONNX Runtime does not accept it
   */
  public static ModelSession open(Path model, String name, int threads) {
    return open(model, name, threads, OptLevel.ALL_OPT, MemoryPlan.MADE, RUN);
  }

  /**
   * Loads a model that is run a few times, on one thread: it loads sooner.
   *
   * @throws TareException if ONNX Runtime does not accept it
   */
  public static ModelSession openBriefly(Path model, String name) {
    return open(model, name, 1, OptLevel.ALL_OPT, MemoryPlan.NONE, RUN);
  }

  /**
   * Loads a model on one thread, whose runs are written down.
   *
   * @param profile what the file's name begins with
   */
  static ModelSession openProfiled(Path model, String name, Path profile) {
    return open(model, name, 1, OptLevel.ALL_OPT, MemoryPlan.MADE, RUN, Optional.of(profile));
  }

  /** Loads a model that is not going to be run. */
  static ModelSession openForTypes(Path model, String name) {
    return open(model, name, 1, OptLevel.ALL_OPT, MemoryPlan.NONE, NOT_RUN);
  }

  /** The same, with all graph optimisations off. */
  static ModelSession openAsItIs(Path model, String name) {
    return open(model, name, 1, OptLevel.NO_OPT, MemoryPlan.NONE, NOT_RUN);
  }

  private static ModelSession open(
      Path model,
      String name,
      int threads,
      OptLevel level,
      MemoryPlan plan,
      Map<String, String> config) {
    return open(model, name, threads, level, plan, config, Optional.empty());
  }

  private static ModelSession open(
      Path model,
      String name,
      int threads,
      OptLevel level,
      MemoryPlan plan,
      Map<String, String> config,
      Optional<Path> profile) {
    try (OrtSession.SessionOptions options = new OrtSession.SessionOptions()) {
      options.setIntraOpNumThreads(threads);
      options.setInterOpNumThreads(1);
      options.setExecutionMode(OrtSession.SessionOptions.ExecutionMode.SEQUENTIAL);
      options.setOptimizationLevel(level);
      options.setMemoryPatternOptimization(plan == MemoryPlan.MADE);
      options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL);
      options.addConfigEntry("session.intra_op.allow_spinning", "0");
      options.addConfigEntry("session.inter_op.allow_spinning", "0");
      for (Map.Entry<String, String> entry : config.entrySet()) {
        options.addConfigEntry(entry.getKey(), entry.getValue());
      }
      if (profile.isPresent()) {
        options.enableProfiling(profile.get().toString());
      }
      return new ModelSession(name, ENVIRONMENT.createSession(model.toString(), options));
    } catch (OrtException e) {
      throw TareException.badInput(
              "Cannot load model %s: ONNX Runtime says: %s", name, firstLine(e))
          .causedBy(e);
    }
  }

  private static Map<String, TensorType> types(Map<String, NodeInfo> infos) {
    Map<String, TensorType> types = new LinkedHashMap<>();
    infos.forEach(
        (tensor, info) -> {
          if (info.getInfo() instanceof TensorInfo tensorInfo) {
            types.put(
                tensor,
                new TensorType(
                    elementType(tensorInfo),
                    tensorInfo.getShape(),
                    List.of(tensorInfo.getDimensionNames())));
          }
        });
    return Collections.unmodifiableMap(types);
  }

  private static ElementType elementType(TensorInfo info) {
    return switch (info.onnxType) {
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT -> ElementType.FLOAT32;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE -> ElementType.FLOAT64;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16 -> ElementType.FLOAT16;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16 -> ElementType.BFLOAT16;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8 -> ElementType.UINT8;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8 -> ElementType.INT8;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16 -> ElementType.UINT16;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16 -> ElementType.INT16;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32 -> ElementType.INT32;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 -> ElementType.INT64;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32 -> ElementType.UINT32;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64 -> ElementType.UINT64;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL -> ElementType.BOOL;
      case ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING -> ElementType.STRING;
      default -> ElementType.OTHER;
    };
  }

  /** The version of ONNX Runtime. */
  public static String runtimeVersion() {
    return ENVIRONMENT.getVersion();
  }

  /** The tensors the model reads, in its order. */
  public Map<String, TensorType> inputs() {
    return inputs;
  }

  /** The tensors the model gives, in its order; sequences and maps are left out. */
  public Map<String, TensorType> outputs() {
    return outputs;
  }

  /** What the model is given for one input: bytes in native order, between position and limit. */
  public record InputTensor(ElementType elementType, long[] shape, ByteBuffer direct) {}

  /** Gets each wanted output while its memory is valid. */
  @FunctionalInterface
  public interface OutputReader {
    void read(String name, OutputTensor tensor);
  }

  /**
   * Runs the model once.
   *
   * @param given every input of the model
   * @param wanted which outputs to compute; they are read in this order
   * @throws TareException if ONNX Runtime fails, with what it says
   */
  public void run(Map<String, InputTensor> given, Set<String> wanted, OutputReader reader) {
    Map<String, OnnxTensor> tensors = new LinkedHashMap<>();
    try {
      for (Map.Entry<String, InputTensor> entry : given.entrySet()) {
        tensors.put(entry.getKey(), tensor(entry.getKey(), entry.getValue()));
      }
      try (OrtSession.Result result = session.run(tensors, wanted)) {
        for (Map.Entry<String, OnnxValue> output : result) {
          if (output.getValue() instanceof OnnxTensor tensor) {
            reader.read(output.getKey(), new OutputTensor(tensor));
          }
        }
      }
    } catch (OrtException e) {
      throw TareException.badInput("Cannot run model %s: ONNX Runtime says: %s", name, firstLine(e))
          .causedBy(e);
    } finally {
      tensors.values().forEach(OnnxTensor::close);
    }
  }

  /** Ends what {@link #openProfiled} began; gives the file. */
  Path endProfile() {
    try {
      return Path.of(session.endProfiling());
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }

  private OnnxTensor tensor(String input, InputTensor given) throws OrtException {
    OnnxJavaType type =
        switch (given.elementType()) {
          case FLOAT32 -> OnnxJavaType.FLOAT;
          case FLOAT64 -> OnnxJavaType.DOUBLE;
          case FLOAT16 -> OnnxJavaType.FLOAT16;
          case BFLOAT16 -> OnnxJavaType.BFLOAT16;
          case INT64 -> OnnxJavaType.INT64;
          case INT32 -> OnnxJavaType.INT32;
          case INT16 -> OnnxJavaType.INT16;
          case INT8 -> OnnxJavaType.INT8;
          case UINT8 -> OnnxJavaType.UINT8;
          case BOOL -> OnnxJavaType.BOOL;
          default ->
              throw TareException.badInput(
                  "Cannot run model %s: input \"%s\" is of a type that tables do not hold: %s",
                  name, input, given.elementType());
        };
    return OnnxTensor.createTensor(ENVIRONMENT, given.direct(), given.shape(), type);
  }

  private static String firstLine(OrtException e) {
    return String.valueOf(e.getMessage()).lines().findFirst().orElse("");
  }

  @Override
  public void close() {
    try {
      session.close();
    } catch (OrtException e) {
      throw new IllegalStateException(e);
    }
  }
}
