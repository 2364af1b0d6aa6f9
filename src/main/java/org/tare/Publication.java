package org.tare;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.tare.history.MlflowRun;
import org.tare.onnx.ModelFile;
import org.tare.settings.RegistrySettings;
import org.tare.spark.JobEvent;
import org.tare.stats.CalibrationState;
import org.tare.store.Existing;
import org.tare.store.HadoopFiles;
import org.tare.store.OutputFolder;

/** The output folder of a call: checked before the work, written after it. */
final class Publication {
  private final HadoopFiles files;
  private final OutputFolder folder;
  private final String name;
  private final Optional<MlflowRun> registry;

  private Publication(
      HadoopFiles files, OutputFolder folder, String name, Optional<MlflowRun> registry) {
    this.files = files;
    this.folder = folder;
    this.name = name;
    this.registry = registry;
  }

  /**
   * The folder that a call names, if it does.
   *
   * @throws TareException if it cannot be written or must not be replaced
   */
  static Optional<Publication> check(Call<?> call) {
    HadoopFiles files = call.tare().files();
    Optional<MlflowRun> registry =
        RegistrySettings.of(call.settings())
            .map(settings -> new MlflowRun(files, call.tare().progress(), settings));
    return call.settings()
        .find("output")
        .map(
            name ->
                new Publication(
                    files,
                    OutputFolder.check(
                        files,
                        name,
                        call.settings().flag("overwrite") ? Existing.REPLACE : Existing.REFUSE,
                        call.inputPaths()),
                    name,
                    registry));
  }

  /** A folder that is to be written now. */
  static Publication to(HadoopFiles files, String name) {
    return new Publication(
        files, OutputFolder.check(files, name, Existing.REFUSE, List.of()), name, Optional.empty());
  }

  /**
   * Writes the folder in one step. If there is a model in it, the registry is told afterwards.
   *
   * @param content by name
   * @param model the files of a model, itself first
   */
  void write(Map<String, byte[]> content, List<ModelFile> model) {
    Map<String, OutputFolder.Content> streamed = new LinkedHashMap<>();
    model.forEach(file -> streamed.put(file.name(), file::writeTo));
    folder.publish(content, streamed);
    new JobEvent.Published(folder.toString()).post();
    byte[] result = content.get("result.json");
    if (result != null && !model.isEmpty()) {
      List<String> names = new ArrayList<>(content.keySet());
      names.addAll(streamed.keySet());
      registry.ifPresent(one -> one.log(name, names, result));
    }
  }

  /** Where the folder is. */
  String place() {
    return folder.toString();
  }

  /** Keeps a state of a run that failed later, beside the output; tells where. */
  Optional<TareException> keep(Optional<CalibrationState> state, TareException failure) {
    try {
      return state
          .map(this::keep)
          .map(
              kept ->
                  TareException.of(
                          failure.kind(),
                          failure.getMessage() + "; what was calibrated is kept in " + kept)
                      .causedBy(failure));
    } catch (TareException e) {
      return Optional.empty();
    }
  }

  private String keep(CalibrationState state) {
    String kept = beside(".state.tare");
    files.write("calibration state", kept, state.encodeFile(), Existing.REPLACE);
    return kept;
  }

  private String beside(String ending) {
    return name.replaceAll("/+$", "") + ending;
  }

  /** Keeps what a quality gate held back, beside the output; tells where. */
  List<String> reject(Optional<CalibrationState> state, Result result) {
    List<String> kept = new ArrayList<>();
    state.map(this::keep).ifPresent(kept::add);
    String file = beside(".rejected.json");
    files.write(
        "result",
        file,
        (result.toJson() + "\n").getBytes(StandardCharsets.UTF_8),
        Existing.REPLACE);
    kept.add(file);
    return kept;
  }
}
