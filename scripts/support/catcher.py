"""An OTLP/HTTP receiver that writes what arrives as OTLP/JSON lines, in the files `--otlp-dir` would have.

Run by the Python of an environment that has `opentelemetry-proto`: catcher.py PORT DIRECTORY. It stands behind a
collector under test, so that what the collector passed on can be compared with what Vigil wrote. Requests above
64 MiB are refused.
"""

import base64
import gzip
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LARGEST_REQUEST = 64 << 20
SIGNALS = {
    "/v1/traces": ("traces", ExportTraceServiceRequest),
    "/v1/logs": ("logs", ExportLogsServiceRequest),
    "/v1/metrics": ("metrics", ExportMetricsServiceRequest),
}
IDS = {"traceId", "spanId", "parentSpanId"}
WRITING = Lock()


def with_hex_ids(node):
    """Protobuf's JSON has bytes in base64; OTLP/JSON has ids in hex."""
    if isinstance(node, dict):
        return {
            key: base64.b64decode(item).hex() if key in IDS and isinstance(item, str) else with_hex_ids(item)
            for key, item in node.items()
        }
    return [with_hex_ids(item) for item in node] if isinstance(node, list) else node


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        known = SIGNALS.get(self.path)
        if known is None or length > LARGEST_REQUEST:
            self.send_error(404 if known is None else 413)
            return
        body = self.rfile.read(length)
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        name, message = known
        line = json.dumps(with_hex_ids(MessageToDict(message.FromString(body), use_integers_for_enums=True)))
        with WRITING, open(os.path.join(self.server.directory, f"{name}.jsonl"), "a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Nothing: the files are the log."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    server.directory = sys.argv[2]
    server.serve_forever()
