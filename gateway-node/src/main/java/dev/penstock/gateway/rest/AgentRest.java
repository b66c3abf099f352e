package dev.penstock.gateway.rest;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.Rejection;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistered;
import dev.penstock.protocol.control.TunnelRegistration;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.regex.Pattern;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.StatusCode;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.Allow;
import org.apache.pekko.http.javadsl.model.headers.Authorization;

/// `POST /api/v1/clusters/agent/{cluster}/tunnels`: an agent registers a tunnel and learns its
/// public address. Errors are problem details (RFC 9457).
public final class AgentRest {
  private static final Pattern TUNNELS = Pattern.compile("/api/v1/clusters/agent/([^/]+)/tunnels");
  private static final int MAX_BODY = 64 * 1024;
  private static final Duration BODY_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);
  private static final InetSocketAddress UNKNOWN = InetSocketAddress.createUnresolved("rest", 0);

  private static final ContentType PROBLEM = ContentTypes.parse(Problem.MEDIA_TYPE);

  private final ActorSystem<?> system;
  private final Tokens tokens;
  private final ActorRef<Tunnels.Command> tunnels;
  private final String publicHost;
  private final BadPeers badPeers;

  /// @param publicHost the name or address that users are told
  public AgentRest(
      ActorSystem<?> system,
      Tokens tokens,
      ActorRef<Tunnels.Command> tunnels,
      String publicHost,
      BadPeers badPeers) {
    this.system = system;
    this.tokens = tokens;
    this.tunnels = tunnels;
    this.publicHost = publicHost;
    this.badPeers = badPeers;
  }

  /// Answers one request; never fails.
  public CompletionStage<HttpResponse> handle(HttpRequest request) {
    var path = TUNNELS.matcher(request.getUri().path());
    if (!path.matches()) {
      badPeers.rejected(Rejection.UNKNOWN_PATH, UNKNOWN, "");
      return refused(request, StatusCodes.NOT_FOUND, "nothing is served at this path");
    }
    String authorization =
        request.getHeader(Authorization.class).map(Authorization::value).orElse(null);
    Optional<String> cluster = tokens.clusterOfHeader(authorization);
    if (cluster.isEmpty()) {
      badPeers.rejected(
          authorization == null ? Rejection.NO_TOKEN : Rejection.WRONG_TOKEN, UNKNOWN, "REST");
      return refused(request, StatusCodes.UNAUTHORIZED, Tokens.refusal(authorization));
    }
    if (!cluster.get().equals(path.group(1))) {
      badPeers.rejected(Rejection.FOREIGN_CLUSTER, UNKNOWN, "REST by " + cluster.get());
      return refused(
          request, StatusCodes.FORBIDDEN, "the token is not of the cluster that the path names");
    }
    if (!request.method().equals(HttpMethods.POST)) {
      return refused(
              request,
              StatusCodes.METHOD_NOT_ALLOWED,
              request.method().value() + " (expected: POST)")
          .thenApply(answer -> answer.addHeader(Allow.create(HttpMethods.POST)));
    }
    return request
        .entity()
        .withSizeLimit(MAX_BODY)
        .toStrict(BODY_TIMEOUT.toMillis(), system)
        .handle((body, failed) ->
            failed == null
                ? register(cluster.get(), body.getData().toArray())
                : badRegistration(
                    cluster.get(),
                    "the body could not be read (expected: at most "
                        + MAX_BODY
                        + " bytes of JSON)"))
        .thenCompose(answer -> answer);
  }

  private CompletionStage<HttpResponse> register(String cluster, byte[] body) {
    TunnelRegistration registration;
    try {
      registration = TunnelRegistration.decode(body);
      requireUsable(registration);
    } catch (MalformedMessage e) {
      return badRegistration(cluster, String.valueOf(e.getMessage()));
    }
    if (registration.protocol() != Protocol.TCP) {
      return badRegistration(cluster, "protocol: udp (expected: tcp)");
    }
    return AskPattern.<Tunnels.Command, Tunnels.Answer>ask(
            tunnels,
            replyTo -> new Tunnels.Register(cluster, registration, replyTo),
            ANSWER_TIMEOUT,
            system.scheduler())
        .thenApply(answer ->
            switch (answer) {
              case Tunnels.Answer.Registered(int port) -> registered(registration, port);
              case Tunnels.Answer.Conflict(var text) -> {
                badPeers.rejected(Rejection.PORT_CONFLICT, UNKNOWN, cluster + ": " + text);
                yield problem(StatusCodes.CONFLICT, text);
              }
              case Tunnels.Answer.Unavailable(var text) ->
                  problem(StatusCodes.SERVICE_UNAVAILABLE, text);
            })
        .exceptionally(_ ->
            problem(
                StatusCodes.SERVICE_UNAVAILABLE,
                "the port was not bound within "
                    + ANSWER_TIMEOUT.toSeconds()
                    + " s; try again later"));
  }

  /// What the wire allows but this gateway could not act on.
  private static void requireUsable(TunnelRegistration registration) throws MalformedMessage {
    AccessRules.of(registration.annotations());
  }

  private CompletionStage<HttpResponse> badRegistration(String cluster, String why) {
    badPeers.rejected(Rejection.BAD_REGISTRATION, UNKNOWN, cluster + ": " + why);
    return CompletableFuture.completedFuture(problem(StatusCodes.BAD_REQUEST, why));
  }

  private HttpResponse registered(TunnelRegistration registration, int port) {
    String host = publicHost.indexOf(':') >= 0 ? "[" + publicHost + "]" : publicHost;
    var answer =
        new TunnelRegistered(
            registration.tunnelId(), registration.protocol(), port, host + ":" + port);
    return HttpResponse.create().withEntity(ContentTypes.APPLICATION_JSON, answer.encode());
  }

  private CompletionStage<HttpResponse> refused(
      HttpRequest request, StatusCode status, String detail) {
    request.discardEntityBytes(system);
    return CompletableFuture.completedFuture(problem(status, detail));
  }

  private static HttpResponse problem(StatusCode status, String detail) {
    return HttpResponse.create()
        .withStatus(status)
        .withEntity(
            PROBLEM,
            new Problem(status.reason(), status.intValue(), detail)
                .encode()
                .getBytes(StandardCharsets.UTF_8));
  }
}
