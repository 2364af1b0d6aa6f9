package org.tare.files;

import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The process that a folder belongs to.
 *
 * @param user that the process runs for
 * @param machine name of the host and, on Linux, the namespace of its process ids: containers of
 *     one host do not see each other's processes
 * @param pid of the process
 * @param started when the process started, in a form that only compares equal to itself: process
 *     ids are given out again
 */
public record Owner(String user, String machine, long pid, String started) {
  /** The name of the file that tells the owner, in the folder. */
  public static final String FILE = "_OWNER";

  /** How long a folder of another machine, or without an owner, is left alone. */
  public static final Duration LEASE = Duration.ofHours(24);

  /**
   * How long an owner file that is cut off is left alone: to write one takes a moment, so whoever
   * began it was killed.
   */
  public static final Duration UNFINISHED = Duration.ofMinutes(10);

  private static final String FIRST_LINE = "tare-owner 1";
  private static final Owner CURRENT = ofThisProcess();

  /** What is known about the owner. */
  public enum Life {
    ALIVE,
    GONE,
    /** It runs, or ran, for another user or on another machine. */
    NOT_VISIBLE
  }

  /** This process. */
  public static Owner current() {
    return CURRENT;
  }

  /** Whether the process still runs. */
  public Life life() {
    if (!user.equals(CURRENT.user) || !machine.equals(CURRENT.machine)) {
      return Life.NOT_VISIBLE;
    }
    return startOf(pid).filter(started::equals).isPresent() ? Life.ALIVE : Life.GONE;
  }

  /**
   * Whether a folder may be deleted.
   *
   * @param owner what its owner file says; empty if there is none, or it cannot be understood
   * @param touched when the owner file, or the folder without one, was last written
   */
  public static boolean isAbandoned(Optional<Owner> owner, Instant touched) {
    return isAbandoned(owner, touched, LEASE);
  }

  /**
   * The same with another term than {@link #LEASE}.
   *
   * @param term how long what is of an owner that cannot be seen is left alone
   */
  public static boolean isAbandoned(Optional<Owner> owner, Instant touched, Duration term) {
    return switch (owner.map(Owner::life).orElse(Life.NOT_VISIBLE)) {
      case ALIVE -> false;
      case GONE -> true;
      case NOT_VISIBLE -> touched.plus(term).isBefore(Instant.now());
    };
  }

  /**
   * The same by the content of an owner file, which may be cut off; then it is left alone for
   * {@link #UNFINISHED} at most. A file of another version of Tare is not cut off.
   */
  public static boolean isAbandoned(byte[] content, Instant touched, Duration term) {
    boolean isShort = isCutOff(content) && term.compareTo(UNFINISHED) > 0;
    return isAbandoned(decode(content), touched, isShort ? UNFINISHED : term);
  }

  /** Whether this is the begin of an owner file, without its end. */
  public static boolean isCutOff(byte[] content) {
    String text = new String(content, StandardCharsets.UTF_8);
    String first = FIRST_LINE + "\n";
    return decode(content).isEmpty() && (first.startsWith(text) || text.startsWith(first));
  }

  /** The content of the owner file. */
  public byte[] encode() {
    return String.join(
            "\n",
            FIRST_LINE,
            "user=" + user,
            "machine=" + machine,
            "pid=" + pid,
            "started=" + started,
            "")
        .getBytes(StandardCharsets.UTF_8);
  }

  /** Reads an owner file; empty if it is not one, for instance because it was cut off. */
  public static Optional<Owner> decode(byte[] content) {
    String[] lines = new String(content, StandardCharsets.UTF_8).split("\n", -1);
    Map<String, String> values = new HashMap<>();
    for (String line : lines) {
      int equals = line.indexOf('=');
      if (equals > 0) {
        values.put(line.substring(0, equals), line.substring(equals + 1));
      }
    }
    String pid = values.getOrDefault("pid", "");
    boolean isWhole =
        lines[0].equals(FIRST_LINE)
            && lines[lines.length - 1].isEmpty()
            && values.containsKey("user")
            && values.containsKey("machine")
            && values.containsKey("started")
            && pid.matches("[0-9]{1,18}");
    return isWhole
        ? Optional.of(
            new Owner(
                values.get("user"),
                values.get("machine"),
                Long.parseLong(pid),
                values.get("started")))
        : Optional.empty();
  }

  private static Owner ofThisProcess() {
    long pid = ProcessHandle.current().pid();
    return new Owner(
        oneLine(System.getProperty("user.name", "unknown")),
        oneLine(machineName()),
        pid,
        startOf(pid).orElse("unknown"));
  }

  private static String machineName() {
    String namespace = "";
    try {
      namespace = " " + Files.readSymbolicLink(Path.of("/proc/self/ns/pid"));
    } catch (IOException | UnsupportedOperationException e) {
      // Not Linux: all processes of a host see each other.
    }
    try {
      return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip() + namespace;
    } catch (IOException e) {
      try {
        return InetAddress.getLocalHost().getHostName() + namespace;
      } catch (UnknownHostException unknown) {
        return "unknown" + namespace;
      }
    }
  }

  /** When a process started; empty if there is none of this id. */
  private static Optional<String> startOf(long pid) {
    try {
      // Clock ticks since the machine started. ProcessHandle adds the wall clock, which is set now
      // and then. The name of the program may hold spaces and parentheses.
      String stat =
          Files.readString(Path.of("/proc/" + pid + "/stat"), StandardCharsets.ISO_8859_1);
      return Optional.of("ticks " + stat.substring(stat.lastIndexOf(')') + 2).split(" ")[19]);
    } catch (IOException | IndexOutOfBoundsException e) {
      return ProcessHandle.of(pid)
          .filter(ProcessHandle::isAlive)
          .map(process -> process.info().startInstant().map(Instant::toString).orElse("unknown"));
    }
  }

  private static String oneLine(String text) {
    return text.replaceAll("[\\r\\n]", " ");
  }
}
