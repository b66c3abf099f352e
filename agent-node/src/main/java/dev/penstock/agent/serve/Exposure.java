package dev.penstock.agent.serve;

import dev.penstock.agent.settings.ServiceSettings;
import dev.penstock.agent.settings.TcpSettings;
import dev.penstock.agent.settings.UdpSettings;
import dev.penstock.config.HostPort;
import dev.penstock.protocol.control.Protocol;
import dev.penstock.protocol.control.TunnelRegistration;
import dev.penstock.protocol.net.ProxyHeader;

/// What one tunnel exposes: what the gateway is told of it, and how its streams are served.
/// Immutable.
///
/// @param told the registration. Without a cluster its id is unique among the tunnels of one
///   protocol of one cluster; see [#id]
/// @param name what people call it
/// @param leadsTo where its streams go, for people
public record Exposure(
    TunnelRegistration told,
    String name,
    String leadsTo,
    Backends backends,
    TcpSettings tcp,
    UdpSettings udp,
    ProxyHeader proxyProtocol) {
  /// A service of the settings.
  public static Exposure of(ServiceSettings service) {
    var told =
        TunnelRegistration.of(
                service.protocol(),
                service.name() + "-" + service.port(),
                service.name(),
                service.target().port())
            .gateway("", service.name(), service.port())
            .annotations(service.access().annotations())
            .routingMode(service.routingMode())
            .publicEndpoint(service.publicEndpoint().map(HostPort::toString).orElse(""));
    service.publicPort().ifPresent(told::tunnelPort);
    return new Exposure(
        told.build(),
        service.name(),
        service.target().toString(),
        Backends.of(service.target()),
        service.tcp(),
        service.udp(),
        service.proxyProtocol());
  }

  public Protocol protocol() {
    return told.protocol();
  }

  /// Its name among all exposures of an agent.
  public String key() {
    return told.protocol().label() + "-" + told.tunnelId();
  }

  /// The tunnel's id at the gateway: the same for every agent of a cluster.
  public String id(String cluster) {
    return told.clusterUuid().isEmpty()
        ? told.protocol().label() + "-" + cluster + "-" + told.tunnelId()
        : told.tunnelId();
  }

  /// What the gateway is told by an agent of `cluster`.
  public TunnelRegistration registration(String cluster) {
    return told.in(cluster, id(cluster));
  }

  /// Connections, or sessions of UDP, at a time.
  int maxConnections() {
    return switch (protocol()) {
      case TCP -> tcp.maxConnections();
      case UDP -> udp.maxSessions();
    };
  }
}
