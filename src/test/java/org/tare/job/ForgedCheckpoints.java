package org.tare.job;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.SplittableRandom;
import java.util.function.BiFunction;
import org.tare.TareException;

/** Checkpoints that somebody changed, with a checksum that fits. */
public final class ForgedCheckpoints {
  private static final String FILE = "net.checkpoint";
  private static final String BEGIN = "Cannot go on from the checkpoint " + FILE + ": ";
  private static final int HEAD_BYTES = 8;
  private static final int SHA256_BYTES = 32;

  private ForgedCheckpoints() {}

  /** Each content that is cut short is refused, and so is one with a byte too many. */
  public static void assertEachCutIsRefused(
      byte[] good, BiFunction<byte[], String, ?> decode, String letters) {
    byte[] content = Arrays.copyOfRange(good, HEAD_BYTES, good.length - SHA256_BYTES);
    for (int length = 0; length < content.length; length++) {
      byte[] cut = CheckpointBytes.around(letters, version(good), Arrays.copyOf(content, length));
      refusal(cut, decode);
    }
    byte[] longer = Arrays.copyOf(content, content.length + 1);
    assertEquals(
        BEGIN + "it has 1 bytes too many",
        refusal(CheckpointBytes.around(letters, version(good), longer), decode));
  }

  /** Contents with changed bytes are read or refused: nothing else is thrown, no memory taken. */
  public static void assertChangesAreReadOrRefused(
      byte[] good, BiFunction<byte[], String, ?> decode, String letters) {
    byte[] content = Arrays.copyOfRange(good, HEAD_BYTES, good.length - SHA256_BYTES);
    int refused = 0;
    SplittableRandom random = new SplittableRandom(11);
    for (int at = 0; at < content.length; at++) {
      for (int value : new int[] {0, 0x7f, 0x80, 0xff, random.nextInt(256)}) {
        byte[] changed = content.clone();
        changed[at] = (byte) value;
        refused += decodes(CheckpointBytes.around(letters, version(good), changed), decode) ? 0 : 1;
      }
    }
    assertTrue(refused > 20, "only " + refused + " were refused");
  }

  /** The message that refuses it. */
  public static String refusal(byte[] file, BiFunction<byte[], String, ?> decode) {
    TareException e = assertThrows(TareException.class, () -> decode.apply(file, FILE));
    assertTrue(e.getMessage().startsWith(BEGIN), e.getMessage());
    assertEquals(TareException.Kind.BAD_INPUT, e.kind());
    return e.getMessage();
  }

  private static int version(byte[] good) {
    return ByteBuffer.wrap(good).getInt(Integer.BYTES);
  }

  private static boolean decodes(byte[] file, BiFunction<byte[], String, ?> decode) {
    try {
      decode.apply(file, FILE);
      return true;
    } catch (TareException e) {
      assertTrue(e.getMessage().startsWith(BEGIN), e.getMessage());
      return false;
    }
  }
}
