/**
 * A float model beside a quantized one, tensor by tensor: weights without data, activations over a
 * table. Tensors are the same if their names are, as all quantizers keep them; a tensor that is
 * rounded for its readers is compared as they see it.
 */
package org.tare.job.compare;
