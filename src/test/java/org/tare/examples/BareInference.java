package org.tare.examples;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

/**
 * A float model on rows and nothing else: sessions of one thread, which take the batches in turn.
 * Calibration cannot be faster.
 *
 * @param model the file
 * @param rows of each input
 */
public record BareInference(Path model, Map<String, Npy> rows) {
  private static final int BATCH = 32;

  /**
   * @param arrays a folder with a NumPy file for each input
   */
  public static BareInference of(Path model, Path arrays) throws IOException {
    Map<String, Npy> rows = new LinkedHashMap<>();
    try (Stream<Path> files = Files.list(arrays)) {
      for (Path file : files.sorted().toList()) {
        rows.put(file.getFileName().toString().replace(".npy", ""), Npy.read(file));
      }
    }
    return new BareInference(model, rows);
  }

  /**
   * What that takes with a session for each core. Loading the sessions is left out.
   *
   * @param count of rows; those that are there are taken again and again
   */
  public double seconds(int count) throws InterruptedException {
    return seconds(count, Runtime.getRuntime().availableProcessors());
  }

  /** The same with so many sessions. */
  public double seconds(int count, int sessions) throws InterruptedException {
    List<Contender> contenders = new ArrayList<>();
    ExecutorService threads = Executors.newFixedThreadPool(sessions);
    try {
      for (int i = 0; i < sessions; i++) {
        contenders.add(new Contender(Contender.Name.parse(model.toString())));
      }
      AtomicInteger next = new AtomicInteger();
      long started = System.nanoTime();
      List<Future<?>> running = new ArrayList<>();
      for (Contender contender : contenders) {
        running.add(threads.submit(() -> run(contender, next, count / BATCH)));
      }
      for (Future<?> one : running) {
        one.get();
      }
      return (System.nanoTime() - started) / 1e9;
    } catch (ExecutionException e) {
      throw new UncheckedIOException(new IOException(e.getCause()));
    } finally {
      threads.shutdownNow();
      contenders.forEach(Contender::close);
    }
  }

  private void run(Contender contender, AtomicInteger next, int batches) {
    int there = rows.values().iterator().next().rows() / BATCH;
    for (int b = next.getAndIncrement(); b < batches; b = next.getAndIncrement()) {
      int from = b % there * BATCH;
      Map<String, Npy> batch = new LinkedHashMap<>();
      rows.forEach((input, values) -> batch.put(input, values.slice(from, BATCH)));
      contender.runOnly(batch);
    }
  }
}
