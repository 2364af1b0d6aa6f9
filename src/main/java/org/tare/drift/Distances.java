package org.tare.drift;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * How far two distributions are apart, by five measures; each is 0 for equal ones. The formulas are
 * in the description of this package.
 *
 * @param psi population stability index, from 0
 * @param jensenShannon the distance, from 0 to 1
 * @param hellinger from 0 to 1
 * @param kolmogorovSmirnov from 0 to 1, at the ends of buckets
 * @param wasserstein in units of the values
 * @param std standard deviation of the reference, 0 of a constant
 */
public record Distances(
    double psi,
    double jensenShannon,
    double hellinger,
    double kolmogorovSmirnov,
    double wasserstein,
    double std) {
  /**
   * @param smoothing what is added to each share for PSI, as {@link Chance} has it
   */
  static Distances of(Cells cells, Bins bins, double smoothing) {
    return new Distances(
        psi(bins.reference(), bins.current(), smoothing),
        jensenShannon(bins.reference(), bins.current()),
        hellinger(bins.reference(), bins.current()),
        kolmogorovSmirnov(cells),
        wasserstein(cells),
        std(cells));
  }

  /** The distance of Wasserstein in standard deviations of the reference; NaN of a constant one. */
  public double scaledWasserstein() {
    return wasserstein == 0 ? 0 : std == 0 ? Double.NaN : wasserstein / std;
  }

  static double psi(double[] p, double[] q, double smoothing) {
    double whole = 1 + p.length * smoothing;
    double sum = 0;
    for (int i = 0; i < p.length; i++) {
      double a = (p[i] + smoothing) / whole;
      double b = (q[i] + smoothing) / whole;
      sum += (b - a) * Math.log(b / a);
    }
    return sum;
  }

  static double jensenShannon(double[] p, double[] q) {
    double sum = 0;
    for (int i = 0; i < p.length; i++) {
      double middle = (p[i] + q[i]) / 2;
      sum += term(p[i], middle) + term(q[i], middle);
    }
    return Math.sqrt(Math.min(1, Math.max(0, sum / 2 / Math.log(2))));
  }

  private static double term(double share, double middle) {
    return share == 0 ? 0 : share * Math.log(share / middle);
  }

  static double hellinger(double[] p, double[] q) {
    double sum = 0;
    for (int i = 0; i < p.length; i++) {
      double difference = Math.sqrt(p[i]) - Math.sqrt(q[i]);
      sum += difference * difference;
    }
    return Math.min(1, Math.sqrt(sum / 2));
  }

  private static double kolmogorovSmirnov(Cells cells) {
    double greatest = 0;
    double below = 0;
    double currentBelow = 0;
    for (Cells.Cell cell : cells.list()) {
      below += cell.reference();
      currentBelow += cell.current();
      greatest =
          Math.max(
              greatest,
              Math.abs(below / cells.referenceTotal() - currentBelow / cells.currentTotal()));
    }
    return Math.min(1, greatest);
  }

  private record Atom(double place, long reference, long current) {}

  private static double wasserstein(Cells cells) {
    List<Atom> atoms = new ArrayList<>();
    for (Cells.Cell cell : cells.list()) {
      if (cell.reference() > 0) {
        atoms.add(new Atom(cell.referencePlace(), cell.reference(), 0));
      }
      if (cell.current() > 0) {
        atoms.add(new Atom(cell.currentPlace(), 0, cell.current()));
      }
    }
    atoms.sort(Comparator.comparingDouble(Atom::place));
    double below = 0;
    double currentBelow = 0;
    double sum = 0;
    for (int i = 0; i + 1 < atoms.size(); i++) {
      below += atoms.get(i).reference();
      currentBelow += atoms.get(i).current();
      sum +=
          Math.abs(below / cells.referenceTotal() - currentBelow / cells.currentTotal())
              * (atoms.get(i + 1).place() - atoms.get(i).place());
    }
    return sum;
  }

  /** Standard deviation of the reference. */
  static double std(Cells cells) {
    double mean = 0;
    for (Cells.Cell cell : cells.list()) {
      mean += cell.reference() / cells.referenceTotal() * cell.referencePlace();
    }
    double variance = 0;
    int places = 0;
    for (Cells.Cell cell : cells.list()) {
      double distance = cell.referencePlace() - mean;
      variance += cell.reference() / cells.referenceTotal() * distance * distance;
      places += cell.reference() > 0 ? 1 : 0;
    }
    // Of one place the mean may miss it by a rounding.
    return places == 1 ? 0 : Math.sqrt(variance);
  }

  /**
   * The integral of sqrt(P (1 - P)) of the reference, in its standard deviations; 0 of a constant.
   */
  static double spread(Cells cells, double std) {
    double below = 0;
    double last = Double.NaN;
    double sum = 0;
    for (Cells.Cell cell : cells.list()) {
      if (cell.reference() > 0) {
        if (below > 0) {
          double share = below / cells.referenceTotal();
          sum += Math.sqrt(share * Math.max(0, 1 - share)) * (cell.referencePlace() - last);
        }
        below += cell.reference();
        last = cell.referencePlace();
      }
    }
    return std == 0 ? 0 : sum / std;
  }

  /** E[x^4] / E[x^2]^2 of the reference, 1 at least; 1 of zeros. */
  static double kurtosis(Cells cells) {
    double squares = 0;
    double fourths = 0;
    for (Cells.Cell cell : cells.list()) {
      double square = cell.referencePlace() * cell.referencePlace();
      squares += cell.reference() / cells.referenceTotal() * square;
      fourths += cell.reference() / cells.referenceTotal() * square * square;
    }
    return squares == 0 ? 1 : Math.max(1, fourths / squares / squares);
  }
}
