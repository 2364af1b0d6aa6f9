package org.tare.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.net.URL;
import java.net.URLClassLoader;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.tare.train.torch.Libtorch;

/** What is said where libtorch is not there. */
class LibtorchTest {
  private static URL placeOf(Class<?> type) {
    return type.getProtectionDomain().getCodeSource().getLocation();
  }

  /** The failure of loading libtorch with nothing but these on the classpath. */
  private static Throwable failure(URL... classpath) throws Exception {
    try (URLClassLoader alone =
        new URLClassLoader(classpath, ClassLoader.getPlatformClassLoader())) {
      Class<?> libtorch = alone.loadClass(Libtorch.class.getName());
      return assertThrows(
              InvocationTargetException.class, () -> libtorch.getMethod("load").invoke(null))
          .getCause();
    }
  }

  private static void assertSays(String begin, Throwable failure) throws Exception {
    assertTrue(failure.getMessage().startsWith(begin), failure.toString());
    assertTrue(
        failure.getMessage().contains("deploy/tare finetune fetches it"), failure.toString());
    Object kind = failure.getClass().getMethod("kind").invoke(failure);
    assertEquals("MISSING_INPUT", kind.toString());
  }

  @Test
  void saysWhatToAddWithoutIt() throws Exception {
    assertSays(
        "Cannot train: libtorch is not on the classpath; ", failure(placeOf(Libtorch.class)));
  }

  @Test
  void saysWhichPlatformItHasNoNativesFor() throws Exception {
    assertSays(
        "Cannot train: libtorch has no natives for this platform, "
            + System.getProperty("os.name")
            + " "
            + System.getProperty("os.arch"),
        failure(
            placeOf(Libtorch.class),
            placeOf(Tensor.class),
            placeOf(Loader.class),
            placeOf(org.bytedeco.openblas.global.openblas.class)));
  }
}
