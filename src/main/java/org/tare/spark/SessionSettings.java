package org.tare.spark;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.BinaryOperator;
import org.apache.spark.SparkConf;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.SparkSession;

/**
 * Settings of the caller's session that a job needs otherwise, for as long as this is open. Where
 * several threads want another value of one setting at once, it has the value that suits all of
 * them; what the caller had comes back when the last one is done.
 *
 * <p>Queries of the caller in the same session that are planned meanwhile see the value too. The
 * settings that jobs change this way are about speed and memory, not about results.
 */
public final class SessionSettings implements AutoCloseable {
  private static final Map<SparkSession, Map<String, Held>> HELD = new WeakHashMap<>();

  private static final String WHOLE_STAGES = "spark.sql.codegen.wholeStage";
  private static final String PROJECTIONS = "spark.sql.codegen.factoryMode";
  private static final String COMPILED = "FALLBACK";
  private static final String INTERPRETED = "NO_CODEGEN";

  /** Says that it was Tare that turned them off, and not the user. */
  private static final String BY_TARE = "spark.tare.interpreted";

  private final SparkSession spark;
  private final Map<String, Wish> wishes = new HashMap<>();

  /** A value that one job wants; not a record, since two equal wishes are two. */
  private static final class Wish {
    private String value;
  }

  /** A setting that jobs changed. */
  private static final class Held {
    private final String original;
    private final BinaryOperator<String> choice;
    private final List<Wish> wishes = new ArrayList<>();

    Held(String original, BinaryOperator<String> choice) {
      this.original = original;
      this.choice = choice;
    }

    String value() {
      String wanted = wishes.stream().map(wish -> wish.value).reduce(choice).orElseThrow();
      return original == null ? wanted : choice.apply(original, wanted);
    }
  }

  public SessionSettings(SparkSession spark) {
    this.spark = spark;
  }

  public SparkSession spark() {
    return spark;
  }

  /** Whether the caller chose a value: then jobs leave it. */
  public boolean isChosen(String key) {
    synchronized (HELD) {
      Held held = HELD.getOrDefault(spark, Map.of()).get(key);
      return held == null ? spark.conf().getAll().contains(key) : held.original != null;
    }
  }

  /** Makes a number as small as wanted here, unless it is smaller. */
  public void atMost(String key, long value) {
    hold(key, Long.toString(value), SessionSettings::least);
  }

  /** Makes false what is true or false. */
  public void off(String key) {
    hold(key, "false", SessionSettings::agreed);
  }

  /**
   * Has Spark interpret queries. It compiles code for each otherwise, which takes longer than all
   * the work of a query that only reads some rows.
   *
   * @param conf of a session that runs no queries but such
   */
  public static void interpret(SparkConf conf) {
    if (!conf.contains(PROJECTIONS) && !conf.contains(WHOLE_STAGES)) {
      conf.set(PROJECTIONS, INTERPRETED);
      conf.set(WHOLE_STAGES, "false");
      conf.set(BY_TARE, "true");
    }
  }

  /**
   * Has Spark compile code after all where {@link #interpret} was called: for rows of many values.
   *
   * @return whether that changes anything for this one
   */
  public boolean compile() {
    if (wishes.containsKey(PROJECTIONS) || !spark.sparkContext().getConf().contains(BY_TARE)) {
      return false;
    }
    hold(PROJECTIONS, COMPILED, SessionSettings::agreed);
    hold(WHOLE_STAGES, "true", SessionSettings::agreed);
    return true;
  }

  private static String least(String one, String other) {
    return Long.parseLong(one) <= Long.parseLong(other) ? one : other;
  }

  /** Where all jobs want the same, whatever the caller had. */
  private static String agreed(String original, String wanted) {
    return wanted;
  }

  private void hold(String key, String value, BinaryOperator<String> choice) {
    synchronized (HELD) {
      RuntimeConfig conf = spark.conf();
      Held held =
          HELD.computeIfAbsent(spark, session -> new HashMap<>())
              .computeIfAbsent(
                  key,
                  name -> new Held(conf.getAll().contains(key) ? conf.get(key) : null, choice));
      Wish wish = wishes.get(key);
      if (wish == null) {
        wish = new Wish();
        wishes.put(key, wish);
        held.wishes.add(wish);
      }
      wish.value = value;
      conf.set(key, held.value());
    }
  }

  /** Brings back what the caller had, unless other jobs still want something else. */
  @Override
  public void close() {
    synchronized (HELD) {
      Map<String, Held> all = HELD.getOrDefault(spark, Map.of());
      wishes.forEach(
          (key, wish) -> {
            Held held = all.get(key);
            held.wishes.remove(wish);
            if (!held.wishes.isEmpty()) {
              spark.conf().set(key, held.value());
            } else {
              all.remove(key);
              if (held.original == null) {
                spark.conf().unset(key);
              } else {
                spark.conf().set(key, held.original);
              }
            }
          });
      wishes.clear();
    }
  }
}
