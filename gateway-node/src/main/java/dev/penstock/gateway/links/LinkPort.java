package dev.penstock.gateway.links;

import dev.penstock.gateway.auth.Tokens;
import dev.penstock.gateway.observe.BadPeers;
import dev.penstock.gateway.observe.Rejection;
import dev.penstock.protocol.control.Problem;
import dev.penstock.protocol.net.UpgradeAnswer;
import dev.penstock.protocol.net.UpgradeRequest;
import dev.penstock.protocol.net.WebSocketConnection;
import java.net.URI;
import java.util.Optional;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Decides on upgrades: which socket of the protocol a path is, and whether the token may have it.
public final class LinkPort {
  static final String CONTROLLER_PATH = "/api/v1/clusters/agent/ws";
  static final String GATEWAY_PATH = "/ws";

  private final Tokens tokens;
  private final @Nullable URI linksUrl;
  private final BadPeers badPeers;
  private final BiConsumer<Accepted, WebSocketConnection> connected;

  /// An upgrade that was granted.
  ///
  /// @param gatewayUrl where an agent that registers here is to link to
  public record Accepted(GatewayLink.Socket socket, String cluster, String gatewayUrl) {}

  /// @param linksUrl what agents are told; null derives it from the request
  /// @param connected gets every granted WebSocket, on its loop
  public LinkPort(
      Tokens tokens,
      @Nullable URI linksUrl,
      BadPeers badPeers,
      BiConsumer<Accepted, WebSocketConnection> connected) {
    this.tokens = tokens;
    this.linksUrl = linksUrl;
    this.badPeers = badPeers;
    this.connected = connected;
  }

  /// Answers one upgrade request.
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
    var accepted = new Accepted(socket, cluster.get(), gatewayUrl(request));
    return new UpgradeAnswer.Accept(connection -> connected.accept(accepted, connection));
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
}
