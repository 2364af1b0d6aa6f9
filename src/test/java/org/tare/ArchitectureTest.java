package org.tare;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Arrows between packages go down the list, and each library stays in its house. */
class ArchitectureTest {
  /**
   * From the command down to numbers. The library itself is the package without a name of its own.
   */
  private static final List<String> DOWN =
      List.of(
          "cli",
          "",
          "history",
          "results",
          "settings",
          "job",
          "report",
          "spark.tasks",
          "spark.functions",
          "spark.rows",
          "spark",
          "store",
          "drift",
          "infer",
          "files",
          "inspect",
          "export",
          "rewrite",
          "plan",
          "correct",
          "prepare",
          "qconfig",
          "torch",
          "range",
          "stats",
          "onnx.beside",
          "onnx.passes",
          "onnx",
          "quant");

  /** What every package may use: errors, and texts that are safe to print. */
  private static final Set<String> SHARED =
      Set.of("org.tare.TareException", "org.tare.PrintableText");

  private static final Path SOURCES = Path.of("src", "main", "java", "org", "tare");

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("org.tare");

  /** Houses that are not the sum of the packages in them. */
  private static final Set<String> ALONE = Set.of("", "spark", "onnx");

  private static String name(String house) {
    return house.isEmpty() ? "org.tare" : "org.tare." + house;
  }

  private static String packages(String house) {
    return name(house) + (ALONE.contains(house) ? "" : "..");
  }

  private static boolean isListed(String house) {
    return DOWN.stream()
        .anyMatch(
            one -> house.equals(one) || (!ALONE.contains(one) && house.startsWith(one + ".")));
  }

  @Test
  void importsGoDownTheList() {
    DescribedPredicate<JavaClass> isShared =
        DescribedPredicate.describe(
            "is shared", one -> SHARED.contains(one.getName().replaceFirst("\\$.*", "")));
    for (int lower = 1; lower < DOWN.size(); lower++) {
      for (int higher = 0; higher < lower; higher++) {
        noClasses()
            .that()
            .resideInAPackage(packages(DOWN.get(lower)))
            .and(DescribedPredicate.not(isShared))
            .should()
            .dependOnClassesThat(
                JavaClass.Predicates.resideInAPackage(packages(DOWN.get(higher)))
                    .and(DescribedPredicate.not(isShared)))
            .allowEmptyShould(true)
            .check(CLASSES);
      }
    }
  }

  @Test
  void everyPackageIsOnTheListAndSaysWhatItIsAbout() throws IOException {
    List<String> missing = new ArrayList<>();
    try (Stream<Path> all = Files.walk(SOURCES)) {
      for (Path folder : all.filter(Files::isDirectory).toList()) {
        String house = SOURCES.relativize(folder).toString().replace('/', '.');
        boolean hasClasses;
        try (Stream<Path> files = Files.list(folder)) {
          hasClasses = files.anyMatch(file -> file.toString().endsWith(".java"));
        }
        if (hasClasses) {
          assertTrue(isListed(house), "not on the list: " + name(house));
          if (!Files.exists(folder.resolve("package-info.java"))) {
            missing.add(name(house));
          }
        }
      }
    }
    assertEquals(List.of(), missing, "packages without a package-info");
  }

  @Test
  void librariesStayInTheirHouses() {
    only(
        "org.apache.spark..",
        "org.tare",
        "org.tare.cli..",
        "org.tare.history..",
        "org.tare.job..",
        "org.tare.spark..");
    only("ai.onnxruntime..", "org.tare.infer..");
    only("com.google.protobuf..", "org.tare.onnx..");
    only("org.tare.onnx.proto..", "org.tare.onnx..");
    only(
        "org.apache.hadoop..",
        "org.tare",
        "org.tare.cli..",
        "org.tare.store..",
        "org.tare.spark..");
    only("picocli..", "org.tare.cli..");
    only(
        "com.fasterxml.jackson..",
        "org.tare",
        "org.tare.history..",
        "org.tare.results..",
        "org.tare.settings..",
        "org.tare.rewrite..",
        "org.tare.store..");
    only("scala..", "org.tare", "org.tare.spark..", "org.tare.cli..");
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
