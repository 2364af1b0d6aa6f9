package org.tare.spark.tasks;

/** Where in a tensor the values of a batch's rows are. */
public enum TensorLayout {
  /** Row after row: the first k rows are the first k shares. */
  BATCH_MAJOR,
  /** The same values whatever the batch: they count once for each row. */
  PER_BATCH,
  /** Anything else: a batch that is not full has to be run again without its filling. */
  MIXED
}
