package dev.penstock.gateway.observe;

import dev.penstock.config.HostPort;
import dev.penstock.gateway.leases.TunnelIdentity;
import dev.penstock.observe.RateLimitedLog;
import dev.penstock.protocol.link.DatagramDrop;
import java.net.InetSocketAddress;
import java.util.Locale;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Counts and logs what was refused to whom, each kind only so many times a minute. Safe for use by
/// several threads.
public final class BadPeers {
  private static final int LINES_PER_MINUTE = 10;
  private static final Logger log = LoggerFactory.getLogger(BadPeers.class);

  private final GatewayMeters meters;
  private final RateLimitedLog<Rejection> rejections =
      new RateLimitedLog<>(Rejection.class, LINES_PER_MINUTE);
  private final RateLimitedLog<ClientRefusal> refusals =
      new RateLimitedLog<>(ClientRefusal.class, LINES_PER_MINUTE);

  private final RateLimitedLog<DatagramDrop> flows =
      new RateLimitedLog<>(DatagramDrop.class, LINES_PER_MINUTE);

  public BadPeers(GatewayMeters meters) {
    this.meters = meters;
  }

  /// A peer of the agents' port was refused something.
  public void rejected(Rejection why, InetSocketAddress peer, String detail) {
    meters.rejected(why);
    meters
        .live()
        .events()
        .addPaced(
            "peer_rejected", word(why), Map.of("address", HostPort.show(peer), "detail", detail));
    rejections
        .at(why, log.atWarn())
        .addKeyValue("reason", why)
        .addKeyValue("peerAddress", peer)
        .addKeyValue("detail", detail)
        .log("refused a peer");
  }

  /// A client was reset without being carried.
  public void clientRefused(
      ClientRefusal why, TunnelIdentity tunnel, InetSocketAddress client, String detail) {
    meters.clientRefused(why);
    refused(word(why), tunnel, client, detail);
    refusals
        .at(why, log.atInfo())
        .addKeyValue("reason", why)
        .addKeyValue("cluster", tunnel.cluster())
        .addKeyValue("tunnel", tunnel.tunnelId())
        .addKeyValue("clientAddress", client)
        .addKeyValue("detail", detail)
        .log("refused a client");
  }

  /// A client's datagrams were dropped because they can have no session.
  public void flowRefused(DatagramDrop why, TunnelIdentity tunnel, InetSocketAddress client) {
    refused(why.label(), tunnel, client, "datagrams are dropped");
    flows
        .at(why, log.atInfo())
        .addKeyValue("reason", why)
        .addKeyValue("cluster", tunnel.cluster())
        .addKeyValue("tunnel", tunnel.tunnelId())
        .addKeyValue("clientAddress", client)
        .log("dropped a client's datagram");
  }

  private void refused(String why, TunnelIdentity tunnel, InetSocketAddress client, String detail) {
    Live live = meters.live();
    live.streams().refused(tunnel.cluster(), tunnel.tunnelId());
    live.events()
        .addPaced(
            "client_refused",
            why,
            Map.of(
                "cluster", tunnel.cluster(),
                "tunnel", tunnel.tunnelId(),
                "address", HostPort.show(client),
                "detail", detail));
  }

  private static String word(Enum<?> why) {
    return why.name().toLowerCase(Locale.ROOT);
  }

  /// A public UDP port had an error that it survives.
  public void datagramsFailed(TunnelIdentity tunnel, String why) {
    flows
        .at(DatagramDrop.SEND_FAILED, log.atWarn())
        .addKeyValue("cluster", tunnel.cluster())
        .addKeyValue("tunnel", tunnel.tunnelId())
        .addKeyValue("cause", why)
        .log("an error on a public UDP port");
  }
}
