package org.tare.job;

import java.util.List;
import java.util.Map;
import org.tare.infer.ConstantFolding;
import org.tare.infer.TensorTypes;
import org.tare.onnx.OnnxModel;
import org.tare.onnx.TensorType;
import org.tare.onnx.passes.HalfToFloat;
import org.tare.prepare.FatalNodes;
import org.tare.prepare.FloatPasses;
import org.tare.prepare.FoldedBatchNormalization;
import org.tare.qconfig.QConfigMapping;
import org.tare.store.HadoopFiles;

/** Reads models from any file system, and prepares float ones. */
public final class ModelReader {
  private final HadoopFiles files;

  public ModelReader(HadoopFiles files) {
    this.files = files;
  }

  /**
   * The model in a file.
   *
   * @throws org.tare.TareException if it is missing, is no ONNX model, or has nodes on which ONNX
   *     Runtime ends the process
   */
  public OnnxModel read(String file) {
    OnnxModel model = files.withLocal("model", file, OnnxModel::dataFiles, OnnxModel::read);
    FatalNodes.check(model);
    return model;
  }

  /** The float model in a file, prepared and planned. */
  public FloatModel readFloat(String file, FloatPasses.Options passes, QConfigMapping mapping) {
    String name = nameOf(file);
    OnnxModel original = read(file);
    AlreadyQuantized.check(original, name);
    OnnxModel prepared = prepared(name, original, passes);
    // The prepared model does not show what the passes folded.
    TensorTypes.asItIs(original, name);
    Map<String, TensorType> types = TensorTypes.of(prepared, name);
    return FloatModel.of(name, original, prepared, types, mapping);
  }

  /** What a float model is, and what each mode would make of it. */
  public static FloatInspection inspect(String name, OnnxModel original) {
    FatalNodes.check(original);
    OnnxModel prepared = prepared(name, original, new FloatPasses.Options(false, false, false));
    Map<String, TensorType> declared = TensorTypes.asItIs(original, name);
    return FloatInspection.of(name, original, declared, prepared, TensorTypes.of(prepared, name));
  }

  private static OnnxModel prepared(String name, OnnxModel original, FloatPasses.Options passes) {
    OnnxModel folded = withoutConstantNodes(name, original);
    return FloatPasses.prepare(folded, passes, older -> TensorTypes.of(older, name));
  }

  private static OnnxModel withoutConstantNodes(String name, OnnxModel original) {
    // What stands in functions is folded too.
    OnnxModel plain = FloatPasses.withoutFunctions(original, older -> TensorTypes.of(older, name));
    OnnxModel folded = ConstantFolding.apply(HalfToFloat.apply(plain), name);
    // Sizes that were computed are known now, and what stands in functions.
    FatalNodes.check(folded);
    return folded;
  }

  /** The batch normalizations that preparing a float model folded into its layers. */
  static List<FoldedBatchNormalization> foldedBatchNormalizations(FloatModel model) {
    return FloatPasses.foldedBatchNormalizations(
        withoutConstantNodes(model.name(), model.original()),
        older -> TensorTypes.of(older, model.name()));
  }

  /** The last part of a path. */
  public static String nameOf(String file) {
    return file.substring(file.lastIndexOf('/') + 1);
  }
}
