package org.tare.infer;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.function.BiConsumer;
import org.tare.TareException;
import org.tare.files.TemporaryFolder;
import org.tare.files.TemporaryFolders;
import org.tare.onnx.OnnxModel;

/** A model as a file to be loaded, with its external data; both go when it is closed. */
public final class TemporaryModel implements AutoCloseable {
  private static final String NAME = "model.onnx";

  private final TemporaryFolder folder;

  private TemporaryModel(TemporaryFolder folder) {
    this.folder = folder;
  }

  /** Writes the whole model. */
  public static TemporaryModel of(OnnxModel model) {
    return write(model, OnnxModel::write);
  }

  /** Writes what the types of tensors follow from; values of large constants may be missing. */
  static TemporaryModel forTypes(OnnxModel model) {
    return write(model, OnnxModel::writeTypes);
  }

  private static TemporaryModel write(OnnxModel model, BiConsumer<OnnxModel, Path> write) {
    TemporaryModel temporary = new TemporaryModel(TemporaryFolders.create("model"));
    try {
      write.accept(model, temporary.file());
      return temporary;
    } catch (UncheckedIOException e) {
      temporary.close();
      throw TareException.cannotWrite(
              "Cannot write a temporary file in %s: %s",
              temporary.folder.path().getParent(), e.getCause().getMessage())
          .causedBy(e);
    } catch (RuntimeException | Error e) {
      temporary.close();
      throw e;
    }
  }

  public Path file() {
    return folder.resolve(NAME);
  }

  @Override
  public void close() {
    folder.close();
  }
}
