package org.tare.stats;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.tare.stats.bytes.ByteReader;
import org.tare.stats.bytes.ByteWriter;

/**
 * {@link Lineage} as bytes, little-endian. Equal lineages give equal bytes.
 *
 * <pre>
 *   4 bytes the letters LINE
 *   u16     version of this layout, 1
 *   varint  number of sources
 *   source* in ascending order: strings data, snapshot, slice, sample
 *           varint number of columns; string*
 *           varint rows; string digest
 *           string digest of the settings; string when, as in 2026-11-24T10:15:30Z
 *           varint number of versions; by ascending name: string name, string version
 * </pre>
 */
final class LineageCodec {
  private static final int MAGIC = 'L' | 'I' << 8 | 'N' << 16 | 'E' << 24;
  private static final int VERSION = 1;

  /** Seven empty texts and three numbers. */
  private static final int LEAST_SOURCE_BYTES = 10;

  private LineageCodec() {}

  static void write(ByteWriter out, Lineage lineage) {
    out.i32(MAGIC);
    out.u8(VERSION & 0xff);
    out.u8(VERSION >>> 8);
    out.varint(lineage.sources().size());
    for (Lineage.Source source : lineage.sources()) {
      Lineage.Origin origin = source.origin();
      out.string(origin.data());
      out.string(origin.snapshot());
      out.string(origin.slice());
      out.string(origin.sample());
      out.varint(origin.columns().size());
      origin.columns().forEach(out::string);
      out.varint(source.rows());
      out.string(source.digest());
      out.string(source.run().settingsDigest());
      out.string(source.run().when().toString());
      out.varint(source.run().versions().size());
      for (Map.Entry<String, String> version : source.run().versions().entrySet()) {
        out.string(version.getKey());
        out.string(version.getValue());
      }
    }
  }

  static Lineage read(ByteReader in) {
    if (in.i32() != MAGIC) {
      throw in.damaged("its lineage does not begin with the letters LINE");
    }
    int version = in.u8() | in.u8() << 8;
    if (version != VERSION) {
      throw in.damaged(
          "its lineage is of version " + version + ", this Tare reads version " + VERSION);
    }
    int count = in.count("sources", LEAST_SOURCE_BYTES);
    if (count == 0) {
      throw in.damaged("its lineage has no sources");
    }
    List<Lineage.Source> sources = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Lineage.Source source = source(in);
      if (i > 0 && source.compareTo(sources.get(i - 1)) < 0) {
        throw in.damaged("the sources of its lineage are not in order");
      }
      sources.add(source);
    }
    return new Lineage(sources);
  }

  private static Lineage.Source source(ByteReader in) {
    String data = in.string();
    String snapshot = in.string();
    String slice = in.string();
    String sample = in.string();
    int count = in.count("columns", 1);
    List<String> columns = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      columns.add(in.string());
    }
    Lineage.Origin origin = new Lineage.Origin(data, snapshot, slice, sample, columns);
    long rows = in.varint();
    String digest = in.string();
    String settings = in.string();
    Lineage.Run run = new Lineage.Run(settings, instant(in), versions(in));
    return new Lineage.Source(origin, rows, digest, run);
  }

  private static Instant instant(ByteReader in) {
    String text = in.string();
    try {
      Instant when = Instant.parse(text);
      if (when.equals(when.truncatedTo(ChronoUnit.SECONDS)) && when.toString().equals(text)) {
        return when;
      }
    } catch (DateTimeException e) {
      throw in.damaged("\"" + text + "\" in its lineage is no time").causedBy(e);
    }
    throw in.damaged("\"" + text + "\" in its lineage is no time as Tare writes it");
  }

  private static SortedMap<String, String> versions(ByteReader in) {
    int count = in.count("versions", 2);
    TreeMap<String, String> versions = new TreeMap<>();
    for (int i = 0; i < count; i++) {
      String name = in.string();
      if (!versions.isEmpty() && name.compareTo(versions.lastKey()) <= 0) {
        throw in.damaged("the versions in its lineage are not in order, at \"" + name + "\"");
      }
      versions.put(name, in.string());
    }
    return versions;
  }
}
