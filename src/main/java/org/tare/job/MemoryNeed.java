package org.tare.job;

import org.apache.spark.SparkContext;

/**
 * What an executor needs in memory to calibrate a model, about, in bytes.
 *
 * <p>Outside of the heap, ONNX Runtime holds the model once for all tasks of an executor, and for
 * each task the tensors of a batch. All observed tensors are there at once, and besides them what
 * an operator works in. They lie in regions whose sizes are powers of two: what ONNX Runtime 1.29
 * took in memory was 1.2 to 1.6 times what the tensors hold, of three models and several batches.
 * On the heap each task has its counters.
 *
 * @param modelBytes of the model's files
 * @param batch rows that a task runs at once
 * @param tasks that an executor runs at once
 * @param tensors that are observed
 * @param tensorBytes that ONNX Runtime takes for a batch: half as much again as inputs and observed
 *     tensors hold, and two times the largest
 * @param counterBytes of one task
 */
public record MemoryNeed(
    long modelBytes, int batch, int tasks, int tensors, long tensorBytes, long counterBytes) {
  /** ONNX Runtime itself, its threads and tables. */
  private static final long RUNTIME_BYTES = 32L << 20;

  /** A weight lies there as it was read and, in kernels' own order, once more. */
  private static final int COPIES = 2;

  /** What ONNX Runtime takes for the loaded model. */
  public long sessionBytes() {
    return RUNTIME_BYTES + COPIES * modelBytes;
  }

  /** What an executor needs outside of its heap, besides what Spark and the JVM take there. */
  public long outsideBytes() {
    return sessionBytes() + tasks * tensorBytes;
  }

  /** What an executor needs on its heap, besides what Spark takes there. */
  public long heapBytes() {
    return tasks * counterBytes;
  }

  /** What one task adds. */
  public long taskBytes() {
    return tensorBytes + counterBytes;
  }

  /** How many tasks an executor runs at once, as far as Spark's settings say. */
  static int tasks(SparkContext spark) {
    int cores =
        spark.isLocal()
            ? spark.defaultParallelism()
            : spark.getConf().getInt("spark.executor.cores", 1);
    return Math.max(1, cores / Math.max(1, spark.getConf().getInt("spark.task.cpus", 1)));
  }
}
