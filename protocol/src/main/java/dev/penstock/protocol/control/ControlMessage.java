package dev.penstock.protocol.control;

import static java.util.Objects.requireNonNull;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One JSON text message of a link. Texts that the peer did not send are `""`, collections empty.
/// All messages are immutable.
public sealed interface ControlMessage {
  /// The agent asks the controller to be known: once per start, on the controller socket.
  ///
  /// @param requestId repeated in the answer
  /// @param features names of what the original agent says it supports
  /// @param clusterId the identity from an earlier answer, `""` when there is none
  record Register(
      String requestId,
      String agentId,
      String name,
      String agentVersion,
      String hostname,
      Map<String, String> labels,
      Map<String, String> metadata,
      Set<String> features,
      String clusterId)
      implements ControlMessage {
    /// The feature of an agent that names its [Capability]s on the gateway socket, as ours does and
    /// the original does not.
    public static final String NAMES_CAPABILITIES = "names_capabilities";

    public Register {
      labels = Collections.unmodifiableMap(new LinkedHashMap<>(labels));
      metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
      features = Collections.unmodifiableSet(new LinkedHashSet<>(features));
    }
  }

  /// The controller is still at work on a [Register].
  record RegisterInProgress(String requestId) implements ControlMessage {}

  /// The controller knows the agent now.
  ///
  /// @param clusterId identity of the agent in heartbeats, REST paths and tunnel ids; never empty
  /// @param clusterUuid the same value, named in the URL of the gateway socket
  /// @param workspaceId `null` when the controller has no such thing
  /// @param gatewayWsUrl where the agent goes on; `null` when it stays on this socket
  record RegisterSuccess(
      String requestId,
      String clusterId,
      String clusterUuid,
      String name,
      String status,
      @Nullable Long workspaceId,
      @Nullable String gatewayWsUrl)
      implements ControlMessage {
    public RegisterSuccess {
      if (clusterId.isEmpty()) {
        throw new IllegalArgumentException("clusterId: \"\" (expected: a non-empty text)");
      }
    }
  }

  /// A sign of life of the agent, every 30 s.
  ///
  /// @param status `healthy`, `reconnecting` or `disconnected`
  /// @param tunnelStatus `connected` or `disconnected`
  record Heartbeat(
      String clusterId, String agentId, String status, String tunnelStatus, String agentVersion)
      implements ControlMessage {}

  /// The answer to a [Heartbeat]; it has no content.
  record HeartbeatAck() implements ControlMessage {}

  /// Asks for a [Pong].
  ///
  /// @param timestamp of the sender, opaque to the peer
  record Ping(String requestId, String timestamp) implements ControlMessage {}

  /// The answer to a [Ping], with its request id.
  record Pong(String requestId, String timestamp) implements ControlMessage {}

  /// A refusal in words. The original agent registers anew when the text contains `not registered`
  /// or `cluster not found`, which is a dead end on a gateway socket: never send those words there.
  record ErrorMessage(String text) implements ControlMessage {}

  /// The gateway offers yamux, right after the upgrade. Binary messages may flow once the agent has
  /// answered with [GatewayHelloAck].
  ///
  /// @param maxStreamWindowSize in bytes, from [#MIN_WINDOW] to [#MAX_WINDOW]
  /// @param keepAliveInterval between two yamux pings, up to [#MAX_SECONDS]; on the wire in whole
  ///   seconds, rounded up
  /// @param connectionTimeout for an answer to a ping and for a dial; on the wire as above
  /// @param capabilities what the gateway understands
  /// @param node which of the nodes this is, `""` when that is not told
  /// @param nodes all that the agent may link to, this one included, at most
  ///   [GatewayNode#MAX_TOLD]; empty when they are not told
  record GatewayHello(
      boolean useYamux,
      int maxStreamWindowSize,
      Duration keepAliveInterval,
      Duration connectionTimeout,
      Set<Capability> capabilities,
      String node,
      List<GatewayNode> nodes)
      implements ControlMessage {
    /// The window that every yamux stream starts with: an original agent acknowledges a smaller
    /// value and then starts no session.
    public static final int MIN_WINDOW = 256 * 1024;

    public static final int MAX_WINDOW = 1 << 30;
    public static final long MAX_SECONDS = 86_400;

    public GatewayHello {
      if (maxStreamWindowSize < MIN_WINDOW || maxStreamWindowSize > MAX_WINDOW) {
        throw new IllegalArgumentException(
            "maxStreamWindowSize: %d (expected: %d..%d bytes)"
                .formatted(maxStreamWindowSize, MIN_WINDOW, MAX_WINDOW));
      }
      requireSeconds("keepAliveInterval", keepAliveInterval);
      requireSeconds("connectionTimeout", connectionTimeout);
      capabilities = Capability.copyOf(capabilities);
      if (!node.isEmpty() && !GatewayNode.isId(node)) {
        throw new IllegalArgumentException(
            "node: " + node + " (expected: empty or an id, see GatewayNode)");
      }
      nodes = GatewayNode.told(nodes);
    }

    /// A hello that tells of no nodes.
    public GatewayHello(
        boolean useYamux,
        int maxStreamWindowSize,
        Duration keepAliveInterval,
        Duration connectionTimeout,
        Set<Capability> capabilities) {
      this(
          useYamux,
          maxStreamWindowSize,
          keepAliveInterval,
          connectionTimeout,
          capabilities,
          "",
          List.of());
    }

    /// The same with these nodes, for an agent that named [Capability#NODES].
    public GatewayHello telling(String node, List<GatewayNode> nodes) {
      return new GatewayHello(
          useYamux,
          maxStreamWindowSize,
          keepAliveInterval,
          connectionTimeout,
          capabilities,
          node,
          nodes);
    }

    private static void requireSeconds(String name, Duration value) {
      if (!value.isPositive() || value.compareTo(Duration.ofSeconds(MAX_SECONDS)) > 0) {
        throw new IllegalArgumentException(
            name + ": " + value + " (expected: more than 0, at most " + MAX_SECONDS + " s)");
      }
    }
  }

  /// The agent accepts or refuses yamux. The original agent sends none instead of refusing.
  ///
  /// @param capabilities what the agent understands
  record GatewayHelloAck(boolean useYamux, Set<Capability> capabilities) implements ControlMessage {
    public GatewayHelloAck {
      capabilities = Capability.copyOf(capabilities);
    }
  }

  /// Which nodes the agent may link to from now on: needs [Capability#NODES].
  ///
  /// @param nodes at most [GatewayNode#MAX_TOLD]
  record Nodes(List<GatewayNode> nodes) implements ControlMessage {
    public Nodes {
      nodes = GatewayNode.told(nodes);
    }
  }

  /// This end of the link is about to end, while what runs on it goes on for now: needs
  /// [Capability#DRAIN]. The gateway asks so for a link to another node, the agent for no more
  /// streams.
  record Drain() implements ControlMessage {}

  /// The answer to [Drain]: the agent has a link elsewhere or can have none; the gateway opens
  /// nothing more on the link.
  record Drained() implements ControlMessage {}

  /// The agent did not know a type of message; the original sends it once per type.
  record ProtocolFallback(String unknownType, List<String> supportedTypes)
      implements ControlMessage {
    public ProtocolFallback {
      supportedTypes = List.copyOf(supportedTypes);
    }
  }

  /// A message of a tunnel that is carried in JSON.
  record InTunnel(TunnelMessage content) implements ControlMessage {}

  /// A well-formed message of a type that is not listed here; its payload is not kept.
  record Unknown(String type, String requestId) implements ControlMessage {
    public Unknown {
      requireNonNull(requestId);
      if (ControlCodec.KNOWN_TYPES.contains(type)) {
        throw new IllegalArgumentException(
            "type: " + type + " (expected: a type without a record)");
      }
    }
  }
}
