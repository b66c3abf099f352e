package dev.penstock.gateway.links;

import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.GatewayMeters;
import dev.penstock.gateway.observe.Rejection;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.KubernetesUid;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.net.UpgradeAnswer;
import dev.penstock.protocol.net.UpgradeRequest;
import dev.penstock.protocol.net.WebSocketConnection;
import java.net.URI;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Decides on upgrades: which socket of the protocol a path is, and whether the token may have it.
public final class LinkPort {
  static final String CONTROLLER_PATH = "/api/v1/clusters/agent/ws";
  static final String GATEWAY_PATH = "/ws";

  private final Tokens tokens;
  private final @Nullable URI linksUrl;
  private final Arrivals arrivals;
  private final Handshakes handshakes;
  private final KubernetesClaims claims;
  private final GatewayMeters meters;
  private final BadPeers badPeers;
  private final BiConsumer<Accepted, WebSocketConnection> connected;

  /// An upgrade that was granted.
  ///
  /// @param gatewayUrl where an agent that registers here is to link to
  /// @param offered the extensions that the agent named in its request
  /// @param handshakeOver to be run when the agent has registered or linked; may be run again
  public record Accepted(
      GatewayLink.Socket socket,
      AgentKind kind,
      String cluster,
      String gatewayUrl,
      Set<Capability> offered,
      Runnable handshakeOver) {}

  /// @param linksUrl what agents are told; null derives it from the request
  /// @param handshakes how fast all clusters together may link
  /// @param claims which Kubernetes clusters are linked
  /// @param connected gets every granted WebSocket, on its loop
  public LinkPort(
      Tokens tokens,
      @Nullable URI linksUrl,
      Arrivals arrivals,
      Handshakes handshakes,
      KubernetesClaims claims,
      GatewayMeters meters,
      BadPeers badPeers,
      BiConsumer<Accepted, WebSocketConnection> connected) {
    this.tokens = tokens;
    this.linksUrl = linksUrl;
    this.arrivals = arrivals;
    this.handshakes = handshakes;
    this.claims = claims;
    this.meters = meters;
    this.badPeers = badPeers;
    this.connected = connected;
  }

  /// Answers one upgrade request. Statuses 401 and 403 are for tokens alone: an original agent that
  /// reads one of them never comes back.
  public UpgradeAnswer answer(UpgradeRequest request) {
    GatewayLink.Socket socket =
        switch (request.path()) {
          case CONTROLLER_PATH -> GatewayLink.Socket.CONTROLLER;
          case GATEWAY_PATH -> GatewayLink.Socket.GATEWAY;
          default -> null;
        };
    if (socket == null) {
      return refuse(
          request,
          Rejection.UNKNOWN_PATH,
          404,
          "Not Found",
          "no WebSocket is served at this path (expected: "
              + CONTROLLER_PATH
              + " or "
              + GATEWAY_PATH
              + ")");
    }
    Optional<String> cluster = tokens.clusterOfHeader(request.authorization());
    if (cluster.isEmpty()) {
      return refuse(
          request,
          request.authorization() == null ? Rejection.NO_TOKEN : Rejection.WRONG_TOKEN,
          401,
          "Unauthorized",
          Tokens.refusal(request.authorization()));
    }
    Optional<String> kubernetes =
        socket == GatewayLink.Socket.GATEWAY
            ? KubernetesUid.read(request.kubernetes())
            : Optional.empty();
    Optional<String> taken = kubernetes.flatMap(uid -> claims.against(cluster.get(), uid));
    if (taken.isPresent()) {
      badPeers.rejected(
          Rejection.FOREIGN_KUBERNETES, request.remoteAddress(), cluster.get() + ": link");
      return new UpgradeAnswer.Refuse(
          409,
          Problem.MEDIA_TYPE,
          new Problem("Conflict", 409, taken.get()).encode(),
          between(5, 15));
    }
    return switch (arrivals.ask(cluster.get(), socket, System.nanoTime())) {
      case WELCOME -> welcome(request, socket, cluster.get(), kubernetes);
      case TOO_MANY_SOCKETS ->
          refuse(
              request,
              Rejection.TOO_MANY_LINKS,
              "this cluster has too many links (expected: at most"
                  + " gateway.links.max_links_per_cluster); try again later",
              between(10, 30));
      case TOO_FAST ->
          refuse(
              request,
              Rejection.TOO_MANY_HANDSHAKES,
              "this cluster links too often (expected: at most"
                  + " gateway.links.max_handshakes_per_minute); try again later",
              between(2, 10));
    };
  }

  private static Duration between(int least, int most) {
    return Duration.ofSeconds(ThreadLocalRandom.current().nextInt(least, most + 1));
  }

  /// An original agent whose first controller socket is refused never tries again: it is taken
  /// whatever the pace, and counts for nothing.
  private UpgradeAnswer welcome(
      UpgradeRequest request,
      GatewayLink.Socket socket,
      String cluster,
      Optional<String> kubernetes) {
    AgentKind kind = AgentKind.of(request);
    Set<Capability> offered = Capability.parse(request.parameter(Capability.QUERY_PARAMETER));
    if (kind == AgentKind.ORIGINAL && socket == GatewayLink.Socket.CONTROLLER) {
      return accept(
          new Accepted(socket, kind, cluster, gatewayUrl(request), offered, () -> {}), kubernetes);
    }
    Optional<Duration> stayAway =
        handshakes.ask(cluster, System.nanoTime(), ThreadLocalRandom.current());
    if (stayAway.isPresent()) {
      arrivals.notTaken(cluster, socket);
      return handshakes.isStopped()
          ? refuse(
              request, Rejection.DRAINING, "this node drains; link to another one", stayAway.get())
          : refuse(
              request,
              Rejection.NODE_BUSY,
              "too many agents link at once (expected: at most gateway.links.max_handshakes and"
                  + " gateway.links.max_handshakes_per_second); try again later",
              stayAway.get());
    }
    var over = new AtomicBoolean();
    return accept(
        new Accepted(
            socket,
            kind,
            cluster,
            gatewayUrl(request),
            offered,
            () -> {
              if (over.compareAndSet(false, true)) {
                handshakes.over(cluster);
              }
            }),
        kubernetes);
  }

  private UpgradeAnswer accept(Accepted accepted, Optional<String> kubernetes) {
    return new UpgradeAnswer.Accept(connection -> {
      switch (accepted.socket()) {
        case CONTROLLER -> meters.controllerSocketOpened();
        case GATEWAY -> meters.gatewaySocketOpened();
      }
      arrivals.opened(accepted.cluster(), accepted.socket());
      kubernetes.ifPresent(uid -> claims.opened(accepted.cluster(), uid));
      connection.onClosed(() -> {
        kubernetes.ifPresent(uid -> claims.closed(accepted.cluster(), uid));
        arrivals.closed(accepted.cluster(), accepted.socket());
        accepted.handshakeOver().run();
      });
      connected.accept(accepted, connection);
    });
  }

  private String gatewayUrl(UpgradeRequest request) {
    if (linksUrl != null) {
      return linksUrl.toString();
    }
    return (request.secure() ? "wss://" : "ws://") + request.host() + GATEWAY_PATH;
  }

  private UpgradeAnswer refuse(
      UpgradeRequest request, Rejection why, int status, String title, String detail) {
    badPeers.rejected(why, request.remoteAddress(), request.path());
    return new UpgradeAnswer.Refuse(
        status, Problem.MEDIA_TYPE, new Problem(title, status, detail).encode());
  }

  /// A refusal for now.
  private UpgradeAnswer refuse(
      UpgradeRequest request, Rejection why, String detail, Duration retryAfter) {
    badPeers.rejected(why, request.remoteAddress(), request.path());
    return new UpgradeAnswer.Refuse(
        503,
        Problem.MEDIA_TYPE,
        new Problem("Service Unavailable", 503, detail).encode(),
        retryAfter);
  }
}
