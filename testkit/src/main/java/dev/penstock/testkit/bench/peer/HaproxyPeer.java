package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.util.List;

/// Two HAProxies in a row: what a very good native proxy of two hops can do.
final class HaproxyPeer implements Peer {
  private static final Tool HAPROXY = new Tool("haproxy", "apt install haproxy", "-v");

  @Override
  public String name() {
    return "haproxy-2x";
  }

  @Override
  public List<Tool> tools() {
    return List.of(HAPROXY);
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
  public String note() {
    return "two in a row, mode tcp, splice-auto, default threads (one per core)";
  }

  @Override
  public int start(Site site) throws IOException {
    int middle = Ports.free();
    int open = Ports.free();
    forward(site, Role.AGENT, middle, site.target());
    site.awaitListening(middle);
    forward(site, Role.GATEWAY, open, middle);
    return open;
  }

  private static void forward(Site site, Role role, int from, int to) throws IOException {
    var config =
        site.write(
            role + ".cfg",
            """
            defaults
              mode tcp
              option splice-auto
              timeout connect 5s
              timeout client 1h
              timeout server 1h
            listen t
              bind 127.0.0.1:%d
              server s 127.0.0.1:%d
            """
                .formatted(from, to));
    site.launch(role, List.of(HAPROXY.path(), "-db", "-f", config));
  }
}
