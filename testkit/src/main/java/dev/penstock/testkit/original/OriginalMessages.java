package dev.penstock.testkit.original;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Payloads of the messages that the original agent sends of its own accord.
final class OriginalMessages {
  /// What only the gateway sends, and a current agent understands or ignores.
  static final Set<String> KNOWN =
      Set.of(
          "register_success",
          "register_in_progress",
          "heartbeat_ack",
          "ping",
          "pong",
          "error",
          "gateway_hello",
          "proxy_request",
          "proxy_request_chunk",
          "proxy_request_stream_end",
          "proxy_cancel",
          "proxy_stream_data",
          "proxy_websocket_start",
          "ws_start",
          "proxy_websocket_data",
          "ws_data",
          "proxy_websocket_close",
          "ws_close",
          "tcp_tunnel_start",
          "tcp_tunnel_data",
          "tcp_tunnel_close",
          "udp_tunnel_data");

  /// What it says it supports: hello and tunnels are missing although it supports them.
  private static final List<String> SAID_TO_BE_SUPPORTED =
      List.of(
          "register_success",
          "heartbeat_ack",
          "ping",
          "pong",
          "error",
          "proxy_request",
          "proxy_cancel",
          "proxy_websocket_data",
          "proxy_websocket_close");

  private static final String VERSION = "1.0.0-dev";

  private OriginalMessages() {}

  static Map<String, Object> register(String agentId) {
    return Map.ofEntries(
        Map.entry("agent_id", agentId),
        Map.entry("name", "lab"),
        Map.entry("k8s_version", "v1.30.2+k3s1"),
        Map.entry("hostname", "node-a"),
        Map.entry("agent_version", VERSION),
        Map.entry("server_ip", "198.51.100.7"),
        Map.entry("region", "DE"),
        Map.entry("cloud_provider", "agent"),
        Map.entry(
            "tunnel_port_config",
            Map.of("kubernetes_api", 6443, "kubelet", 10_250, "agent_http", 8080)),
        Map.entry("labels", Map.of("hostname", "node-a", "agent.pipeops.io/version", VERSION)),
        Map.entry(
            "server_specs",
            Map.of("cpu_cores", 2, "memory_gb", 8, "os", "Debian GNU/Linux 12 <bookworm> & more")),
        Map.entry(
            "features",
            Map.of(
                "supports_streaming", true,
                "supports_binary_protocol", true,
                "supports_compression", true,
                "supports_websocket_proxy", true,
                "supports_gateway", true,
                "supports_response_streaming", true)),
        Map.entry(
            "metadata",
            Map.of(
                "agent_mode", "vm-agent",
                "registration_mode", "fresh",
                "registration_timestamp", Instant.now().toString())));
  }

  static Map<String, Object> heartbeat(String clusterId, String agentId) {
    return Map.of(
        "cluster_id",
        clusterId,
        "agent_id",
        agentId,
        "status",
        "healthy",
        "tunnel_status",
        "connected",
        "metadata",
        Map.of(
            "agent_version",
            VERSION,
            "k8s_version",
            "v1.30.2+k3s1",
            "cpu_usage",
            "0%",
            "memory_usage",
            "0%",
            "k8s_nodes",
            1,
            "k8s_pods",
            12,
            "gateway_routes",
            0,
            "is_private",
            true));
  }

  static Map<String, Object> fallback(String unknownType, String requestId) {
    return Map.of(
        "agent_version",
        "pipeops-k8-agent",
        "fallback_mode",
        "legacy_proxy",
        "original_request_id",
        requestId,
        "protocol_version",
        "1.0",
        "supported_types",
        SAID_TO_BE_SUPPORTED,
        "timestamp",
        Instant.now().toString(),
        "unknown_type",
        unknownType);
  }

  /// The query of the gateway socket, sorted by name.
  static String query(String clusterUuid) {
    return "agent_version="
        + VERSION
        + "&cluster_uuid="
        + clusterUuid
        + "&supports_binary=true&supports_response_streaming=true&supports_streaming=true"
        + "&supports_websocket=true&supports_yamux=true";
  }
}
