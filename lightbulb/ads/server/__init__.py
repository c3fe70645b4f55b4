"""An ADS server: sessions that decide (pure), and the gRPC shell around them."""
