package dev.penstock.agent.connect;

import dev.penstock.agent.settings.AgentSettings;
import dev.penstock.protocol.control.Capability;
import dev.penstock.protocol.control.KubernetesUid;
import dev.penstock.protocol.link.LinkSettings;
import dev.penstock.protocol.net.EventLoops;
import dev.penstock.protocol.net.Loop;
import dev.penstock.protocol.net.Tls;
import dev.penstock.protocol.net.WebSocketClient;
import dev.penstock.protocol.net.WebSocketConnection;
import dev.penstock.protocol.net.WebSocketSettings;
import dev.penstock.protocol.yamux.ByteBudget;
import java.net.URI;
import java.util.Collections;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What every call to the gateway needs.
///
/// @param api which of the gateway's addresses is called
/// @param tls null when no address of the gateway has it
/// @param budget bytes that all links of this agent may hold for slow readers
/// @param version of this agent, told to the gateway
/// @param kubernetesUid of the Kubernetes cluster that this agent is in, `""` while it is not known
public record Outbound(
    AgentSettings settings,
    ApiAddresses api,
    EventLoops loops,
    @Nullable Tls tls,
    WebSocketSettings webSocket,
    LinkSettings linkSettings,
    ByteBudget budget,
    String version,
    Supplier<String> kubernetesUid) {
  private static final Set<Capability> EXTENSIONS =
      Collections.unmodifiableSet(
          EnumSet.of(
              Capability.UDP_FRAMES,
              Capability.DIAL_STATUS,
              Capability.CALLER_ADDRESS,
              Capability.DRAIN,
              Capability.NODES,
              Capability.CANARY));

  /// The extensions that this agent names in the query and in its acknowledgement.
  public Set<Capability> capabilities() {
    if (settings.tracing().endpoint() == null) {
      return settings.protocol().capabilities(EXTENSIONS);
    }
    var all = EnumSet.copyOf(EXTENSIONS);
    all.add(Capability.TRACE_CONTEXT);
    return settings.protocol().capabilities(all);
  }

  /// Opens a WebSocket to the gateway; fails as [WebSocketClient#connect] does.
  CompletionStage<WebSocketConnection> connect(Loop loop, URI url) {
    return WebSocketClient.connect(loops, loop, url, headers(), tls, webSocket);
  }

  /// The headers of every request.
  Map<String, String> headers() {
    var headers = new HashMap<String, String>();
    headers.put("Authorization", "Bearer " + settings.token().reveal());
    headers.put("User-Agent", "penstock-agent/" + version);
    String uid = kubernetesUid.get();
    if (!uid.isEmpty()) {
      headers.put(KubernetesUid.HEADER, uid);
    }
    return headers;
  }
}
