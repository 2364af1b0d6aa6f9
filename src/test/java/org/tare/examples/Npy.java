package org.tare.examples;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * An array in NumPy's file format, version 1.0, little-endian, in C order; the first dimension
 * counts rows. Only int64 ({@code <i8}) and float32 ({@code <f4}), which are what the models read.
 *
 * @param type NumPy's name of the type
 * @param shape the dimensions
 * @param bytes the values, little-endian
 */
record Npy(String type, long[] shape, ByteBuffer bytes) {
  static final String INT64 = "<i8";
  static final String FLOAT32 = "<f4";

  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  private static final Pattern HEADER =
      Pattern.compile(
          "\\{'descr': '(<i8|<f4)', 'fortran_order': False, 'shape': \\(([0-9, ]+)\\), \\}\\s*");

  /** Rows of int64 values, all of one length. */
  static Npy ofLongs(List<long[]> rows) {
    int width = rows.get(0).length;
    ByteBuffer bytes = allocate(8L * rows.size() * width);
    for (long[] row : rows) {
      bytes.asLongBuffer().put(row);
      bytes.position(bytes.position() + 8 * width);
    }
    return new Npy(INT64, new long[] {rows.size(), width}, bytes.flip());
  }

  /** One int64 value without dimensions, for a model to be given; it is no file of rows. */
  static Npy ofLong(long value) {
    return new Npy(INT64, new long[0], allocate(8).putLong(0, value));
  }

  /** An array of float32 values to be put into {@link #bytes}. */
  static Npy ofFloats(long... shape) {
    return new Npy(FLOAT32, shape, allocate(4 * product(shape)));
  }

  private static ByteBuffer allocate(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static long product(long[] shape) {
    return Arrays.stream(shape).reduce(1, Math::multiplyExact);
  }

  int rows() {
    return Math.toIntExact(shape[0]);
  }

  /** Some rows, as an array that shares the memory. */
  Npy slice(int from, int length) {
    int perRow = bytes.limit() / rows();
    long[] part = shape.clone();
    part[0] = length;
    ByteBuffer view = bytes.slice(from * perRow, length * perRow).order(ByteOrder.LITTLE_ENDIAN);
    return new Npy(type, part, view);
  }

  void write(Path file) throws IOException {
    StringBuilder dimensions = new StringBuilder();
    for (long dimension : shape) {
      dimensions.append(dimension).append(", ");
    }
    String header =
        String.format(
            "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
            type, dimensions.toString().strip());
    // Magic, two bytes of length, header and a line end together fill a multiple of 64.
    int length = (MAGIC.length + 2 + header.length() + 1 + 63) / 64 * 64 - MAGIC.length - 2;
    ByteBuffer head = ByteBuffer.allocate(MAGIC.length + 2 + length);
    head.order(ByteOrder.LITTLE_ENDIAN).put(MAGIC).putShort((short) length);
    head.put(header.getBytes(StandardCharsets.US_ASCII));
    while (head.remaining() > 1) {
      head.put((byte) ' ');
    }
    head.put((byte) '\n').flip();
    Files.createDirectories(file.getParent());
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      for (ByteBuffer part : List.of(head, bytes.duplicate().rewind())) {
        while (part.hasRemaining()) {
          channel.write(part);
        }
      }
    }
  }

  /** Reads a file that {@link #write} wrote. */
  static Npy read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new IllegalArgumentException(
          "Cannot read " + file + ": there is no such file; make the data first");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      ByteBuffer all =
          channel
              .map(FileChannel.MapMode.READ_ONLY, 0, channel.size())
              .order(ByteOrder.LITTLE_ENDIAN);
      byte[] magic = new byte[MAGIC.length];
      all.get(magic);
      if (!Arrays.equals(magic, MAGIC)) {
        throw new IllegalArgumentException("Cannot read " + file + ": not NumPy's format 1.0");
      }
      byte[] header = new byte[all.getShort()];
      all.get(header);
      String text = new String(header, StandardCharsets.US_ASCII);
      Matcher matcher = HEADER.matcher(text);
      if (!matcher.matches()) {
        throw new IllegalArgumentException("Cannot read " + file + ": its header is " + text);
      }
      List<Long> shape = new ArrayList<>();
      for (String dimension : matcher.group(2).split(",\\s*")) {
        shape.add(Long.valueOf(dimension.strip()));
      }
      return new Npy(
          matcher.group(1),
          shape.stream().mapToLong(Long::longValue).toArray(),
          all.slice().order(ByteOrder.LITTLE_ENDIAN));
    }
  }
}
