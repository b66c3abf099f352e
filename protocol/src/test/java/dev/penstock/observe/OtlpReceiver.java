package dev.penstock.observe;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.trace.v1.ResourceSpans;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

/// A collector of spans, by OTLP over HTTP at `/v1/traces`.
public final class OtlpReceiver implements AutoCloseable {
  /// One span.
  ///
  /// @param service the program
  /// @param parent id of the span around it, empty for the first
  public record Received(
      String service,
      String name,
      String kind,
      String trace,
      String id,
      String parent,
      long nanos,
      Map<String, String> attributes) {}

  private final HttpServer server;
  private final List<Received> spans = new CopyOnWriteArrayList<>();
  private volatile int status = 200;

  private OtlpReceiver(HttpServer server) {
    this.server = server;
  }

  public static OtlpReceiver start() throws IOException {
    var receiver =
        new OtlpReceiver(
            HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0));
    receiver.server.createContext("/v1/traces", receiver::take);
    receiver.server.start();
    return receiver;
  }

  /// Answers with this status from now on, and takes nothing unless it is 200.
  public void answer(int now) {
    status = now;
  }

  private void take(HttpExchange exchange) throws IOException {
    try (exchange) {
      if (status == 200) {
        ExportTraceServiceRequest.parseFrom(exchange.getRequestBody())
            .getResourceSpansList()
            .forEach(this::add);
      }
      exchange.getResponseHeaders().add("Content-Type", "application/x-protobuf");
      exchange.sendResponseHeaders(status, -1);
    }
  }

  private void add(ResourceSpans of) {
    String service =
        of.getResource().getAttributesList().stream()
            .filter(it -> it.getKey().equals("service.name"))
            .map(it -> it.getValue().getStringValue())
            .findFirst()
            .orElse("");
    of.getScopeSpansList()
        .forEach(scope ->
            scope
                .getSpansList()
                .forEach(span ->
                    spans.add(
                        new Received(
                            service,
                            span.getName(),
                            span.getKind().name(),
                            HexFormat.of().formatHex(span.getTraceId().toByteArray()),
                            HexFormat.of().formatHex(span.getSpanId().toByteArray()),
                            HexFormat.of().formatHex(span.getParentSpanId().toByteArray()),
                            span.getEndTimeUnixNano() - span.getStartTimeUnixNano(),
                            span.getAttributesList().stream()
                                .collect(
                                    Collectors.toMap(
                                        it -> it.getKey(),
                                        it ->
                                            it.getValue().hasStringValue()
                                                ? it.getValue().getStringValue()
                                                : it.getValue().hasIntValue()
                                                    ? "" + it.getValue().getIntValue()
                                                    : "" + it.getValue().getDoubleValue()))))));
  }

  /// What came so far.
  public List<Received> spans() {
    return spans;
  }

  public String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  @Override
  public void close() {
    server.stop(0);
  }
}
