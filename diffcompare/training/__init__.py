"""Training: the same model fitted with the gradients of each method from the same start, and what that makes of the loss."""
