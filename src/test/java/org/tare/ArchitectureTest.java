package org.tare;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Arrows between packages go down the list, and each library stays in its house. */
class ArchitectureTest {
  private static final List<List<String>> DOWN =
      List.of(
          List.of("cli"),
          List.of("report"),
          List.of("spark"),
          List.of("store", "drift"),
          List.of("infer"),
          List.of("graph"),
          List.of("qconfig"),
          List.of("range"),
          List.of("stats"),
          List.of("quant"),
          List.of("files"));

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("org.tare");

  @Test
  void importsGoDownTheList() {
    for (int lower = 1; lower < DOWN.size(); lower++) {
      for (int higher = 0; higher < lower; higher++) {
        for (String from : DOWN.get(lower)) {
          for (String to : DOWN.get(higher)) {
            noClasses()
                .that()
                .resideInAPackage("org.tare." + from + "..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("org.tare." + to + "..")
                .allowEmptyShould(true)
                .check(CLASSES);
          }
        }
      }
    }
  }

  @Test
  void librariesStayInTheirHouses() {
    only("org.apache.spark..", "org.tare.spark..", "org.tare.cli..");
    only("ai.onnxruntime..", "org.tare.infer..");
    only("com.google.protobuf..", "org.tare.graph..");
    only("org.apache.hadoop..", "org.tare.store..", "org.tare.cli..");
    only("picocli..", "org.tare.cli..");
    only("com.fasterxml.jackson..", "org.tare.store..", "org.tare.cli..");
    only("scala..", "org.tare.spark..", "org.tare.cli..");
  }

  private static void only(String library, String... houses) {
    noClasses()
        .that()
        .resideOutsideOfPackages(houses)
        .should()
        .dependOnClassesThat()
        .resideInAPackage(library)
        .check(CLASSES);
  }
}
