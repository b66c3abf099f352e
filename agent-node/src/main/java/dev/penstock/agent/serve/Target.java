package dev.penstock.agent.serve;

import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.agent.settings.TcpSettings;
import dev.penstock.node.Admission;
import dev.penstock.protocol.net.TcpOptions;

/// One service as the streams of all links see it: where it is, how it is talked to and how many
/// connections it has. Safe for use by several threads.
///
/// @param connections the places for connections, dials included
public record Target(ServiceSettings service, Admission connections) {
  public static Target of(ServiceSettings service) {
    return new Target(service, new Admission(service.tcp().maxConnections()));
  }

  TcpOptions options() {
    TcpSettings tcp = service.tcp();
    return new TcpOptions(
        tcp.keepAlive() == TcpSettings.KeepAlive.ON ? tcp.keepAlivePeriod() : null,
        tcp.bufferSize().orElse(0));
  }
}
