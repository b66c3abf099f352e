package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.util.List;

/// rathole on plain TCP: a connection of its own per visitor.
final class RatholePeer implements Peer {
  private static final Tool RATHOLE =
      new Tool(
          "rathole",
          "cargo install rathole, or https://github.com/rathole-org/rathole/releases",
          "--version");

  @Override
  public String name() {
    return "rathole";
  }

  @Override
  public List<Tool> tools() {
    return List.of(RATHOLE);
  }

  @Override
  public int socketsPerVisitor() {
    return 2;
  }

  @Override
  public WarmUp warmUp() {
    return WarmUp.NATIVE;
  }

  @Override
  public boolean carriesUdp() {
    return true;
  }

  @Override
  public String note() {
    return "plain TCP, a data connection per visitor, defaults";
  }

  @Override
  public int start(Site site) throws IOException {
    int link = Ports.free();
    int open = Ports.free();
    var server =
        site.write(
            "server.toml",
            """
            [server]
            bind_addr = "127.0.0.1:%d"
            default_token = "x"
            [server.services.t]
            bind_addr = "127.0.0.1:%d"
            [server.services.u]
            type = "udp"
            bind_addr = "127.0.0.1:%d"
            """
                .formatted(link, open, open));
    var client =
        site.write(
            "client.toml",
            """
            [client]
            remote_addr = "127.0.0.1:%d"
            default_token = "x"
            [client.services.t]
            local_addr = "127.0.0.1:%d"
            [client.services.u]
            type = "udp"
            local_addr = "127.0.0.1:%d"
            """
                .formatted(link, site.target(), site.target()));
    site.launch(Role.GATEWAY, List.of(RATHOLE.path(), "--server", server));
    site.awaitListening(link);
    site.launch(Role.AGENT, List.of(RATHOLE.path(), "--client", client));
    return open;
  }
}
