package org.tare.cli;

/**
 * The process in which YARN runs the driver in cluster mode: Spark's application master. It reports
 * how the application ended when {@code main} comes back or throws; where {@code main} ends the
 * process itself, it takes the application for failed, even with the status 0, and YARN starts it
 * again.
 */
final class YarnMaster {
  private YarnMaster() {}

  /** Whether this process is one, by the properties that Spark sets there. */
  static boolean isHere() {
    return System.getProperty("spark.master", "").startsWith("yarn")
        && System.getProperty("spark.submit.deployMode", "").equals("cluster");
  }

  /**
   * What {@code main} throws, so that YARN shows the exit status among the application's
   * diagnostics.
   *
   * @param status not 0
   */
  static IllegalStateException failed(int status) {
    return new IllegalStateException("tare ended with the exit status " + status);
  }
}
