package org.tare.train;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.tare.TareException;
import org.tare.files.TemporaryFolder;
import org.tare.files.TemporaryFolders;
import org.tare.onnx.ModelFile;
import org.tare.onnx.OnnxModel;

/** A model that is trained on, on its way to an executor. */
public record SentModel(String name, byte[] bytes, Places places) implements Serializable {
  private static final String FILE = "model.onnx";

  static SentModel of(String name, OnnxModel model, Places places) {
    List<ModelFile> files = model.files(FILE);
    if (files.size() > 1) {
      throw TareException.badInput(
          "Cannot train %s: it takes more than the 2 GB of one file", name);
    }
    try (ByteArrayOutputStream bytes = new ByteArrayOutputStream()) {
      files.get(0).writeTo(bytes);
      return new SentModel(name, bytes.toByteArray(), places);
    } catch (IOException e) {
      throw TareException.cannotWrite("Cannot send %s to the executors: %s", name, e).causedBy(e);
    }
  }

  OnnxModel read() {
    try (TemporaryFolder folder = TemporaryFolders.create("train")) {
      Path file = folder.resolve(FILE);
      Files.write(file, bytes);
      return OnnxModel.read(file);
    } catch (IOException e) {
      throw TareException.tryAgain("Cannot write %s on this executor: %s", name, e).causedBy(e);
    }
  }
}
