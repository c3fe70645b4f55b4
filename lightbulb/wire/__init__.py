"""gRPC's unary calls without grpcio: `call.py` is pure, `session.py` a connection, `server.py` the edge."""
