package org.tare.train.torch;

import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import org.tare.TareException;

/** The natives of libtorch, which are not in Tare's jar. */
public final class Libtorch {
  private static final String HOW =
      "deploy/tare finetune fetches it; elsewhere add the jars of org.bytedeco:pytorch, openblas and"
          + " javacpp, each with its natives too, by spark-submit --jars";

  private Libtorch() {}

  /**
   * Loads them, if they are there.
   *
   * @throws TareException of the kind {@code MISSING_INPUT} if they are not, or not for this
   *     platform
   */
  public static void load() {
    try {
      Natives.load();
    } catch (NoClassDefFoundError e) {
      throw TareException.missing("Cannot train: libtorch is not on the classpath; %s", HOW)
          .causedBy(e);
    } catch (UnsatisfiedLinkError e) {
      throw TareException.missing(
              "Cannot train: libtorch has no natives for this platform, %s %s, on the classpath (%s);"
                  + " %s",
              System.getProperty("os.name"), System.getProperty("os.arch"), e.getMessage(), HOW)
          .causedBy(e);
    }
  }

  /** Apart, so that its absence is found while it is loaded and not before. */
  private static final class Natives {
    private Natives() {}

    static void load() {
      Loader.load(torch.class);
      // A thread of libtorch's own beside those of Spark's tasks makes all of them wait.
      torch.set_num_threads(1);
    }
  }
}
