"""Reads OTLP/JSON lines as `vigil --otlp-dir` and the file exporter's specification write them.

Only what the checks compare is kept of a span. Attribute values become plain Python values; integers, which
OTLP/JSON may write as strings, become integers.
"""

import json
import os
from dataclasses import dataclass, field

# The names the checks ask for. The contract (docs/contract.md) has them all.
OPERATION = "gen_ai.operation.name"
AGENT_NAME = "gen_ai.agent.name"
TOOL_NAME = "gen_ai.tool.name"
TOOL_CALL_ID = "gen_ai.tool.call.id"
TOOL_STATUS = "life.tool.status"
REQUEST_MODEL = "gen_ai.request.model"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
ERROR_TYPE = "error.type"
OUTCOME = "vigil.outcome"
EXIT_CODE = "process.exit.code"
RETRY_COUNT = "vigil.retry.count"

KINDS = {0: "UNSPECIFIED", 1: "INTERNAL", 2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
STATUS = {0: "UNSET", 1: "OK", 2: "ERROR"}


@dataclass
class Span:
    """A finished span."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    status: str
    start_ns: int
    end_ns: int
    attributes: dict = field(default_factory=dict)

    @property
    def operation(self):
        return self.attributes.get(OPERATION, "")

    @property
    def identity(self):
        """What must be the same however often and from whatever source a run is seen."""
        return (self.trace_id, self.span_id, self.parent_id, self.name)


def value(wire):
    """The plain value of an OTLP AnyValue."""
    if "intValue" in wire:
        return int(wire["intValue"])
    if "arrayValue" in wire:
        return [value(item) for item in wire["arrayValue"].get("values", [])]
    if "kvlistValue" in wire:
        return attributes(wire["kvlistValue"].get("values", []))
    return next((wire[key] for key in ("stringValue", "boolValue", "doubleValue", "bytesValue") if key in wire), None)


def attributes(wire):
    return {item["key"]: value(item.get("value", {})) for item in wire}


def spans_of_request(request):
    """The spans of one ExportTraceServiceRequest in OTLP/JSON."""
    found = []
    for resource in request.get("resourceSpans", []):
        for scope in resource.get("scopeSpans", []):
            for wire in scope.get("spans", []):
                found.append(
                    Span(
                        trace_id=wire["traceId"],
                        span_id=wire["spanId"],
                        parent_id=wire.get("parentSpanId", ""),
                        name=wire.get("name", ""),
                        kind=KINDS.get(int(wire.get("kind", 0)), "?"),
                        status=STATUS.get(int(wire.get("status", {}).get("code", 0)), "?"),
                        start_ns=int(wire.get("startTimeUnixNano", 0)),
                        end_ns=int(wire.get("endTimeUnixNano", 0)),
                        attributes=attributes(wire.get("attributes", [])),
                    )
                )
    return found


def lines(path):
    """The JSON values of a file of lines; an absent file has none."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def spans_in(directory):
    """The spans in an `--otlp-dir`."""
    return [span for request in lines(os.path.join(directory, "traces.jsonl")) for span in spans_of_request(request)]


def events_in(directory):
    """The log records in an `--otlp-dir`, as (event name, severity number, attributes)."""
    found = []
    for request in lines(os.path.join(directory, "logs.jsonl")):
        for resource in request.get("resourceLogs", []):
            for scope in resource.get("scopeLogs", []):
                for wire in scope.get("logRecords", []):
                    name = wire.get("eventName", "")
                    found.append((name, int(wire.get("severityNumber", 0)), attributes(wire.get("attributes", []))))
    return found


def metric_names_in(directory):
    """The names of the metrics in an `--otlp-dir`."""
    return {
        metric["name"]
        for request in lines(os.path.join(directory, "metrics.jsonl"))
        for resource in request.get("resourceMetrics", [])
        for scope in resource.get("scopeMetrics", [])
        for metric in scope.get("metrics", [])
    }


def tree(spans):
    """The spans as an indented picture, for a person who reads why a check failed."""
    by_parent = {}
    known = {span.span_id for span in spans}
    for span in spans:
        by_parent.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)

    def draw(parent, depth):
        drawn = []
        for span in sorted(by_parent.get(parent, []), key=lambda span: (span.start_ns, span.span_id)):
            drawn.append(f"{'  ' * depth}{span.name} [{span.status} {(span.end_ns - span.start_ns) / 1e6:.0f} ms]")
            drawn += draw(span.span_id, depth + 1)
        return drawn

    return "\n".join(draw("", 0))
