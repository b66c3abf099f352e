package dev.penstock.management;

import static java.util.stream.Collectors.joining;
import static scala.jdk.javaapi.DurationConverters.toScala;

import dev.penstock.protocol.control.Problem;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpMethod;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.StatusCode;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.Allow;
import org.apache.pekko.http.javadsl.model.headers.Host;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.settings.ParserSettings;
import org.apache.pekko.http.javadsl.settings.ServerSettings;
import org.apache.pekko.http.scaladsl.settings.ParserSettings.ErrorLoggingVerbosity$;
import org.apache.pekko.japi.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The management port: `GET` or `HEAD` of `/healthz` (the process runs), `/readyz` (it can serve,
/// or 503 with the reasons), `/metrics` (Prometheus text or OpenMetrics, as the `Accept` header
/// asks) and the node's own pages, and `POST` of operations, which are not taken from web pages.
/// Everything else is answered with a [Problem]. Thread-safe.
///
/// At most 64 connections; a connection without traffic is closed after 60 s, a request head is
/// limited to 64 headers of 4 KiB each, and request bodies are dropped unread. Requests that are no
/// HTTP are answered, not logged: whoever reaches the port could fill the log.
public final class ManagementServer {
  private static final Logger LOG = LoggerFactory.getLogger(ManagementServer.class);

  private static final int MAX_CONNECTIONS = 64;
  private static final Duration IDLE_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(20);
  private static final int MAX_HEADERS = 64;
  private static final int MAX_HEADER_VALUE = 4096;
  private static final int MAX_URI = 2048;
  private static final long MAX_BODY = 64 * 1024;

  private static final ContentType PROBLEM = ContentTypes.parse(Problem.MEDIA_TYPE);

  private final ServerBinding binding;

  private ManagementServer(ServerBinding binding) {
    this.binding = binding;
  }

  /// Does what a `POST` asks for; called on any thread, must not block.
  @FunctionalInterface
  public interface Operation {
    /// What was begun, a line for people.
    String run();
  }

  /// Things of the node that have names, which may contain slashes: all are told at `GET` of their
  /// path, one is made by `PUT` and removed by `DELETE` of its name below it; making and removing
  /// again is no error. Called on any thread, must not block; stages do not fail.
  public interface Items {
    /// All of them.
    CompletionStage<Answer> list();

    /// Makes one.
    ///
    /// @param query what the request said after the question mark, one value for each name
    CompletionStage<Answer> put(String name, Map<String, String> query);

    /// Removes one.
    CompletionStage<Answer> remove(String name);
  }

  /// What is said to a request for [Items].
  public sealed interface Answer {
    /// It was done.
    ///
    /// @param json empty when there is nothing to say
    record Done(String json) implements Answer {}

    /// The request was refused or came to nothing.
    ///
    /// @param status of HTTP, such as 409
    /// @param retryAfter when it makes sense to ask again; zero when it does not
    record Refused(int status, String detail, Duration retryAfter) implements Answer {}
  }

  /// Binds the port without pages and operations; 0 takes a free one.
  ///
  /// @return fails with [ListenFailed] when the address cannot be bound
  public static CompletionStage<ManagementServer> start(
      ActorSystem<?> system,
      InetSocketAddress address,
      PrometheusRegistry registry,
      Readiness readiness) {
    return start(system, address, registry, readiness, Map.of(), Map.of(), Map.of());
  }

  /// Binds the port; 0 takes a free one.
  ///
  /// @param pages what else is told, by its path: JSON made anew for each request from what is
  ///   known
  /// @param operations by their paths, such as `/drain`
  /// @param items by their paths, such as `/reservations`
  /// @return fails with [ListenFailed] when the address cannot be bound
  public static CompletionStage<ManagementServer> start(
      ActorSystem<?> system,
      InetSocketAddress address,
      PrometheusRegistry registry,
      Readiness readiness,
      Map<String, Supplier<String>> pages,
      Map<String, Operation> operations,
      Map<String, Items> items) {
    var served = new Served(system, pages, Map.copyOf(operations), Map.copyOf(items));
    var formats = ExpositionFormats.init();
    return Http.get(system)
        .newServerAt(address.getHostString(), address.getPort())
        .withSettings(settings(system))
        .bind(
            (Function<HttpRequest, CompletionStage<HttpResponse>>)
                request -> serve(request, formats, registry, readiness, served))
        .handle((binding, failure) -> {
          if (failure != null) {
            throw new CompletionException(listenFailed(address, failure));
          }
          return new ManagementServer(binding);
        });
  }

  /// What this node has.
  private record Served(
      ActorSystem<?> system,
      Map<String, Supplier<String>> pages,
      Map<String, Operation> operations,
      Map<String, Items> items) {}

  private static CompletionStage<HttpResponse> serve(
      HttpRequest request,
      ExpositionFormats formats,
      PrometheusRegistry registry,
      Readiness readiness,
      Served served) {
    request.discardEntityBytes(served.system());
    String path = request.getUri().path();
    for (var some : served.items().entrySet()) {
      if (path.equals(some.getKey()) || path.startsWith(some.getKey() + "/")) {
        return items(request, some.getValue(), path.substring(some.getKey().length()));
      }
    }
    Operation operation = served.operations().get(path);
    return CompletableFuture.completedFuture(
        operation == null
            ? answer(request, formats, registry, readiness, served.pages())
            : operate(request, operation));
  }

  /// The bound address, with the port that was chosen.
  public InetSocketAddress address() {
    return binding.localAddress();
  }

  /// Takes no new connections and ends the others, at the latest when the deadline has passed.
  public CompletionStage<Void> close(Duration deadline) {
    return binding.terminate(deadline).thenAccept(_ -> {});
  }

  private static ServerSettings settings(ActorSystem<?> system) {
    ServerSettings defaults = ServerSettings.create(system.classicSystem());
    return defaults
        .withServerHeader(Optional.empty())
        .withTransparentHeadRequests(true)
        .withDefaultHostHeader(Host.create("localhost"))
        .withMaxConnections(MAX_CONNECTIONS)
        .withTimeouts(
            defaults
                .getTimeouts()
                .withIdleTimeout(toScala(IDLE_TIMEOUT))
                .withRequestTimeout(toScala(REQUEST_TIMEOUT)))
        .withParserSettings(
            ParserSettings.forServer(system)
                .withModeledHeaderParsing(false)
                .withErrorLoggingVerbosity(ErrorLoggingVerbosity$.MODULE$.apply("off"))
                .withMaxHeaderCount(MAX_HEADERS)
                .withMaxHeaderValueLength(MAX_HEADER_VALUE)
                .withMaxUriLength(MAX_URI)
                .withMaxContentLength(MAX_BODY));
  }

  private static HttpResponse answer(
      HttpRequest request,
      ExpositionFormats formats,
      PrometheusRegistry registry,
      Readiness readiness,
      Map<String, Supplier<String>> pages) {
    String path = request.getUri().path();
    boolean known =
        path.equals("/healthz")
            || path.equals("/readyz")
            || path.equals("/metrics")
            || pages.containsKey(path);
    if (!known) {
      return problem(
          StatusCodes.NOT_FOUND,
          path
              + ": no such page (expected: /healthz, /readyz"
              + pages.keySet().stream().sorted().map(it -> ", " + it).collect(joining())
              + " or /metrics)");
    }
    // A HEAD request arrives here as a GET.
    if (!request.method().equals(HttpMethods.GET)) {
      return problem(
              StatusCodes.METHOD_NOT_ALLOWED,
              request.method().name() + " " + path + ": not allowed (expected: GET or HEAD)")
          .addHeader(Allow.create(HttpMethods.GET, HttpMethods.HEAD));
    }
    try {
      return switch (path) {
        case "/healthz" -> text(StatusCodes.OK, "ok");
        case "/readyz" -> readiness(readiness.reasons());
        case "/metrics" -> metrics(request, formats, registry);
        default -> json(pages.getOrDefault(path, () -> "{}").get());
      };
    } catch (RuntimeException e) {
      LOG.atError().addKeyValue("path", path).setCause(e).log("A management request failed");
      return problem(StatusCodes.INTERNAL_SERVER_ERROR, path + ": failed, the log says why");
    }
  }

  /// @param below what of the path follows that of the items: nothing, or a slash and a name
  private static CompletionStage<HttpResponse> items(
      HttpRequest request, Items items, String below) {
    boolean named = below.length() > 1;
    HttpMethod method = request.method();
    if (!named && method.equals(HttpMethods.GET)) {
      return items.list().thenApply(ManagementServer::said);
    }
    if (named && (method.equals(HttpMethods.PUT) || method.equals(HttpMethods.DELETE))) {
      if (isOfWebPage(request)) {
        return CompletableFuture.completedFuture(byWebPage(request.getUri().path()));
      }
      String name = below.substring(1);
      return (method.equals(HttpMethods.PUT)
              ? items.put(name, request.getUri().query().toMap())
              : items.remove(name))
          .thenApply(ManagementServer::said);
    }
    return CompletableFuture.completedFuture(
        problem(
                StatusCodes.METHOD_NOT_ALLOWED,
                method.name()
                    + " "
                    + request.getUri().path()
                    + ": not allowed (expected: "
                    + (named ? "PUT or DELETE)" : "GET, or PUT or DELETE of one of them)"))
            .addHeader(
                named
                    ? Allow.create(HttpMethods.PUT, HttpMethods.DELETE)
                    : Allow.create(HttpMethods.GET, HttpMethods.HEAD)));
  }

  private static HttpResponse said(Answer answer) {
    return switch (answer) {
      case Answer.Done(var json) ->
          json.isEmpty() ? HttpResponse.create().withStatus(StatusCodes.NO_CONTENT) : json(json);
      case Answer.Refused(int status, var detail, var retryAfter) -> {
        var refused = problem(StatusCodes.get(status), detail);
        yield retryAfter.isZero()
            ? refused
            : refused.addHeader(
                RawHeader.create(
                    "Retry-After", Long.toString(Math.max(1, retryAfter.toSeconds()))));
      }
    };
  }

  private static boolean isOfWebPage(HttpRequest request) {
    return request.getHeader("Origin").isPresent()
        || request.getHeader("Sec-Fetch-Site").isPresent();
  }

  private static HttpResponse byWebPage(String path) {
    return problem(
        StatusCodes.FORBIDDEN, path + ": sent by a web page (expected: an operator's own call)");
  }

  /// A web page that an operator looks at could send one too: browsers say so.
  private static HttpResponse operate(HttpRequest request, Operation operation) {
    String path = request.getUri().path();
    if (!request.method().equals(HttpMethods.POST)) {
      return problem(
              StatusCodes.METHOD_NOT_ALLOWED,
              request.method().name() + " " + path + ": not allowed (expected: POST)")
          .addHeader(Allow.create(HttpMethods.POST));
    }
    if (isOfWebPage(request)) {
      return byWebPage(path);
    }
    return text(StatusCodes.ACCEPTED, operation.run());
  }

  private static HttpResponse readiness(List<String> reasons) {
    return reasons.isEmpty()
        ? text(StatusCodes.OK, "ready")
        : text(StatusCodes.SERVICE_UNAVAILABLE, String.join("\n", reasons));
  }

  private static HttpResponse metrics(
      HttpRequest request, ExpositionFormats formats, PrometheusRegistry registry) {
    ExpositionFormatWriter writer =
        writer(formats, request.getHeader("Accept").map(HttpHeader::value).orElse(""));
    var body = new ByteArrayOutputStream(16 * 1024);
    try {
      writer.write(body, registry.scrape());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return HttpResponse.create()
        .withEntity(ContentTypes.parse(writer.getContentType()), body.toByteArray());
  }

  /// The library's own choice ends in an error when protobuf is asked for, which we do not carry.
  private static ExpositionFormatWriter writer(ExpositionFormats formats, String accept) {
    ExpositionFormatWriter openMetrics = formats.getOpenMetricsTextFormatWriter();
    return openMetrics.accepts(accept) ? openMetrics : formats.getPrometheusTextFormatWriter();
  }

  private static HttpResponse json(String body) {
    return HttpResponse.create()
        .withEntity(ContentTypes.APPLICATION_JSON, (body + "\n").getBytes(StandardCharsets.UTF_8));
  }

  private static HttpResponse text(StatusCode status, String line) {
    return HttpResponse.create()
        .withStatus(status)
        .withEntity(ContentTypes.TEXT_PLAIN_UTF8, line + "\n");
  }

  private static HttpResponse problem(StatusCode status, String detail) {
    String body = new Problem(status.reason(), status.intValue(), detail).encode();
    return HttpResponse.create()
        .withStatus(status)
        .withEntity(PROBLEM, body.getBytes(StandardCharsets.UTF_8));
  }

  /// Names what is wrong in one line; the libraries in between wrap the system's answer several
  /// times.
  private static ListenFailed listenFailed(InetSocketAddress address, Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    String message = String.valueOf(root.getMessage());
    // The system's own words come after the address in brackets.
    String found =
        message.substring(message.lastIndexOf("] ") + 1).strip().toLowerCase(Locale.ROOT);
    String expected =
        found.contains("in use")
            ? "a free port"
            : found.contains("permission")
                ? "a port that this user may bind, from 1024"
                : "an address of this machine";
    String text =
        "management.listen " + display(address) + ": " + found + " (expected: " + expected + ")";
    return new ListenFailed(text, failure);
  }

  private static String display(InetSocketAddress address) {
    String host = address.getHostString();
    return (host.indexOf(':') < 0 ? host : "[" + host + "]") + ":" + address.getPort();
  }
}
