package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.util.List;

/// chisel with a reverse tunnel: SSH inside a WebSocket.
final class ChiselPeer implements Peer {
  private static final Tool CHISEL =
      new Tool("chisel", "go install github.com/jpillora/chisel@latest", "--version");

  @Override
  public String name() {
    return "chisel";
  }

  @Override
  public List<Tool> tools() {
    return List.of(CHISEL);
  }

  @Override
  public int socketsPerVisitor() {
    return 1;
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
    return "reverse tunnel, SSH inside a WebSocket (its encryption cannot be switched off)";
  }

  @Override
  public int start(Site site) throws IOException {
    int link = Ports.free();
    int open = Ports.free();
    site.launch(
        Role.GATEWAY,
        List.of(
            CHISEL.path(),
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            Integer.toString(link),
            "--reverse"));
    site.awaitListening(link);
    site.launch(
        Role.AGENT,
        List.of(
            CHISEL.path(),
            "client",
            "http://127.0.0.1:" + link,
            "R:127.0.0.1:%d:127.0.0.1:%d".formatted(open, site.target()),
            "R:127.0.0.1:%d:127.0.0.1:%d/udp".formatted(open, site.target())));
    return open;
  }
}
