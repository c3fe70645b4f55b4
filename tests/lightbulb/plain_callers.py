"""Callers as others write them: plain grpcio in a process of their own, that call again at once."""

PROGRAM = """
import collections, sys, threading
import grpc
target, method, request, callers = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3]), int(sys.argv[4])
codes, calls = collections.Counter(), collections.Counter()
def call_until_refused():
    with grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        while True:
            try:
                channel.unary_unary(method)(request, timeout=60)
            except grpc.RpcError as error:
                codes[error.code().name] += 1
                return
            calls[0] += 1
            if calls[0] == 20 * callers:
                print("busy", flush=True)
threads = [threading.Thread(target=call_until_refused) for _ in range(callers)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(dict(codes), flush=True)
"""
