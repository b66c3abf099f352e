package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.util.List;

/// wstunnel with a reverse tunnel: a WebSocket per visitor.
final class WstunnelPeer implements Peer {
  private static final Tool WSTUNNEL =
      new Tool("wstunnel", "https://github.com/erebe/wstunnel/releases", "--version");

  @Override
  public String name() {
    return "wstunnel";
  }

  @Override
  public List<Tool> tools() {
    return List.of(WSTUNNEL);
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
    return "reverse tunnel, a WebSocket per visitor, no TLS, log level warn";
  }

  @Override
  public int start(Site site) throws IOException {
    int link = Ports.free();
    int open = Ports.free();
    String url = "ws://127.0.0.1:" + link;
    site.launch(Role.GATEWAY, List.of(WSTUNNEL.path(), "server", "--log-lvl", "WARN", url));
    site.awaitListening(link);
    site.launch(
        Role.AGENT,
        List.of(
            WSTUNNEL.path(),
            "client",
            "--log-lvl",
            "WARN",
            "-R",
            "tcp://127.0.0.1:%d:127.0.0.1:%d".formatted(open, site.target()),
            url));
    return open;
  }
}
