package org.tare.spark.rows;

import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import javax.imageio.ImageIO;
import org.apache.spark.sql.Row;
import org.tare.onnx.ElementType;

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
  private double[] values = {};

  RowDecoder(List<InputBinding> bindings) {
    this.bindings = bindings;
    this.tensors = new RowTensor[bindings.size()];
    Arrays.setAll(tensors, i -> new RowTensor());
  }

  /** The inputs of the row, in the order of the bindings; valid until the next call. */
  RowTensor[] decode(Row row) throws BadRow {
    for (int i = 0; i < tensors.length; i++) {
      decode(row, bindings.get(i), tensors[i]);
    }
    return tensors;
  }

  private void decode(Row row, InputBinding binding, RowTensor into) throws BadRow {
    if (row.isNullAt(binding.index())) {
      throw bad(binding, "is null");
    }
    long[] shape;
    int size;
    switch (binding.source()) {
      case ARRAY -> {
        List<Object> list = row.getList(binding.index());
        size = list.size();
        reserve(size);
        for (int i = 0; i < size; i++) {
          if (!(list.get(i) instanceof Number number)) {
            throw bad(binding, "holds a null at position " + i);
          }
          values[i] = number.doubleValue();
        }
        shape = resolve(binding, size, "values");
      }
      case SCALAR -> {
        Object value = row.get(binding.index());
        size = 1;
        reserve(1);
        values[0] = value instanceof Boolean b ? (b ? 1 : 0) : ((Number) value).doubleValue();
        shape = resolve(binding, 1, "value");
      }
      case IMAGE -> {
        shape = decodeImage(binding, row.getAs(binding.index()));
        size = (int) (shape[0] * shape[1] * shape[2]);
      }
      default -> {
        byte[] raw = row.getAs(binding.index());
        int width = binding.source().bytes();
        if (raw.length % width != 0) {
          throw bad(binding, "holds " + raw.length + " bytes");
        }
        size = raw.length / width;
        shape = resolve(binding, size, raw.length + " bytes");
        if (binding.source() == InputBinding.Source.INT64_BYTES
            && binding.elementType() == ElementType.INT64) {
          copyLongs(raw, shape, into);
          return;
        }
        reserve(size);
        readBytes(binding, raw, size);
      }
    }
    for (int i = 0; i < size; i++) {
      if (!Double.isFinite(values[i])) {
        throw bad(binding, "holds " + values[i] + " at position " + i);
      }
    }
    write(binding, shape, size, into);
  }

  private static void copyLongs(byte[] raw, long[] shape, RowTensor into) {
    into.reset(shape, raw.length);
    into.bytes
        .asLongBuffer()
        .put(ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer());
    into.bytes.limit(raw.length);
  }

  private void readBytes(InputBinding binding, byte[] raw, int size) {
    ByteBuffer buffer = ByteBuffer.wrap(raw).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < size; i++) {
      values[i] =
          switch (binding.source()) {
            case UINT8_BYTES -> raw[i] & 0xff;
            case INT8_BYTES -> raw[i];
            case INT64_BYTES -> buffer.getLong(8 * i);
            default -> buffer.getFloat(4 * i);
          };
    }
  }

  private void reserve(int size) {
    if (values.length < size) {
      values = new double[size];
    }
  }

  /** The row's shape: an unknown size follows from the number of values. */
  private static long[] resolve(InputBinding binding, int size, Object what) throws BadRow {
    long[] shape = binding.shape().clone();
    long known = 1;
    int unknown = -1;
    for (int i = 0; i < shape.length; i++) {
      if (shape[i] >= 0) {
        known *= shape[i];
      } else if (unknown < 0) {
        unknown = i;
      } else {
        throw bad(binding, "does not tell its shape; set inputs." + binding.input() + ".shape");
      }
    }
    String held = what instanceof String text && text.endsWith("bytes") ? text : size + " values";
    if (unknown >= 0) {
      if (known == 0 || size % known != 0 || size == 0) {
        throw bad(binding, "holds " + held);
      }
      shape[unknown] = size / known;
    } else if (known != size) {
      throw bad(binding, "holds " + held);
    }
    return shape;
  }

  private void write(InputBinding binding, long[] shape, int size, RowTensor into) {
    InputSpec.Transform t = binding.transform();
    into.reset(shape, size * binding.elementType().sizeBytes());
    boolean perChannel = shape.length == 3;
    int channels = perChannel ? (int) shape[0] : 1;
    int pixels = channels == 0 ? 0 : size / channels;
    for (int c = 0; c < channels; c++) {
      double mean = t.mean()[t.mean().length == 1 ? 0 : c];
      double std = t.std()[t.std().length == 1 ? 0 : c];
      for (int p = 0; p < pixels; p++) {
        int from = t.channelsLast() && perChannel ? p * channels + c : c * pixels + p;
        put(into.bytes, binding.elementType(), (values[from] * t.scale() - mean) / std);
      }
    }
    into.bytes.flip();
  }

  private static void put(ByteBuffer bytes, ElementType type, double value) {
    switch (type) {
      case FLOAT32 -> bytes.putFloat((float) value);
      case FLOAT64 -> bytes.putDouble(value);
      case INT64 -> bytes.putLong((long) value);
      case INT32 -> bytes.putInt((int) value);
      case INT16 -> bytes.putShort((short) value);
      case BOOL -> bytes.put((byte) (value != 0 ? 1 : 0));
      default -> bytes.put((byte) (long) value);
    }
  }

  /** Decodes, resizes and crops; leaves the values as [C, H, W], or [H, W, C] if so asked. */
  private long[] decodeImage(InputBinding binding, byte[] file) throws BadRow {
    BufferedImage image;
    try {
      image = ImageIO.read(new ByteArrayInputStream(file));
    } catch (IOException | RuntimeException e) {
      throw bad(binding, "holds an image that cannot be decoded (" + e.getMessage() + ")");
    }
    if (image == null) {
      throw bad(binding, "holds " + file.length + " bytes that are neither PNG nor JPEG");
    }
    long[] model = binding.shape();
    if (model.length != 3) {
      throw bad(binding, "holds images, which need an input of three axes besides the batch");
    }
    int channels = model[0] > 0 ? (int) model[0] : 3;
    if (channels != 1 && channels != 3) {
      throw bad(binding, "holds images, which have 1 or 3 channels, not " + channels);
    }
    BufferedImage rgb = resized(image, binding.transform().resize());
    int[] crop = binding.transform().crop();
    int height = crop.length > 0 ? crop[0] : rgb.getHeight();
    int width = crop.length > 0 ? crop[crop.length - 1] : rgb.getWidth();
    int top = (rgb.getHeight() - height) / 2;
    int left = (rgb.getWidth() - width) / 2;
    boolean fits =
        top >= 0
            && left >= 0
            && (model[1] < 0 || model[1] == height)
            && (model[2] < 0 || model[2] == width);
    if (!fits) {
      throw bad(
          binding,
          "holds an image of "
              + rgb.getHeight()
              + "x"
              + rgb.getWidth()
              + " pixels; set inputs."
              + binding.input()
              + ".resize and crop");
    }
    reserve(channels * height * width);
    boolean last = binding.transform().channelsLast();
    for (int y = 0; y < height; y++) {
      for (int x = 0; x < width; x++) {
        int pixel = rgb.getRGB(left + x, top + y);
        double r = pixel >> 16 & 0xff;
        double g = pixel >> 8 & 0xff;
        double b = pixel & 0xff;
        int at = y * width + x;
        if (channels == 1) {
          // ITU-R BT.601 luma.
          values[at] = Math.rint(0.299 * r + 0.587 * g + 0.114 * b);
        } else {
          values[last ? 3 * at : at] = r;
          values[last ? 3 * at + 1 : height * width + at] = g;
          values[last ? 3 * at + 2 : 2 * height * width + at] = b;
        }
      }
    }
    return new long[] {channels, height, width};
  }

  private static BufferedImage resized(BufferedImage image, int[] resize) {
    int height = image.getHeight();
    int width = image.getWidth();
    if (resize.length == 2) {
      height = resize[0];
      width = resize[1];
    } else if (resize.length == 1) {
      double factor = (double) resize[0] / Math.min(height, width);
      height = (int) Math.max(resize[0], Math.round(height * factor));
      width = (int) Math.max(resize[0], Math.round(width * factor));
    }
    if (height == image.getHeight() && width == image.getWidth()) {
      return image;
    }
    BufferedImage scaled = new BufferedImage(width, height, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = scaled.createGraphics();
    graphics.setRenderingHint(
        RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
    graphics.drawImage(image, 0, 0, width, height, null);
    graphics.dispose();
    return scaled;
  }

  private static BadRow bad(InputBinding binding, String what) {
    return new BadRow(
        "input \""
            + binding.input()
            + "\" expects "
            + binding.expects()
            + ", column \""
            + binding.column()
            + "\" "
            + what);
  }
}
