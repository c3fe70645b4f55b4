"""The control plane: rules in, generations out, distributed over ADS."""
