package dev.penstock.gateway.rest;

import dev.penstock.access.AccessRules;
import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.gateway.links.KubernetesClaims;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.Rejection;
import dev.penstock.gateway.tunnels.Tunnels;
import dev.penstock.protocol.control.KubernetesUid;
import dev.penstock.protocol.control.MalformedMessage;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.control.RegisteredTunnel;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.control.TunnelSync;
import dev.penstock.protocol.control.TunnelSync.Entry;
import dev.penstock.protocol.control.TunnelSyncAnswer;
import dev.penstock.protocol.control.TunnelSyncAnswer.Rejected;
import dev.penstock.protocol.net.Tcp;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.pekko.actor.CoordinatedShutdown;
import org.apache.pekko.actor.typed.ActorRef;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.javadsl.AskPattern;
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
import org.apache.pekko.http.javadsl.model.headers.Authorization;
import org.apache.pekko.http.javadsl.model.headers.HttpChallenge;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.model.headers.WWWAuthenticate;
import org.apache.pekko.http.scaladsl.model.EntityStreamSizeException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// `/api/v1/clusters/agent/{cluster}/tunnels`: agents register, synchronise, list and deregister
/// their tunnels. Errors are problem details (RFC 9457). Any thread; bodies are read and written
/// off the event loops.
public final class AgentRest {
  /// Bytes of one registration: annotations of one Kubernetes object may have 256 KiB.
  private static final int MAX_REGISTRATION = 512 * 1024;

  /// Syncs of one cluster at a time; each may hold [TunnelSync#MAX_BYTES].
  private static final int MAX_SYNCS = 2;

  private static final Duration BODY_TIMEOUT = Duration.ofSeconds(10);
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(15);

  /// Agents of the original wait for 30 s in all.
  private static final Duration SYNC_TIMEOUT = Duration.ofSeconds(25);

  /// For callers of a node that ends.
  private static final Duration AFTER_END = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(AgentRest.class);
  private static final Pattern PATH =
      Pattern.compile("/api/v1/clusters/agent/([^/]+)/tunnels(?:/(.+))?");
  private static final ContentType PROBLEM = ContentTypes.parse(Problem.MEDIA_TYPE);

  private final ActorSystem<?> system;
  private final Executor executor;
  private final Tokens tokens;
  private final KubernetesClaims claims;
  private final ActorRef<Tunnels.Command> tunnels;
  private final String publicHost;
  private final BadPeers badPeers;
  private final Map<String, Semaphore> syncs = new ConcurrentHashMap<>();

  /// Who asks, as the token says, and from where.
  ///
  /// @param conflict why it may change no tunnel; null when it may
  private record Caller(String cluster, InetSocketAddress address, @Nullable String conflict) {}

  /// @param claims which Kubernetes clusters are linked
  /// @param publicHost the name or address that users are told
  public AgentRest(
      ActorSystem<?> system,
      Tokens tokens,
      KubernetesClaims claims,
      ActorRef<Tunnels.Command> tunnels,
      String publicHost,
      BadPeers badPeers) {
    this.system = system;
    this.executor = system.executionContext();
    this.tokens = tokens;
    this.claims = claims;
    this.tunnels = tunnels;
    this.publicHost = publicHost;
    this.badPeers = badPeers;
  }

  /// Answers one request; never fails. What goes wrong here is answered 500 and logged, or 503
  /// while the node ends and its parts answer no more.
  public CompletionStage<HttpResponse> handle(HttpRequest request, InetSocketAddress peer) {
    try {
      return answer(request, peer).exceptionally(failed -> failed(request, failed));
    } catch (RuntimeException e) {
      return done(failed(request, e));
    }
  }

  private HttpResponse failed(HttpRequest request, Throwable why) {
    if (isEnding()) {
      return ending();
    }
    log.atError()
        .addKeyValue("path", request.getUri().path())
        .setCause(Tcp.causeOf(why))
        .log("a REST call failed");
    return problem(StatusCodes.INTERNAL_SERVER_ERROR, "failed, the log of the node says why");
  }

  private CompletionStage<HttpResponse> answer(HttpRequest request, InetSocketAddress peer) {
    var path = PATH.matcher(request.getUri().path());
    if (!path.matches()) {
      badPeers.rejected(Rejection.UNKNOWN_PATH, peer, "");
      return refused(request, StatusCodes.NOT_FOUND, "nothing is served at this path");
    }
    String authorization =
        request.getHeader(Authorization.class).map(Authorization::value).orElse(null);
    var cluster = tokens.clusterOfHeader(authorization);
    if (cluster.isEmpty()) {
      badPeers.rejected(
          authorization == null ? Rejection.NO_TOKEN : Rejection.WRONG_TOKEN, peer, "REST");
      return refused(request, StatusCodes.UNAUTHORIZED, Tokens.refusal(authorization))
          .thenApply(answer ->
              answer.addHeader(WWWAuthenticate.create(HttpChallenge.createOAuth2("penstock"))));
    }
    if (!cluster.get().equals(path.group(1))) {
      badPeers.rejected(Rejection.FOREIGN_CLUSTER, peer, "REST by " + cluster.get());
      return refused(
          request, StatusCodes.FORBIDDEN, "the token is not of the cluster that the path names");
    }
    String conflict =
        request
            .getHeader(KubernetesUid.HEADER)
            .flatMap(header -> KubernetesUid.read(header.value()))
            .flatMap(uid -> claims.against(cluster.get(), uid))
            .orElse(null);
    return handle(request, new Caller(cluster.get(), peer, conflict), path);
  }

  private CompletionStage<HttpResponse> handle(HttpRequest request, Caller caller, Matcher path) {
    String below = path.group(2);
    HttpMethod method = request.method();
    if (below == null) {
      if (method.equals(HttpMethods.POST)) {
        return withBody(request, caller, MAX_REGISTRATION, body -> register(caller, body));
      }
      if (method.equals(HttpMethods.GET)) {
        request.discardEntityBytes(system);
        return list(caller);
      }
      return wrongMethod(request, HttpMethods.GET, HttpMethods.POST);
    }
    if (below.equals("sync") && method.equals(HttpMethods.POST)) {
      return syncInTurn(request, caller);
    }
    if (method.equals(HttpMethods.DELETE)) {
      request.discardEntityBytes(system);
      if (caller.conflict() != null) {
        return taken(caller, caller.conflict());
      }
      return deregister(new TunnelIdentity(caller.cluster(), decoded(below)));
    }
    return below.equals("sync")
        ? wrongMethod(request, HttpMethods.POST, HttpMethods.DELETE)
        : wrongMethod(request, HttpMethods.DELETE);
  }

  /// The text of a path segment. An id has no plus sign, which a form would take for a blank.
  private static String decoded(String segment) {
    try {
      return URLDecoder.decode(segment.replace("+", "%2B"), StandardCharsets.UTF_8);
    } catch (IllegalArgumentException _) {
      return segment;
    }
  }

  private CompletionStage<HttpResponse> withBody(
      HttpRequest request,
      Caller caller,
      int maxBytes,
      Function<byte[], CompletionStage<HttpResponse>> then) {
    return request
        .entity()
        .withSizeLimit(maxBytes)
        .toStrict(BODY_TIMEOUT.toMillis(), Long.MAX_VALUE, system)
        .handleAsync(
            (body, failed) ->
                failed == null
                    ? then.apply(body.getData().toArray())
                    : unreadable(caller, maxBytes, failed),
            executor)
        .thenCompose(answer -> answer);
  }

  private CompletionStage<HttpResponse> unreadable(Caller caller, int maxBytes, Throwable failed) {
    if (isEnding()) {
      return done(ending());
    }
    String expected = " (expected: at most " + maxBytes + " bytes of JSON)";
    if (isTooLarge(failed)) {
      badPeers.rejected(
          Rejection.BODY_TOO_LARGE, caller.address(), caller.cluster() + ": body" + expected);
      return done(problem(StatusCodes.CONTENT_TOO_LARGE, "the body is too large" + expected));
    }
    return badRequest(caller, "the body could not be read" + expected);
  }

  private static boolean isTooLarge(Throwable failed) {
    for (Throwable cause = failed; cause != null; cause = cause.getCause()) {
      if (cause instanceof EntityStreamSizeException) {
        return true;
      }
    }
    return false;
  }

  // --- one tunnel ---

  private CompletionStage<HttpResponse> register(Caller caller, byte[] body) {
    TunnelRegistration registration;
    try {
      registration = TunnelRegistration.decode(body);
      requireUsable(registration);
    } catch (MalformedMessage e) {
      return badRequest(caller, String.valueOf(e.getMessage()));
    }
    if (isForeign(caller, registration.clusterUuid())) {
      return foreign(caller);
    }
    if (caller.conflict() != null) {
      return taken(caller, caller.conflict());
    }
    return this.<Tunnels.Answer>ask(
            replyTo -> new Tunnels.Register(caller.cluster(), registration, replyTo),
            ANSWER_TIMEOUT)
        .thenApply(answer ->
            switch (answer) {
              case Tunnels.Answer.Registered(var tunnel) -> json(tunnel(tunnel).encode());
              case Tunnels.Answer.Conflict(var text) -> {
                count(caller, Rejection.PORT_CONFLICT, text);
                yield problem(StatusCodes.CONFLICT, text);
              }
              case Tunnels.Answer.OverQuota(var text) -> {
                count(caller, Rejection.OVER_QUOTA, text);
                yield problem(StatusCodes.CONFLICT, text);
              }
              case Tunnels.Answer.Unavailable(var text, var retryAfter) ->
                  unavailable(text, retryAfter);
            })
        .exceptionally(_ -> notInTime(ANSWER_TIMEOUT));
  }

  private CompletionStage<HttpResponse> deregister(TunnelIdentity identity) {
    return this.<Tunnels.Deregistered>ask(
            replyTo -> new Tunnels.Deregister(identity, replyTo), ANSWER_TIMEOUT)
        .thenApply(done ->
            switch (done) {
              case Tunnels.Deregistered.Done() ->
                  HttpResponse.create().withStatus(StatusCodes.NO_CONTENT);
              case Tunnels.Deregistered.Unavailable(var text, var retryAfter) ->
                  unavailable(text, retryAfter);
            })
        .exceptionally(_ -> notInTime(ANSWER_TIMEOUT));
  }

  /// What the wire allows but this gateway could not act on.
  private static void requireUsable(TunnelRegistration registration) throws MalformedMessage {
    AccessRules.of(registration.annotations());
  }

  // --- all tunnels ---

  private CompletionStage<HttpResponse> list(Caller caller) {
    return this.<Tunnels.Listed>ask(
            replyTo -> new Tunnels.ListAll(caller.cluster(), replyTo), ANSWER_TIMEOUT)
        .thenApplyAsync(
            listed ->
                json(
                    RegisteredTunnel.encodeAll(
                        listed.tunnels().stream().map(this::tunnel).toList())),
            executor)
        .exceptionally(_ -> notInTime(ANSWER_TIMEOUT));
  }

  private CompletionStage<HttpResponse> syncInTurn(HttpRequest request, Caller caller) {
    var turns = syncs.computeIfAbsent(caller.cluster(), _ -> new Semaphore(MAX_SYNCS));
    if (!turns.tryAcquire()) {
      count(caller, Rejection.TOO_MANY_SYNCS, "sync");
      return refused(
              request,
              StatusCodes.SERVICE_UNAVAILABLE,
              "sync: "
                  + MAX_SYNCS
                  + " of this cluster are under way (expected: to be tried again later)")
          .thenApply(answer -> answer.addHeader(retryAfter(Duration.ofSeconds(5))));
    }
    return withBody(request, caller, TunnelSync.MAX_BYTES, body -> sync(caller, body))
        .whenComplete((_, _) -> turns.release());
  }

  private CompletionStage<HttpResponse> sync(Caller caller, byte[] body) {
    TunnelSync sync;
    try {
      sync = TunnelSync.decode(body);
    } catch (MalformedMessage e) {
      return badRequest(caller, String.valueOf(e.getMessage()));
    }
    if (isForeign(caller, sync.clusterUuid())) {
      return foreign(caller);
    }
    if (caller.conflict() != null) {
      return taken(caller, caller.conflict(), sync);
    }
    var taken = new ArrayList<TunnelRegistration>();
    var rejected = new ArrayList<Rejected>();
    var named = new HashSet<String>();
    for (Entry entry : sync.entries()) {
      switch (entry) {
        case Entry.Unreadable(var id, var why) -> {
          named.add(id);
          reject(caller, rejected, Rejection.BAD_REGISTRATION, id, why);
        }
        case Entry.Tunnel(var tunnel) -> {
          boolean first = named.add(tunnel.tunnelId());
          if (isForeign(caller, tunnel.clusterUuid())) {
            reject(caller, rejected, Rejection.FOREIGN_CLUSTER, tunnel.tunnelId(), FOREIGN_CLUSTER);
          } else if (!first) {
            reject(
                caller,
                rejected,
                Rejection.DUPLICATE_TUNNEL,
                tunnel.tunnelId(),
                "tunnel_id: named before in this sync (expected: once)");
          } else {
            try {
              requireUsable(tunnel);
              taken.add(tunnel);
            } catch (MalformedMessage e) {
              reject(
                  caller,
                  rejected,
                  Rejection.BAD_REGISTRATION,
                  tunnel.tunnelId(),
                  String.valueOf(e.getMessage()));
            }
          }
        }
      }
    }
    return this.<Tunnels.Synced>ask(
            replyTo ->
                new Tunnels.Sync(
                    caller.cluster(), taken, sync.isComplete() ? named : null, replyTo),
            SYNC_TIMEOUT)
        .thenApplyAsync(
            synced ->
                switch (synced) {
                  case Tunnels.Synced.Done(var answers) -> synced(caller, taken, answers, rejected);
                  case Tunnels.Synced.Unavailable(var text, var retryAfter) ->
                      unavailable(text, retryAfter);
                },
            executor)
        .exceptionally(_ -> notInTime(SYNC_TIMEOUT));
  }

  private HttpResponse synced(
      Caller caller,
      List<TunnelRegistration> asked,
      List<Tunnels.Answer> answers,
      List<Rejected> rejected) {
    var accepted = new ArrayList<RegisteredTunnel>();
    for (int i = 0; i < answers.size(); i++) {
      String id = asked.get(i).tunnelId();
      switch (answers.get(i)) {
        case Tunnels.Answer.Registered(var tunnel) -> accepted.add(tunnel(tunnel));
        case Tunnels.Answer.Conflict(var text) ->
            reject(caller, rejected, Rejection.PORT_CONFLICT, id, text);
        case Tunnels.Answer.OverQuota(var text) ->
            reject(caller, rejected, Rejection.OVER_QUOTA, id, text);
        case Tunnels.Answer.Unavailable(var text, _) -> rejected.add(new Rejected(id, text));
      }
    }
    return json(new TunnelSyncAnswer(accepted, rejected).encode());
  }

  private void reject(
      Caller caller, List<Rejected> rejected, Rejection why, String tunnelId, String text) {
    count(caller, why, text);
    rejected.add(new Rejected(tunnelId, text));
  }

  // --- answers ---

  private static final String FOREIGN_CLUSTER =
      "cluster_uuid: another cluster's (expected: the token's, or none)";

  private static boolean isForeign(Caller caller, String clusterUuid) {
    return !clusterUuid.isEmpty() && !clusterUuid.equals(caller.cluster());
  }

  private CompletionStage<HttpResponse> foreign(Caller caller) {
    count(caller, Rejection.FOREIGN_CLUSTER, FOREIGN_CLUSTER);
    return done(problem(StatusCodes.FORBIDDEN, FOREIGN_CLUSTER));
  }

  private CompletionStage<HttpResponse> taken(Caller caller, String conflict) {
    count(caller, Rejection.FOREIGN_KUBERNETES, conflict);
    return done(problem(StatusCodes.CONFLICT, conflict));
  }

  /// Each tunnel is refused, so that the agent can say why at each of its objects.
  private CompletionStage<HttpResponse> taken(Caller caller, String conflict, TunnelSync sync) {
    count(caller, Rejection.FOREIGN_KUBERNETES, conflict);
    var rejected =
        sync.entries().stream()
            .map(entry ->
                switch (entry) {
                  case Entry.Tunnel(var tunnel) -> new Rejected(tunnel.tunnelId(), conflict);
                  case Entry.Unreadable(var id, var why) -> new Rejected(id, why);
                })
            .toList();
    return done(json(new TunnelSyncAnswer(List.of(), rejected).encode()));
  }

  private CompletionStage<HttpResponse> badRequest(Caller caller, String why) {
    count(caller, Rejection.BAD_REGISTRATION, why);
    return done(problem(StatusCodes.BAD_REQUEST, why));
  }

  private void count(Caller caller, Rejection why, String detail) {
    badPeers.rejected(why, caller.address(), caller.cluster() + ": " + detail);
  }

  private <T> CompletionStage<T> ask(
      org.apache.pekko.japi.function.Function<ActorRef<T>, Tunnels.Command> command,
      Duration timeout) {
    return AskPattern.ask(tunnels, command, timeout, system.scheduler());
  }

  private RegisteredTunnel tunnel(Tunnels.View tunnel) {
    Integer port = tunnel.port();
    return new RegisteredTunnel(
        tunnel.registration(),
        port,
        port == null ? "" : endpoint(port),
        tunnel.fencing(),
        tunnel.state());
  }

  private String endpoint(int port) {
    return (publicHost.indexOf(':') >= 0 ? "[" + publicHost + "]" : publicHost) + ":" + port;
  }

  private static HttpResponse json(String text) {
    return HttpResponse.create().withEntity(ContentTypes.APPLICATION_JSON, text);
  }

  private CompletionStage<HttpResponse> wrongMethod(HttpRequest request, HttpMethod... allowed) {
    var names = new ArrayList<String>();
    for (HttpMethod method : allowed) {
      names.add(method.value());
    }
    return refused(
            request,
            StatusCodes.METHOD_NOT_ALLOWED,
            request.method().value() + " (expected: " + String.join(" or ", names) + ")")
        .thenApply(answer -> answer.addHeader(Allow.create(allowed)));
  }

  private CompletionStage<HttpResponse> refused(
      HttpRequest request, StatusCode status, String detail) {
    request.discardEntityBytes(system);
    return done(problem(status, detail));
  }

  private static CompletionStage<HttpResponse> done(HttpResponse answer) {
    return CompletableFuture.completedFuture(answer);
  }

  private HttpResponse notInTime(Duration timeout) {
    return isEnding()
        ? ending()
        : unavailable(
            "the port was not bound within " + timeout.toSeconds() + " s; try again later",
            Duration.ofSeconds(5));
  }

  private boolean isEnding() {
    return CoordinatedShutdown.get(system).getShutdownReason().isPresent();
  }

  private static HttpResponse ending() {
    return unavailable("this node ends; try again at another", AFTER_END);
  }

  private static HttpResponse unavailable(String detail, Duration retryAfter) {
    return problem(StatusCodes.SERVICE_UNAVAILABLE, detail).addHeader(retryAfter(retryAfter));
  }

  private static HttpHeader retryAfter(Duration delay) {
    return RawHeader.create("Retry-After", Long.toString(Math.max(1, delay.toSeconds())));
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
