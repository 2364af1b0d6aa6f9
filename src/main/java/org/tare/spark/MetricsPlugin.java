package org.tare.spark;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import java.util.Map;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * Puts what jobs found into Spark's metrics system, and so into each of its sinks: JMX, Prometheus,
 * Graphite, the JSON of Spark's UI. {@code spark.plugins=org.tare.spark.MetricsPlugin} turns it on;
 * Spark puts {@code plugin.org.tare.spark.MetricsPlugin.} before the names of {@link JobMetrics}.
 */
public final class MetricsPlugin implements SparkPlugin {
  @Override
  public DriverPlugin driverPlugin() {
    return new DriverPlugin() {
      @Override
      public void registerMetrics(String application, PluginContext context) {
        register(context.metricRegistry());
      }
    };
  }

  static void register(MetricRegistry registry) {
    Map<String, ?> names = JobMetrics.values();
    for (String name : names.keySet()) {
      registry.register(name, (Gauge<Object>) () -> JobMetrics.values().get(name));
    }
  }

  /** What executors see is in the states that they give. */
  @Override
  public ExecutorPlugin executorPlugin() {
    return null;
  }
}
