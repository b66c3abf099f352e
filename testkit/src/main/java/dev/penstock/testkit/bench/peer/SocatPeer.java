package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.util.List;

/// Two socats in a row; a process per visitor.
final class SocatPeer implements Peer {
  private static final Tool SOCAT = new Tool("socat", "apt install socat", "-V");

  @Override
  public String name() {
    return "socat-2x";
  }

  @Override
  public List<Tool> tools() {
    return List.of(SOCAT);
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
    return "two in a row, TCP_NODELAY, default buffer of 8 KiB, a process per visitor";
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
    site.launch(
        role,
        List.of(
            SOCAT.path(),
            "TCP-LISTEN:" + from + ",bind=127.0.0.1,reuseaddr,fork,nodelay,backlog=1024",
            "TCP:127.0.0.1:" + to + ",nodelay"));
  }
}
