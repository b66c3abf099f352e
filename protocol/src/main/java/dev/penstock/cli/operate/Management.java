package dev.penstock.cli.operate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.penstock.config.Secret;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpConnectTimeoutException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandler;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Iterator;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// A client of the management HTTP of a gateway or an agent. One thread at a time. What goes wrong
/// is an [IOException] that says what to do next.
public final class Management implements AutoCloseable {
  /// What no web page of another origin can send; any value.
  private static final String ACTION_HEADER = "Penstock-Action";

  private static final Duration TIMEOUT = Duration.ofSeconds(20);
  private static final int LARGEST_PAGE = 500;
  private static final ObjectMapper JSON = new ObjectMapper();

  private final URI base;
  private final @Nullable Secret token;
  private final HttpClient http;

  /// @param base an http or https URL with a host; its path is not looked at
  /// @param token null asks as whoever is on this machine
  /// @param tls null for http only
  public Management(URI base, @Nullable Secret token, @Nullable SSLContext tls) {
    this.base = base;
    this.token = token;
    var builder =
        HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(TIMEOUT);
    if (tls != null) {
      builder.sslContext(tls);
    }
    this.http = builder.build();
  }

  /// Whose management it is.
  public URI base() {
    return base;
  }

  @Override
  public void close() {
    http.shutdownNow();
    http.close();
  }

  /// What is at a path of the API, such as `/api/v1/status`.
  public JsonNode get(String path) throws IOException, InterruptedException {
    return json(path, send(request(path, TIMEOUT).GET().build(), BodyHandlers.ofString()));
  }

  /// What a path that is no JSON says, whatever the status; of `/readyz`, for example.
  public HttpResponse<String> text(String path) throws IOException, InterruptedException {
    return send(request(path, TIMEOUT).GET().build(), BodyHandlers.ofString());
  }

  /// Pages of a list, joined to one of at most `limit` items; `total` and the rest are the last
  /// page's.
  public ObjectNode list(String resource, Map<String, String> query, int limit)
      throws IOException, InterruptedException {
    ArrayNode items = JSON.createArrayNode();
    String cursor = "";
    while (true) {
      int wanted = Math.min(LARGEST_PAGE, limit - items.size());
      String path =
          path(resource, query)
              + (query.isEmpty() ? "?" : "&")
              + "limit="
              + wanted
              + (cursor.isEmpty() ? "" : "&cursor=" + encoded(cursor));
      if (!(get(path) instanceof ObjectNode page)) {
        throw notPenstock(path);
      }
      page.path("items").forEach(items::add);
      cursor = page.path("next_cursor").asText("");
      if (cursor.isEmpty() || cursor.equals("null") || items.size() >= limit) {
        page.set("items", items);
        return page;
      }
    }
  }

  /// Acts; the answer says what came of it, and is empty where it is no JSON.
  ///
  /// @param body null for none
  public JsonNode act(String method, String path, @Nullable ObjectNode body)
      throws IOException, InterruptedException {
    BodyPublisher publisher =
        body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body.toString());
    var request = request(path, TIMEOUT).header(ACTION_HEADER, "cli").method(method, publisher);
    if (body != null) {
      request.header("Content-Type", "application/json");
    }
    HttpResponse<String> answer = send(request.build(), BodyHandlers.ofString());
    boolean isJson = answer.headers().firstValue("Content-Type").orElse("").contains("json");
    return isJson || answer.statusCode() >= 300 ? json(path, answer) : JSON.createObjectNode();
  }

  /// Follows a list: calls `event` with the name and the data of each event, until the other end
  /// closes.
  public void watch(String resource, Map<String, String> query, BiConsumer<String, JsonNode> event)
      throws IOException, InterruptedException {
    String path = path(resource, query) + (query.isEmpty() ? "?" : "&") + "watch=true";
    HttpResponse<Stream<String>> answer =
        send(request(path, null).GET().build(), BodyHandlers.ofLines());
    try (Stream<String> lines = answer.body()) {
      if (answer.statusCode() != 200) {
        throw refused(path, answer.statusCode(), lines.collect(Collectors.joining("\n")));
      }
      String name = "";
      for (Iterator<String> it = lines.iterator(); it.hasNext(); ) {
        String line = it.next();
        if (line.startsWith("event:")) {
          name = line.substring(6).strip();
        } else if (line.startsWith("data:")) {
          event.accept(name, JSON.readTree(line.substring(5)));
        }
      }
    } catch (UncheckedIOException e) {
      throw new IOException(base + ": the connection was lost; has the node ended?", e);
    }
  }

  private static String path(String resource, Map<String, String> query) {
    return "/api/v1/"
        + resource
        + (query.isEmpty() ? "" : "?")
        + query.entrySet().stream()
            .map(entry -> encoded(entry.getKey()) + "=" + encoded(entry.getValue()))
            .collect(Collectors.joining("&"));
  }

  /// A text as part of a path or a query.
  static String encoded(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  private HttpRequest.Builder request(String path, @Nullable Duration timeout) {
    var request = HttpRequest.newBuilder(base.resolve(path));
    if (timeout != null) {
      request.timeout(timeout);
    }
    return token == null ? request : request.header("Authorization", "Bearer " + token.reveal());
  }

  private <T> HttpResponse<T> send(HttpRequest request, BodyHandler<T> handler)
      throws IOException, InterruptedException {
    try {
      return http.send(request, handler);
    } catch (IOException e) {
      throw new IOException(base + ": " + reason(e), e);
    }
  }

  /// What happened and what to do, for people.
  static String reason(IOException problem) {
    for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
      switch (cause) {
        case UnresolvedAddressException _ -> {
          return "there is no such host (expected: a name that can be looked up, or an address)";
        }
        case SSLException tls -> {
          return String.valueOf(tls.getMessage()).contains("Unsupported or unrecognized")
              ? "speaks no TLS (expected: a management port with management.tls;"
                  + " without it the URL begins with http://)"
              : "the TLS handshake failed: "
                  + tls.getMessage()
                  + " (expected: a certificate for this host that --ca-file, or the Java platform,"
                  + " trusts; --cert-file and --key-file where management.tls.client_ca is set)";
        }
        default -> {}
      }
    }
    if (problem instanceof ConnectException && !(problem instanceof HttpConnectTimeoutException)) {
      return "nobody listens there (expected: management.listen of a running gateway or agent;"
          + " --management URL names it)";
    }
    if (problem instanceof HttpTimeoutException) {
      return "no answer within "
          + TIMEOUT.toSeconds()
          + " s (expected: management.listen of a gateway or agent; is a firewall in between?)";
    }
    return "closed without an answer: "
        + problem.getMessage()
        + " (expected: management.listen of a gateway or agent; with management.tls the URL begins"
        + " with https://)";
  }

  private JsonNode json(String path, HttpResponse<String> answer) throws IOException {
    if (answer.statusCode() >= 300) {
      throw refused(path, answer.statusCode(), answer.body());
    }
    try {
      return answer.body().isBlank() ? JSON.createObjectNode() : JSON.readTree(answer.body());
    } catch (JsonProcessingException _) {
      throw notPenstock(path);
    }
  }

  private IOException notPenstock(String path) {
    return new IOException(
        base.resolve(path)
            + ": answered, but not as Penstock does (expected: management.listen of a gateway or"
            + " agent)");
  }

  private IOException refused(String path, int status, String body) {
    String detail;
    try {
      detail = JSON.readTree(body).path("detail").asText("");
    } catch (JsonProcessingException _) {
      detail = "";
    }
    String next =
        switch (status) {
          case 401 ->
              token == null
                  ? "give --token-file FILE, or set "
                      + ManagementOptions.TOKEN_VARIABLE
                      + ", with one of management.tokens"
                  : "the token that was shown is none of management.tokens of this node";
          case 403 -> "this needs an entry of management.tokens with role: operate";
          case 404 ->
              detail.isEmpty()
                  ? "is this the management.listen of a gateway or agent?"
                  : "agents have links, tunnels, streams, sessions and events; ask a gateway for"
                      + " the rest";
          case 503 -> "try again in a few seconds";
          default -> "";
        };
    return new IOException(
        base.resolve(path).getPath()
            + ": "
            + status
            + (detail.isEmpty() ? "" : ": " + detail)
            + (next.isEmpty() ? "" : "; " + next));
  }
}
