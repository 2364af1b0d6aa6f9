package org.tare.infer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.tare.TareException;
import org.tare.infer.SessionPool.Lease;
import org.tare.infer.SessionPool.Model;
import org.tare.onnx.TestModel;

/** Sessions are shared, kept within limits, and loaded once. */
class SessionPoolTest {
  private static final long LARGE = 300L << 20;

  @TempDir static Path folder;

  private final AtomicInteger loaded = new AtomicInteger();

  @BeforeEach
  @AfterEach
  void empty() {
    SessionPool.closeIdle();
    assertArrayEquals(new int[] {0, 0}, SessionPool.counts());
  }

  private Lease lease(String digest, long sizeBytes) {
    return SessionPool.lease(
        new Model("test", digest, sizeBytes, 1),
        opener -> {
          loaded.incrementAndGet();
          Path file = folder.resolve("model.onnx");
          if (!Files.exists(file)) {
            TestModel.opset(17)
                .input("x", -1, 2)
                .node("Relu", List.of("x"), List.of("y"))
                .output("y", -1, 2)
                .write(file);
          }
          return opener.open(file);
        });
  }

  @Test
  void tasksShareASessionAndTheNextOneFindsIt() {
    Lease one = lease("a", 1);
    Lease two = lease("a", 1);
    assertSame(one.session(), two.session());
    one.close();
    one.close();
    assertArrayEquals(new int[] {1, 0}, SessionPool.counts(), "the second lease still counts");
    two.close();
    assertArrayEquals(new int[] {1, 1}, SessionPool.counts());
    try (Lease three = lease("a", 1)) {
      assertSame(one.session(), three.session());
    }
    assertEquals(1, loaded.get());
  }

  @Test
  void fewIdleSessionsAreKept() {
    List<Lease> leases = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      leases.add(lease("small" + i, 1));
    }
    assertArrayEquals(new int[] {6, 0}, SessionPool.counts());
    leases.forEach(Lease::close);
    assertArrayEquals(new int[] {4, 4}, SessionPool.counts());
    SessionPool.closeIdle();
    assertArrayEquals(new int[] {0, 0}, SessionPool.counts());
  }

  @Test
  void idleSessionsOfLargeModelsAreClosedAtOnce() {
    Lease large = lease("large", LARGE);
    lease("small", 1).close();
    assertArrayEquals(new int[] {2, 1}, SessionPool.counts());
    large.close();
    assertArrayEquals(new int[] {1, 1}, SessionPool.counts());
    try (Lease again = lease("large", LARGE)) {
      assertNotSame(large.session(), again.session());
    }
  }

  @Test
  void aModelThatCannotBeLoadedLeavesNothing() {
    Model model = new Model("test", "bad", 1, 1);
    assertThrows(
        TareException.class,
        () ->
            SessionPool.lease(
                model,
                opener -> {
                  throw TareException.badInput("no");
                }));
    assertArrayEquals(new int[] {0, 0}, SessionPool.counts());
  }

  @Test
  void manyThreadsLoadItOnce() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<ModelSession>> sessions = new ArrayList<>();
      for (int i = 0; i < 32; i++) {
        sessions.add(
            threads.submit(
                () -> {
                  try (Lease lease = lease("shared", 1)) {
                    return lease.session();
                  }
                }));
      }
      ModelSession first = sessions.get(0).get();
      for (Future<ModelSession> session : sessions) {
        assertSame(first, session.get());
      }
      assertEquals(1, loaded.get());
    } finally {
      threads.shutdown();
    }
  }
}
