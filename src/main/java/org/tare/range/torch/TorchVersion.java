package org.tare.range.torch;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.tare.TareException;

/**
 * The generations of PyTorch's {@code HistogramObserver}. The release in between (about 2.3, 2.4)
 * is left out: it loses batches that lie within the range it knows.
 */
public enum TorchVersion {
  /**
   * 1.13 and before. The range of each batch's histogram is truncated to whole numbers, so values
   * beyond are lost and the counts are read as if they covered the real range; batches before the
   * range is more than a point are lost too; the maximum is raised a little with every growth.
   */
  TORCH_1_13("torch-1.13"),

  /** 2.0 to 2.2: as before with real ranges. */
  TORCH_2_0("torch-2.0"),

  /** 2.5 and later: the histogram is spread anew, in 16 parts a bin; infinities are dropped. */
  TORCH_2_5("torch-2.5");

  private final String id;

  TorchVersion(String id) {
    this.id = id;
  }

  /** The name in settings. */
  public String id() {
    return id;
  }

  /**
   * The generation of the given name.
   *
   * @throws TareException if there is none
   */
  public static TorchVersion of(String name) {
    for (TorchVersion version : values()) {
      if (version.id.equals(name.toLowerCase(Locale.ROOT))) {
        return version;
      }
    }
    throw TareException.usage(
        "Unknown generation \"%s\" of PyTorch's histogram observer: it is one of %s",
        name, Arrays.stream(values()).map(TorchVersion::id).collect(Collectors.joining(", ")));
  }
}
