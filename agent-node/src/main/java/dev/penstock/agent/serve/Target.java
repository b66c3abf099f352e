package dev.penstock.agent.serve;

import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.agent.settings.TcpSettings;
import dev.penstock.node.Admission;
import dev.penstock.protocol.net.TcpOptions;

/// One service as the streams of all links see it: where it is, how it is talked to and how many
/// connections it has. Safe for use by several threads.
///
/// @param connections the places for connections, or for sessions of UDP, dials included
public record Target(ServiceSettings service, Admission connections) {
  public static Target of(ServiceSettings service) {
    return new Target(
        service,
        new Admission(
            switch (service.protocol()) {
              case TCP -> service.tcp().maxConnections();
              case UDP -> service.udp().maxSessions();
            }));
  }

  TcpOptions options() {
    TcpSettings tcp = service.tcp();
    return new TcpOptions(
        tcp.keepAlive() == TcpSettings.KeepAlive.ON ? tcp.keepAlivePeriod() : null,
        tcp.bufferSize().orElse(0));
  }
}
