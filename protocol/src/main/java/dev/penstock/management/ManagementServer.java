package dev.penstock.management;

import static java.util.Objects.requireNonNull;
import static java.util.stream.Collectors.joining;
import static scala.jdk.javaapi.DurationConverters.toScala;

import dev.penstock.management.access.Caller;
import dev.penstock.management.access.Guard;
import dev.penstock.management.access.Role;
import dev.penstock.management.api.Api;
import dev.penstock.management.api.ApiMeters;
import dev.penstock.management.api.Bodies;
import dev.penstock.management.api.Problems;
import dev.penstock.management.dashboard.Dashboard;
import dev.penstock.protocol.net.Tls;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.apache.pekko.Done;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.http.javadsl.ConnectionContext;
import org.apache.pekko.http.javadsl.Http;
import org.apache.pekko.http.javadsl.ServerBinding;
import org.apache.pekko.http.javadsl.ServerBuilder;
import org.apache.pekko.http.javadsl.model.AttributeKeys;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpMethod;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.RemoteAddress;
import org.apache.pekko.http.javadsl.model.StatusCode;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.Allow;
import org.apache.pekko.http.javadsl.model.headers.Host;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.model.headers.TlsSessionInfo;
import org.apache.pekko.http.javadsl.settings.ParserSettings;
import org.apache.pekko.http.javadsl.settings.ServerSettings;
import org.apache.pekko.http.scaladsl.settings.ParserSettings.ErrorLoggingVerbosity$;
import org.apache.pekko.stream.javadsl.BidiFlow;
import org.apache.pekko.stream.javadsl.Flow;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The management port: `GET` or `HEAD` of `/healthz` (the process runs), `/readyz` (it can serve,
/// or 503 with the reasons), `/metrics` (Prometheus text or OpenMetrics, as the `Accept` header
/// asks) and the node's own pages, `POST` of operations, which are not taken from web pages, the
/// [Api] and the [Dashboard] that shows it. Everything else is answered with a [Problem].
/// Thread-safe.
///
/// Health, readiness, metrics and the dashboard's files are for everybody who reaches the port: no
/// tenant is named in them. All else is decided on by a [Guard].
///
/// At most 1,100 connections, of which 1,000 may be watches; a connection without traffic is closed
/// after 60 s, and so is one on which no whole request comes, see [RequestDeadlines]; a request
/// head is limited to 64 headers of 4 KiB each, and request bodies to 64 KiB. Requests that are no
/// HTTP are answered with a [Problem], too, and not logged: whoever reaches the port could fill the
/// log.
public final class ManagementServer {
  private static final Logger LOG = LoggerFactory.getLogger(ManagementServer.class);

  private static final int MAX_CONNECTIONS = 1_100;
  private static final Duration IDLE_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(20);
  private static final int MAX_HEADERS = 64;
  private static final int MAX_HEADER_VALUE = 4096;
  private static final int MAX_URI = 4096;
  private static final long MAX_BODY = Api.MAX_BODY;

  private static final Pattern COMMON_NAME = Pattern.compile("(?:^|,)CN=([A-Za-z0-9 ._@-]{1,64})");

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
    return bind(
        system,
        address,
        registry,
        readiness,
        null,
        Parts.none(),
        RequestDeadlines.Waits.defaults());
  }

  /// What a node serves beside health, readiness and metrics.
  ///
  /// @param pages what else is told, by its path: JSON made anew for each request from what is
  ///   known
  /// @param operations by their paths, such as `/drain`
  /// @param items by their paths, such as `/reservations`
  /// @param api null where there is none
  public record Parts(
      Map<String, Supplier<String>> pages,
      Map<String, Operation> operations,
      Map<String, Items> items,
      @Nullable Api api) {
    public Parts {
      pages = Map.copyOf(pages);
      operations = Map.copyOf(operations);
      items = Map.copyOf(items);
    }

    /// Nothing.
    public static Parts none() {
      return new Parts(Map.of(), Map.of(), Map.of(), null);
    }
  }

  /// Who may come, and how.
  ///
  /// @param tls null serves plain HTTP
  /// @param meters count who is refused
  public record Entrance(Guard guard, @Nullable Tls tls, ApiMeters meters) {}

  /// Binds the port; 0 takes a free one.
  ///
  /// @return fails with [ListenFailed] when the address cannot be bound
  public static CompletionStage<ManagementServer> start(
      ActorSystem<?> system,
      InetSocketAddress address,
      PrometheusRegistry registry,
      Readiness readiness,
      Entrance entrance,
      Parts parts) {
    return bind(
        system, address, registry, readiness, entrance, parts, RequestDeadlines.Waits.defaults());
  }

  static CompletionStage<ManagementServer> bind(
      ActorSystem<?> system,
      InetSocketAddress address,
      PrometheusRegistry registry,
      Readiness readiness,
      @Nullable Entrance entrance,
      Parts parts,
      RequestDeadlines.Waits waits) {
    var served =
        new Served(system, entrance, parts, waits, ExpositionFormats.init(), registry, readiness);
    ServerBuilder builder =
        Http.get(system)
            .newServerAt(address.getHostString(), address.getPort())
            .withSettings(settings(system));
    Tls tls = entrance == null ? null : entrance.tls();
    if (tls != null) {
      builder = builder.enableHttps(ConnectionContext.httpsServer(tls::engine));
    }
    var deadlines =
        new RequestDeadlines(
            waits,
            () -> {
              if (entrance != null) {
                entrance.meters().late();
              }
            });
    return builder
        .bindFlow(
            BidiFlow.fromGraph(deadlines)
                .join(Flow.of(HttpRequest.class).mapAsync(1, request -> serve(request, served))))
        .handle((binding, failure) -> {
          if (failure != null) {
            throw new CompletionException(listenFailed(address, failure));
          }
          return new ManagementServer(binding);
        });
  }

  /// What this node has.
  ///
  /// @param entrance null where there is nothing to guard
  private record Served(
      ActorSystem<?> system,
      @Nullable Entrance entrance,
      Parts parts,
      RequestDeadlines.Waits waits,
      ExpositionFormats formats,
      PrometheusRegistry registry,
      Readiness readiness) {
    boolean hasApi(String path) {
      return entrance != null && parts.api() != null && Api.owns(path);
    }

    CompletionStage<Done> drop(HttpRequest request) {
      return Bodies.drop(request, waits.body(), system);
    }
  }

  /// A body that nobody wants is read before an answer says that all is well: the server would log
  /// one that came earlier, and whoever reaches the port could fill the log.
  private static CompletionStage<HttpResponse> serve(HttpRequest request, Served served) {
    String path = request.getUri().path();
    boolean wanted = served.hasApi(path) && changes(request);
    if (wanted || request.entity().isStrict()) {
      return answered(request, served);
    }
    CompletionStage<Done> end = served.drop(request);
    return answered(request.withEntity(HttpEntities.EMPTY), served)
        .thenCompose(answer ->
            answer.status().isSuccess()
                ? end.handle((_, failed) ->
                    failed == null
                        ? answer
                        : Problems.response(
                            408, path + ": the body did not come (expected: none, or all of it)"))
                : CompletableFuture.completedFuture(answer));
  }

  private static CompletionStage<HttpResponse> answered(HttpRequest request, Served served) {
    String path = request.getUri().path();
    Parts parts = served.parts();
    Entrance entrance = served.entrance();
    if (served.hasApi(path)) {
      return ofApi(request, served);
    }
    if (parts.api() != null && Dashboard.owns(path)) {
      return CompletableFuture.completedFuture(Dashboard.shared().answer(request));
    }
    String items = itemsAt(parts, path);
    boolean guarded =
        parts.pages().containsKey(path) || parts.operations().containsKey(path) || items != null;
    if (guarded && entrance != null) {
      // What changes something here is not taken from any web page, whose own it may be.
      switch (decide(request, entrance, Marked.YES)) {
        case Guard.Decision.Refused refused -> {
          return CompletableFuture.completedFuture(refused(refused, entrance));
        }
        case Guard.Decision.Admitted _ -> {
          // Answered below.
        }
      }
    }
    if (items != null) {
      return items(
          request, requireNonNull(parts.items().get(items)), path.substring(items.length()));
    }
    Operation operation = parts.operations().get(path);
    return CompletableFuture.completedFuture(
        operation == null ? answer(request, served) : operate(request, operation));
  }

  private static @Nullable String itemsAt(Parts parts, String path) {
    return parts.items().keySet().stream()
        .filter(at -> path.equals(at) || path.startsWith(at + "/"))
        .findFirst()
        .orElse(null);
  }

  private static CompletionStage<HttpResponse> ofApi(HttpRequest request, Served served) {
    Entrance entrance = requireNonNull(served.entrance());
    Api api = requireNonNull(served.parts().api());
    if (Api.isPublic(request.getUri().path()) && !changes(request)) {
      return api.answer(request, new Caller(Caller.ANONYMOUS, Role.READ), from(request));
    }
    return switch (decide(request, entrance, Marked.AS_SENT)) {
      case Guard.Decision.Admitted(var caller) -> api.answer(request, caller, from(request));
      case Guard.Decision.Refused refused -> {
        var _ = served.drop(request);
        yield CompletableFuture.completedFuture(refused(refused, entrance));
      }
    };
  }

  /// Whether a call counts as marked as no web page's.
  private enum Marked {
    YES,
    AS_SENT
  }

  private static Guard.Decision decide(HttpRequest request, Entrance entrance, Marked marked) {
    return entrance
        .guard()
        .decide(
            new Guard.Asked(
                changes(request) ? Guard.Effect.CHANGE : Guard.Effect.NONE,
                entrance.tls() == null ? "http" : "https",
                header(request, "Host").orElse("localhost"),
                header(request, "Authorization").orElse(null),
                marked == Marked.YES || header(request, Guard.ACTION_HEADER).isPresent(),
                header(request, "Origin").orElse(null),
                header(request, "Sec-Fetch-Site").orElse(null),
                certificate(request)));
  }

  private static boolean changes(HttpRequest request) {
    return !request.method().equals(HttpMethods.GET) && !request.method().equals(HttpMethods.HEAD);
  }

  private static HttpResponse refused(Guard.Decision.Refused refused, Entrance entrance) {
    HttpResponse response = Problems.response(refused.status(), refused.detail());
    if (refused.status() == 401) {
      entrance.meters().unauthorized();
      return response.addHeader(RawHeader.create("WWW-Authenticate", "Bearer"));
    }
    entrance.meters().forbidden();
    return response;
  }

  private static Optional<String> header(HttpRequest request, String name) {
    return request.getHeader(name).map(HttpHeader::value);
  }

  private static String from(HttpRequest request) {
    return request
        .getAttribute(AttributeKeys.remoteAddress)
        .flatMap(RemoteAddress::getAddress)
        .map(InetAddress::getHostAddress)
        .orElse("unknown");
  }

  /// The common name of a client certificate, or all of its subject; the handshake has checked it.
  private static @Nullable String certificate(HttpRequest request) {
    return request
        .getHeader(TlsSessionInfo.class)
        .map(tls -> {
          try {
            String subject =
                ((X509Certificate) tls.getSession().getPeerCertificates()[0])
                    .getSubjectX500Principal()
                    .getName();
            var name = COMMON_NAME.matcher(subject);
            return name.find() ? name.group(1) : subject;
          } catch (SSLPeerUnverifiedException _) {
            return null;
          }
        })
        .orElse(null);
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
        .withParsingErrorHandler(UnreadableRequests.class.getName())
        .withRemoteAddressAttribute(true)
        .withTimeouts(
            defaults
                .getTimeouts()
                .withIdleTimeout(toScala(IDLE_TIMEOUT))
                .withRequestTimeout(toScala(REQUEST_TIMEOUT)))
        .withParserSettings(
            ParserSettings.forServer(system)
                .withModeledHeaderParsing(false)
                .withIncludeTlsSessionInfoHeader(true)
                .withErrorLoggingVerbosity(ErrorLoggingVerbosity$.MODULE$.apply("off"))
                .withMaxHeaderCount(MAX_HEADERS)
                .withMaxHeaderValueLength(MAX_HEADER_VALUE)
                .withMaxUriLength(MAX_URI)
                .withMaxContentLength(MAX_BODY));
  }

  private static HttpResponse answer(HttpRequest request, Served served) {
    String path = request.getUri().path();
    Map<String, Supplier<String>> pages = served.parts().pages();
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
        case "/readyz" -> readiness(served.readiness().reasons());
        case "/metrics" -> metrics(request, served.formats(), served.registry());
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
        var refused = Problems.response(status, detail);
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
    return Problems.response(status.intValue(), detail);
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
