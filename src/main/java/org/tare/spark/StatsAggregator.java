package org.tare.spark;

import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.expressions.Aggregator;
import org.tare.stats.StatsCodec;
import org.tare.stats.TensorStats;

/**
 * Merges encoded {@link TensorStats}: a Spark SQL aggregate function over binary values. Buffers
 * are the encoded bytes too, since Kryo buffers fail on Spark 4.0.1 and 4.1.0; no bytes are the
 * identity.
 */
public final class StatsAggregator extends Aggregator<byte[], byte[], byte[]> {
  private static final long serialVersionUID = 1L;

  @Override
  public byte[] zero() {
    return new byte[0];
  }

  @Override
  public byte[] reduce(byte[] buffer, byte[] input) {
    return merge(buffer, input);
  }

  @Override
  public byte[] merge(byte[] left, byte[] right) {
    if (left == null || left.length == 0) {
      return right == null ? zero() : right;
    }
    if (right == null || right.length == 0) {
      return left;
    }
    TensorStats merged = StatsCodec.decode(left).merge(StatsCodec.decode(right));
    return StatsCodec.encode(merged);
  }

  @Override
  public byte[] finish(byte[] buffer) {
    return buffer;
  }

  @Override
  public Encoder<byte[]> bufferEncoder() {
    return Encoders.BINARY();
  }

  @Override
  public Encoder<byte[]> outputEncoder() {
    return Encoders.BINARY();
  }
}
