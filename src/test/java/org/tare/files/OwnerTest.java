package org.tare.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class OwnerTest {
  private static final Owner HERE = Owner.current();

  @Test
  void thisProcessLives() {
    assertEquals(Owner.Life.ALIVE, HERE.life());
    assertFalse(Owner.isAbandoned(Optional.of(HERE), Instant.EPOCH));
  }

  @Test
  void anEndedProcessIsGone() throws Exception {
    Process process =
        new ProcessBuilder(System.getProperty("java.home") + "/bin/java", "-version").start();
    Owner child = new Owner(HERE.user(), HERE.machine(), process.pid(), "unknown");
    process.waitFor();
    assertEquals(Owner.Life.GONE, child.life());
    assertTrue(Owner.isAbandoned(Optional.of(child), Instant.now()));
  }

  @Test
  void anotherProcessWithTheSameIdIsNotTheOwner() {
    assertEquals(
        Owner.Life.GONE, new Owner(HERE.user(), HERE.machine(), HERE.pid(), "before").life());
  }

  @Test
  void anotherMachineOrUserIsNotVisibleAndHasALease() {
    for (Owner other :
        new Owner[] {
          new Owner(HERE.user(), "another machine", HERE.pid(), HERE.started()),
          new Owner("another user", HERE.machine(), HERE.pid(), HERE.started())
        }) {
      assertEquals(Owner.Life.NOT_VISIBLE, other.life());
      Instant now = Instant.now();
      assertFalse(Owner.isAbandoned(Optional.of(other), now.minus(Duration.ofHours(23))));
      assertTrue(Owner.isAbandoned(Optional.of(other), now.minus(Duration.ofHours(25))));
    }
  }

  @Test
  void isReadAsItWasWritten() {
    Owner strange = new Owner("a=b", "ü pid:[1]", 123, "ticks 4 = 5");
    assertEquals(Optional.of(strange), Owner.decode(strange.encode()));
  }

  @Test
  void aFileThatIsCutOffIsNoOwner() {
    byte[] whole = HERE.encode();
    for (int length = 0; length < whole.length; length++) {
      assertEquals(Optional.empty(), Owner.decode(Arrays.copyOf(whole, length)), "of " + length);
    }
    assertEquals(
        Optional.empty(), Owner.decode("something else\n".getBytes(StandardCharsets.UTF_8)));
  }
}
