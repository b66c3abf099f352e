package dev.penstock.testkit.bench.relay;

import dev.penstock.config.HostPort;
import dev.penstock.config.Secret;
import dev.penstock.gateway.Gateway;
import dev.penstock.gateway.GatewaySettings;
import dev.penstock.gateway.relay.RelaySettings;
import dev.penstock.gateway.relay.RemoteNodes.RemoteNode;
import dev.penstock.protocol.link.LinkSettings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;

/// A gateway node that knows one other node without a cluster: arguments are its configuration, its
/// name, its relay port, the other's name and the other's relay port. The other is taken to hold
/// the agents' links. Runs until it is killed.
public final class RelayNodeMain {
  private RelayNodeMain() {}

  public static void main(String[] args) throws IOException, InterruptedException {
    var other = new RemoteNode(args[3], new HostPort("127.0.0.1", Integer.parseInt(args[4])), 1, 0);
    var settings =
        new RelaySettings(
            args[1],
            "bench",
            Secret.of("a secret of this bench"),
            new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[2])),
            null,
            LinkSettings.defaults(),
            RelaySettings.Limits.defaults());
    try (var _ =
        Gateway.start(
            GatewaySettings.load(Path.of(args[0])),
            Gateway.Surroundings.NONE.relaying(
                new Gateway.RelayPart(settings, _ -> List.of(other))))) {
      Thread.currentThread().join();
    }
  }
}
