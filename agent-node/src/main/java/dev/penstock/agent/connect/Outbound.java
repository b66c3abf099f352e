package dev.penstock.agent.connect;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Tls;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What every call to the gateway needs.
///
/// @param tls null when the gateway's address has none
/// @param budget bytes that all links of this agent may hold for slow readers
/// @param version of this agent, told to the gateway
public record Outbound(
    AgentSettings settings,
    EventLoops loops,
    @Nullable Tls tls,
    WebSocketSettings webSocket,
    LinkSettings linkSettings,
    ByteBudget budget,
    String version) {
  /// The headers of every request.
  Map<String, String> headers() {
    return Map.of(
        "Authorization",
        "Bearer " + settings.token().reveal(),
        "User-Agent",
        "penstock-agent/" + version);
  }
}
