package org.tare.cli;

import java.util.Locale;
import org.tare.job.MemoryNeed;

/** What an executor needs in memory, for people. */
final class MemoryTable {
  private MemoryTable() {}

  static String of(MemoryNeed need) {
    return String.format(
        Locale.ROOT,
        """

        Memory of an executor, about, that runs %d task(s) at once with %d row(s) a batch:
          outside of the heap %12s  the loaded model %s, tensors of a batch %s a task
          heap                %12s  counters of %d tensors %s a task
          disk                %12s  the model's files while they are loaded
        besides what Spark and the JVM take. On a cluster: spark.executor.memoryOverhead of at least %s.""",
        need.tasks(),
        need.batch(),
        megabytes(need.outsideBytes()),
        megabytes(need.sessionBytes()),
        megabytes(need.tensorBytes()),
        megabytes(need.heapBytes()),
        need.tensors(),
        megabytes(need.counterBytes()),
        megabytes(need.modelBytes()),
        overhead(need.outsideBytes()));
  }

  private static String megabytes(long bytes) {
    return String.format(Locale.ROOT, "%,.1f MB", bytes / (double) (1 << 20));
  }

  /** Spark's least is 384 MB, which is for the JVM. */
  private static String overhead(long bytes) {
    return (384 + (bytes >> 20) + 1) + "m";
  }
}
