package org.tare.train;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Rounds activations. */
@FunctionalInterface
interface ActivationRounding {
  /** With scales that stay: the gradient is 1 within the range, and 0 outside of it. */
  ActivationRounding FIXED =
      (root, grid, x) ->
          torch.fake_quantize_per_tensor_affine(
              x, grid.scales()[0], grid.zeroPoints()[0], grid.quantMin(), grid.quantMax());

  /**
   * The rounded values.
   *
   * @param root whose grid they take
   */
  Tensor round(String root, Grids.Grid grid, Tensor x);
}
