package org.tare.examples;

import ai.djl.huggingface.tokenizers.Encoding;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Texts for all-MiniLM-L6-v2: every sentence is {@value #TOKENS} tokens, cut or padded, and padding
 * has an attention mask of 0. Columns are named like the model's inputs. Beside each table, {@code
 * calibrate.parquet} and {@code evaluate.parquet}, a folder holds the same inputs as NumPy files.
 */
final class MiniLmData {
  static final List<String> INPUTS = List.of("input_ids", "attention_mask", "token_type_ids");
  static final int CALIBRATION_TEXTS = 128;
  static final int EVALUATION_TEXTS = 512;

  private static final int TOKENS = 64;

  private static final StructType SCHEMA =
      new StructType()
          .add("id", DataTypes.LongType)
          .add("text", DataTypes.StringType)
          .add(INPUTS.get(0), DataTypes.createArrayType(DataTypes.LongType, false))
          .add(INPUTS.get(1), DataTypes.createArrayType(DataTypes.LongType, false))
          .add(INPUTS.get(2), DataTypes.createArrayType(DataTypes.LongType, false));

  private MiniLmData() {}

  /**
   * Writes the tables.
   *
   * @param tokenizerFile the model's tokenizer, in Hugging Face's JSON
   */
  static void write(Path tokenizerFile, Path folder) throws IOException {
    List<String> texts = spread(Corpus.sentences(), CALIBRATION_TEXTS + EVALUATION_TEXTS);
    try (HuggingFaceTokenizer tokenizer =
            HuggingFaceTokenizer.builder()
                .optTokenizerPath(tokenizerFile)
                .optTruncation(true)
                .optPadToMaxLength()
                .optMaxLength(TOKENS)
                .build();
        Tables tables = new Tables()) {
      write(tables, folder, "calibrate", tokenizer, texts.subList(0, CALIBRATION_TEXTS));
      write(tables, folder, "evaluate", tokenizer, texts.subList(CALIBRATION_TEXTS, texts.size()));
    }
  }

  /** As many of all as wanted, at equal distances, so that they come of many debates. */
  private static List<String> spread(List<String> all, int wanted) {
    if (all.size() < wanted) {
      throw new IllegalStateException(
          "Cannot take " + wanted + " texts: the corpus has " + all.size());
    }
    List<String> chosen = new ArrayList<>();
    for (int i = 0; i < wanted; i++) {
      // Neighbours in the corpus go to different tables.
      long place = (i * 7919L) % wanted;
      chosen.add(all.get((int) (place * all.size() / wanted)));
    }
    return chosen;
  }

  private static void write(
      Tables tables, Path folder, String name, HuggingFaceTokenizer tokenizer, List<String> texts)
      throws IOException {
    List<Row> rows = new ArrayList<>();
    List<List<long[]>> columns = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
    for (Encoding encoding : tokenizer.batchEncode(texts)) {
      long[][] inputs = {encoding.getIds(), encoding.getAttentionMask(), encoding.getTypeIds()};
      for (int i = 0; i < inputs.length; i++) {
        if (inputs[i].length != TOKENS) {
          throw new IllegalStateException(
              "Cannot use the tokenizer: it gave " + inputs[i].length + " tokens, not " + TOKENS);
        }
        columns.get(i).add(inputs[i]);
      }
      int row = rows.size();
      rows.add(RowFactory.create((long) row, texts.get(row), inputs[0], inputs[1], inputs[2]));
    }
    tables.write(folder.resolve(name + ".parquet"), SCHEMA, rows);
    for (int i = 0; i < INPUTS.size(); i++) {
      Npy.ofLongs(columns.get(i)).write(folder.resolve(name).resolve(INPUTS.get(i) + ".npy"));
    }
  }
}
