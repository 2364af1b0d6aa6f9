package org.tare.spark.rows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.sql.Row;
import org.tare.spark.rows.images.ImageDecoder;
import org.tare.spark.rows.images.ImageFile;
import org.tare.spark.rows.images.Picture;
import org.tare.spark.rows.images.RowMemory;
import org.tare.spark.rows.images.SparkImages;
import org.tare.spark.rows.images.UnreadableImage;

/** Turns a row's columns into the bytes of the model's inputs. Not thread-safe. */
final class RowDecoder {
  /** A row that cannot be used; the reason completes the sentence "input … expects …, column …". */
  static final class BadRow extends Exception {
    private static final long serialVersionUID = 1L;

    BadRow(String reason) {
      super(reason, null, false, false);
    }
  }

  /** One input of one row: its shape, and its bytes in native order from 0 to the limit. */
  static final class RowTensor {
    private long[] shape = {};
    private ByteBuffer bytes = ByteBuffer.allocate(0);

    long[] shape() {
      return shape;
    }

    ByteBuffer bytes() {
      return bytes;
    }

    private void reset(long[] newShape, int size) {
      shape = newShape;
      if (bytes.capacity() < size) {
        bytes = ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
      }
      bytes.clear();
    }
  }

  private final List<InputBinding> bindings;
  private final RowTensor[] tensors;
  private final NumberReader[] readers;
  private final Numbers numbers = new Numbers();
  private final ImageDecoder images;
  private final SparkImages sparkImages;
  private final RowMemory memory;

  RowDecoder(List<InputBinding> bindings) {
    this(bindings, RowMemory.ofThisJvm());
  }

  /**
   * @param memory what a row may take
   */
  RowDecoder(List<InputBinding> bindings, RowMemory memory) {
    this.bindings = bindings;
    this.memory = memory;
    this.images = new ImageDecoder(memory);
    this.sparkImages = new SparkImages(memory);
    this.tensors = new RowTensor[bindings.size()];
    Arrays.setAll(tensors, i -> new RowTensor());
    this.readers = new NumberReader[bindings.size()];
    Arrays.setAll(readers, i -> new NumberReader(bindings.get(i), numbers, memory));
  }

  /** The inputs of the row, in the order of the bindings; valid until the next call. */
  RowTensor[] decode(Row row) throws BadRow {
    for (int i = 0; i < tensors.length; i++) {
      InputBinding binding = bindings.get(i);
      if (!binding.hasColumn()) {
        write(binding, readers[i].readValue(), tensors[i]);
        continue;
      }
      if (row.isNullAt(binding.index())) {
        throw binding.bad("is null");
      }
      long[] shape = read(row.get(binding.index()), binding, readers[i]);
      write(binding, shape, tensors[i]);
    }
    return tensors;
  }

  /** Reads a column's numbers and gives their shape. */
  private long[] read(Object value, InputBinding binding, NumberReader reader) throws BadRow {
    switch (binding.source()) {
      case IMAGE, PIXELS -> {
        return readImage(value, binding);
      }
      case ARRAY -> {
        reader.read(value);
        return nested(binding, reader.sizes());
      }
      case SCALAR, VECTOR -> {
        reader.read(value);
        return resolve(binding, numbers.size(), numbers.size() + " values");
      }
      default -> {
        byte[] raw = (byte[]) value;
        int width = binding.source().bytes();
        if (raw.length % width != 0) {
          throw binding.bad("holds " + raw.length + " bytes" + imageHint(binding, raw));
        }
        String held = raw.length + " bytes";
        long[] shape = resolve(binding, raw.length / width, held + imageHint(binding, raw));
        reader.readBytes(raw);
        return shape;
      }
    }
  }

  private static String imageHint(InputBinding binding, byte[] raw) {
    return ImageFile.formatOf(raw)
        .map(
            format ->
                "; these bytes look like a "
                    + format
                    + " file; set inputs."
                    + binding.input()
                    + ".image=true")
        .orElse("");
  }

  /** Arrays of as many levels as the input has axes tell the shape; others are one long row. */
  private long[] nested(InputBinding binding, long[] sizes) throws BadRow {
    String held = numbers.size() + " values";
    boolean tellShape = sizes.length > 1 && sizes.length == binding.shape().length;
    if (!tellShape) {
      return resolve(binding, numbers.size(), held);
    }
    long[] shape =
        binding.transform().channelsLast()
            ? new long[] {sizes[2], sizes[0], sizes[1]}
            : sizes.clone();
    for (int i = 0; i < shape.length; i++) {
      // Below an empty array no size is seen.
      shape[i] = Math.max(0, shape[i]);
      if (binding.shape()[i] >= 0 && binding.shape()[i] != shape[i]) {
        throw binding.bad("holds arrays of " + Arrays.toString(sizes) + " values");
      }
    }
    return shape;
  }

  /** The row's shape: an unknown size follows from the number of values. */
  private static long[] resolve(InputBinding binding, int size, String held) throws BadRow {
    long[] shape = binding.shape().clone();
    long known = 1;
    int unknown = -1;
    for (int i = 0; i < shape.length; i++) {
      if (shape[i] >= 0) {
        known *= shape[i];
      } else if (unknown < 0) {
        unknown = i;
      } else {
        throw binding.bad("does not tell its shape; set inputs." + binding.input() + ".shape");
      }
    }
    if (unknown >= 0) {
      if (known == 0 || size % known != 0 || size == 0) {
        throw binding.bad("holds " + held);
      }
      shape[unknown] = size / known;
    } else if (known != size) {
      throw binding.bad("holds " + held);
    }
    return shape;
  }

  /** Decodes, resizes and crops; the numbers are [C, H, W]. */
  private long[] readImage(Object value, InputBinding binding) throws BadRow {
    try {
      Picture picture =
          binding.source() == InputBinding.Source.IMAGE
              ? images.decode((byte[]) value)
              : sparkImages.decode((Row) value);
      long[] size = picture.resized(binding.transform().resize());
      checkResized(binding, picture, size);
      return cut(binding, picture.scaled((int) size[0], (int) size[1]), picture);
    } catch (UnreadableImage e) {
      throw binding.bad("holds " + e.getMessage());
    }
  }

  /** Checks the memory of the image, of its new size, and of the numbers that are cut of it. */
  private void checkResized(InputBinding binding, Picture picture, long[] size) throws BadRow {
    boolean isSame = size[0] == picture.height() && size[1] == picture.width();
    String held =
        "holds an image of "
            + picture.size()
            + " pixels, which"
            + (isSame ? "" : " resized to " + size[0] + "x" + size[1])
            + " ";
    if (!isSame && size[0] * size[1] > InputSpec.MOST_PIXELS) {
      throw binding.bad(
          held + "has more than the " + InputSpec.MOST_PIXELS + " pixels that resize may make");
    }
    int[] crop = binding.transform().crop();
    long height = crop.length > 0 ? Math.min(crop[0], size[0]) : size[0];
    long width = crop.length > 0 ? Math.min(crop[crop.length - 1], size[1]) : size[1];
    long values = height * width * channels(binding);
    long pixels = (long) picture.height() * picture.width() + (isSame ? 0 : size[0] * size[1]);
    Optional<String> shortage =
        memory.shortage(
            4 * pixels + (Numbers.SIZE_BYTES + binding.elementType().sizeBytes()) * values);
    if (shortage.isPresent()) {
      throw binding.bad(held + shortage.get());
    }
  }

  private static int channels(InputBinding binding) {
    return binding.shape()[0] > 0 ? (int) binding.shape()[0] : 3;
  }

  private long[] cut(InputBinding binding, Picture picture, Picture original) throws BadRow {
    long[] model = binding.shape();
    int[] crop = binding.transform().crop();
    int height = crop.length > 0 ? crop[0] : picture.height();
    int width = crop.length > 0 ? crop[crop.length - 1] : picture.width();
    String held =
        "holds an image of "
            + original.size()
            + " pixels"
            + (picture.size().equals(original.size()) ? "" : ", resized to " + picture.size());
    if (height > picture.height() || width > picture.width()) {
      throw binding.bad(
          held
              + ", smaller than the crop of "
              + height
              + "x"
              + width
              + "; set inputs."
              + binding.input()
              + ".resize or a smaller crop");
    }
    boolean fits = (model[1] < 0 || model[1] == height) && (model[2] < 0 || model[2] == width);
    if (!fits) {
      throw binding.bad(held + "; set inputs." + binding.input() + ".resize and crop");
    }
    int channels = channels(binding);
    numbers.clear(binding.exact());
    numbers.reserve(channels * height * width);
    picture.each(
        channels,
        (picture.height() - height) / 2,
        (picture.width() - width) / 2,
        height,
        width,
        numbers::addWhole);
    return new long[] {channels, height, width};
  }

  /** Transforms the numbers and writes them in the model's order and type. */
  private void write(InputBinding binding, long[] shape, RowTensor into) throws BadRow {
    int size = numbers.size();
    long bytes = (long) size * binding.elementType().sizeBytes();
    if (bytes > Integer.MAX_VALUE) {
      throw binding.bad("holds " + size + " values, more than the 2 GB that a row may have");
    }
    into.reset(shape, (int) bytes);
    boolean hasChannels = shape.length == 3;
    int channels = hasChannels ? (int) shape[0] : 1;
    int places = channels == 0 ? 0 : size / channels;
    boolean isTurned =
        hasChannels && binding.transform().channelsLast() && !binding.source().isImage();
    Factors factors = new Factors(binding, shape);
    for (int c = 0; c < channels; c++) {
      for (int p = 0; p < places; p++) {
        int from = isTurned ? p * channels + c : c * places + p;
        try {
          if (numbers.isExact()) {
            Narrowing.put(into.bytes, binding.elementType(), numbers.whole(from));
          } else {
            double value = factors.apply(numbers.number(from), c, p);
            Narrowing.put(into.bytes, binding.elementType(), value);
          }
        } catch (Narrowing.NotHeld e) {
          throw refused(binding, from, factors, c, p, e);
        }
      }
    }
    into.bytes.flip();
  }

  /** Scale, mean and standard deviation of one input, by channel or by place of the last axis. */
  private static final class Factors {
    private final double scale;
    private final double[] mean;
    private final double[] std;
    private final boolean keepsValues;
    private final boolean hasOne;
    private final boolean byChannel;
    private final int last;

    Factors(InputBinding binding, long[] shape) throws BadRow {
      scale = binding.transform().scale();
      mean = binding.transform().mean();
      std = binding.transform().std();
      int count = Math.max(mean.length, std.length);
      int axis = binding.channelAxis();
      if (count > 1 && shape[axis] != count) {
        throw binding.bad(
            "holds values of shape "
                + Arrays.toString(shape)
                + "; mean and std are for "
                + count
                + " channels");
      }
      keepsValues = binding.transform().keepsValues();
      hasOne = count == 1;
      byChannel = shape.length == 3 && axis == 0;
      last = shape.length == 0 ? 1 : (int) shape[shape.length - 1];
    }

    double apply(double value, int channel, int place) {
      if (keepsValues) {
        return value;
      }
      int k = hasOne ? 0 : byChannel ? channel : place % last;
      return (value * scale - mean[mean.length == 1 ? 0 : k]) / std[std.length == 1 ? 0 : k];
    }
  }

  private BadRow refused(
      InputBinding binding, int from, Factors factors, int c, int p, Narrowing.NotHeld reason) {
    String where = binding.source() == InputBinding.Source.SCALAR ? "" : " at position " + from;
    if (numbers.isExact()) {
      return binding.bad("holds " + numbers.whole(from) + where + ", " + reason.getMessage());
    }
    double value = numbers.number(from);
    if (!Double.isFinite(value)) {
      return binding.bad("holds " + value + where);
    }
    String made =
        binding.transform().keepsValues()
            ? ""
            : ", by scale, mean and std " + text(factors.apply(value, c, p));
    return binding.bad("holds " + text(value) + where + made + ", " + reason.getMessage());
  }

  /** Whole numbers without a decimal point. */
  private static String text(double value) {
    boolean isWhole = value == Math.rint(value) && Math.abs(value) < 1e15;
    return isWhole ? Long.toString((long) value) : Double.toString(value);
  }
}
