package org.tare.spark.tasks;

import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.expressions.Aggregator;
import org.tare.stats.StatsCodec;

/**
 * Merges encoded {@link org.tare.stats.TensorStats}: a Spark SQL aggregate function over binary
 * values. Nulls and empty values are left out.
 *
 * <p>The buffer stays an object while a task merges into it, and is bytes only where tasks exchange
 * it. It is Java-serialized: Kryo's encoder fails on Spark 4.0.1 and 4.1.0.
 */
public final class StatsAggregator extends Aggregator<byte[], StatsBuffer, byte[]> {
  private static final long serialVersionUID = 1L;

  @Override
  public StatsBuffer zero() {
    return new StatsBuffer();
  }

  @Override
  public StatsBuffer reduce(StatsBuffer buffer, byte[] input) {
    if (input != null && input.length > 0) {
      buffer.add(input);
    }
    return buffer;
  }

  @Override
  public StatsBuffer merge(StatsBuffer left, StatsBuffer right) {
    left.add(right);
    return left;
  }

  @Override
  public byte[] finish(StatsBuffer buffer) {
    return StatsCodec.encode(buffer.stats());
  }

  @Override
  public Encoder<StatsBuffer> bufferEncoder() {
    return Encoders.javaSerialization(StatsBuffer.class);
  }

  @Override
  public Encoder<byte[]> outputEncoder() {
    return Encoders.BINARY();
  }
}
