package org.tare.streams;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;
import org.tare.report.ReportData.Fact;
import org.tare.store.states.StateStore;

/** What came of the batches of a stream that one run took. */
public record StreamResult(String name, List<Batch> batches) {
  private static final ObjectMapper JSON = new ObjectMapper();

  public StreamResult {
    batches = List.copyOf(batches);
  }

  /**
   * A batch that had rows.
   *
   * @param id its number in the stream, from 0
   * @param skipped rows that could not be decoded
   * @param added the slices of the store that hold its states
   */
  public record Batch(long id, long rows, long skipped, List<StateStore.Added> added) {
    public Batch {
      added = List.copyOf(added);
    }
  }

  /** All rows of the batches. */
  public long rows() {
    return batches.stream().mapToLong(Batch::rows).sum();
  }

  /** What machines read. */
  public String toJson() {
    ObjectNode root = JSON.createObjectNode();
    root.put("stream", name).put("rows", rows());
    ArrayNode all = root.putArray("batches");
    for (Batch batch : batches) {
      ObjectNode node = all.addObject();
      node.put("batch", batch.id()).put("rows", batch.rows()).put("skipped_rows", batch.skipped());
      ArrayNode slices = node.putArray("slices");
      batch
          .added()
          .forEach(
              one ->
                  slices
                      .addObject()
                      .put("slice", one.entry().slice().name())
                      .put("key", one.entry().key().id())
                      .put("outcome", one.outcome().name().toLowerCase(Locale.ROOT)));
    }
    return root.toPrettyString();
  }

  /** Lines for people. */
  public List<Fact> summary() {
    long known =
        batches.stream()
            .filter(
                batch ->
                    batch.added().stream()
                        .allMatch(one -> one.outcome() == StateStore.Outcome.SAME))
            .count();
    long skipped = batches.stream().mapToLong(Batch::skipped).sum();
    return List.of(
        new Fact(
            "Stream",
            String.format(
                Locale.ROOT,
                "%s: %,d rows in %d batch(es)%s%s",
                name,
                rows(),
                batches.size(),
                known == 0 ? "" : ", " + known + " of which the store had",
                skipped == 0 ? "" : String.format(Locale.ROOT, "; %,d rows skipped", skipped))));
  }
}
