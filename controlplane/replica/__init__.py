"""One replica of the control plane: carries values between the store, the decisions and the streams."""
