/**
 * The histogram and the range search of PyTorch's HistogramObserver, of 1.13, 2.0 to 2.2, and 2.5
 * and later, with the defects of each; nothing else in Tare repeats them. Results depend on the
 * order of batches and do not merge.
 *
 * <p>May use {@code org.tare.quant}.
 */
package org.tare.range.torch;
