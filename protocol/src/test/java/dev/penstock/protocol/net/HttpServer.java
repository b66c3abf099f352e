package dev.penstock.protocol.net;

import static dev.penstock.protocol.net.TestNode.PATIENCE;
import static dev.penstock.protocol.net.TestNode.anyPort;
import static dev.penstock.protocol.net.TestNode.await;

import java.net.InetSocketAddress;
import java.net.URI;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.stream.javadsl.Flow;
import org.jspecify.annotations.Nullable;

/// An [HttpPort] that takes every upgrade of `/link` and answers REST requests with their own
/// bodies.
public final class HttpServer implements AutoCloseable {
  final BlockingQueue<String> refusals = new LinkedBlockingQueue<>();
  final BlockingQueue<UpgradeRequest> requests = new LinkedBlockingQueue<>();
  volatile Function<UpgradeRequest, UpgradeAnswer> answer;

  private final BlockingQueue<WebSocketConnection> connected = new LinkedBlockingQueue<>();
  private final Tcp.Listener listener;
  private final boolean secure;

  public HttpServer(TestNode node, @Nullable Tls tls, WebSocketSettings settings) {
    this(node, tls, settings, 10_000);
  }

  /// @param maxUnupgraded connections that are no WebSockets
  HttpServer(TestNode node, @Nullable Tls tls, WebSocketSettings settings, int maxUnupgraded) {
    secure = tls != null;
    answer =
        request ->
            request.path().equals("/link")
                ? new UpgradeAnswer.Accept(connected::add)
                : new UpgradeAnswer.Refuse(404, "text/plain", "no link at " + request.path());
    listener =
        await(
            HttpPort.bind(
                node.actors().classicSystem(),
                node.loops(),
                anyPort(),
                tls,
                settings,
                request -> {
                  requests.add(request);
                  return answer.apply(request);
                },
                _ ->
                    Flow.of(HttpRequest.class)
                        .mapAsync(
                            1,
                            request ->
                                request
                                    .entity()
                                    .toStrict(PATIENCE.toMillis(), node.actors().classicSystem())
                                    .thenApply(body ->
                                        HttpResponse.create()
                                            .withEntity(
                                                request.method().name()
                                                    + " "
                                                    + request.getUri().path()
                                                    + " "
                                                    + body.getData().utf8String()))),
                (remote, kind, why) -> refusals.add(remote == null ? "nobody" : kind),
                ProxyFront.OFF,
                maxUnupgraded));
  }

  public InetSocketAddress address() {
    return listener.address();
  }

  public URI uri(String path) {
    return URI.create((secure ? "wss" : "ws") + "://localhost:" + address().getPort() + path);
  }

  public WebSocketConnection accepted() throws InterruptedException {
    var connection = connected.poll(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
    if (connection == null) {
      throw new AssertionError("nobody came");
    }
    return connection;
  }

  @Override
  public void close() {
    TestNode.end(listener);
  }
}
