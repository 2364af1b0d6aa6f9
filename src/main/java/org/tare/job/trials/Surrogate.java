package org.tare.job.trials;

import java.util.List;

/**
 * Guesses a figure of forms from those of forms that were measured: by a straight line over {@link
 * #place}, and a Gaussian process over what is left, since forms that differ in few layers are off
 * the line to the same side. Two forms that differ in d layers have exp(-d / {@value #REACH}) in
 * common; {@value #OWN} of the variance more is a form's own.
 */
final class Surrogate {
  private static final double REACH = 2;
  private static final double OWN = 0.3;

  private final List<Assignment> forms;
  private final double level;
  private final double slope;
  private final double variance;

  /** The lower triangle of the matrix of covariances, by Cholesky. */
  private final double[][] factor;

  private final double[] weights;

  /** A normal distribution. */
  record Guess(double mean, double deviation) {
    /** The chance that the figure is not negative, by the logistic function that is close to it. */
    double chance() {
      return 1 / (1 + Math.exp(-1.702 * mean / deviation));
    }
  }

  /**
   * @param places of the forms on the line
   * @param figures of the forms
   */
  Surrogate(List<Assignment> forms, List<Double> places, List<Double> figures) {
    this.forms = forms;
    int n = forms.size();
    double meanPlace = mean(places);
    double meanFigure = mean(figures);
    double squares = 0;
    double products = 0;
    for (int i = 0; i < n; i++) {
      double x = places.get(i) - meanPlace;
      squares += x * x;
      products += x * (figures.get(i) - meanFigure);
    }
    slope = squares > 0 ? Math.max(0, products / squares) : 0;
    level = meanFigure - slope * meanPlace;
    double[] rest = new double[n];
    double sum = 0;
    for (int i = 0; i < n; i++) {
      rest[i] = figures.get(i) - level - slope * places.get(i);
      sum += rest[i] * rest[i];
    }
    variance = Math.max(sum / Math.max(1, n), 1e-30);
    factor = factor(forms);
    weights = backward(forward(rest));
  }

  /** Where a form with such an error is: the less error, the further on. */
  static double place(double error) {
    return -Math.log(error);
  }

  private static double mean(List<Double> values) {
    return values.stream().mapToDouble(Double::doubleValue).average().orElse(0);
  }

  /** By the line alone. */
  Guess ofLine(double place) {
    return new Guess(level + slope * place, Math.sqrt(variance));
  }

  Guess of(Assignment form, double place) {
    double[] common = new double[forms.size()];
    double mean = level + slope * place;
    for (int i = 0; i < common.length; i++) {
      common[i] = common(form, forms.get(i));
      mean += common[i] * weights[i];
    }
    double known = 0;
    for (double one : forward(common)) {
      known += one * one;
    }
    return new Guess(mean, Math.sqrt(variance * Math.max(OWN, 1 + OWN - known)));
  }

  private static double common(Assignment one, Assignment other) {
    return Math.exp(-one.distance(other) / REACH);
  }

  private static double[][] factor(List<Assignment> forms) {
    double[][] factor = new double[forms.size()][forms.size()];
    for (int i = 0; i < factor.length; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = common(forms.get(i), forms.get(j)) + (i == j ? OWN : 0);
        for (int k = 0; k < j; k++) {
          sum -= factor[i][k] * factor[j][k];
        }
        factor[i][j] = i == j ? Math.sqrt(sum) : sum / factor[j][j];
      }
    }
    return factor;
  }

  private double[] forward(double[] right) {
    double[] found = new double[right.length];
    for (int i = 0; i < found.length; i++) {
      double sum = right[i];
      for (int k = 0; k < i; k++) {
        sum -= factor[i][k] * found[k];
      }
      found[i] = sum / factor[i][i];
    }
    return found;
  }

  private double[] backward(double[] right) {
    double[] found = new double[right.length];
    for (int i = found.length - 1; i >= 0; i--) {
      double sum = right[i];
      for (int k = i + 1; k < found.length; k++) {
        sum -= factor[k][i] * found[k];
      }
      found[i] = sum / factor[i][i];
    }
    return found;
  }
}
