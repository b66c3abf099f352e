package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/// This project: a gateway and an agent, one node, no TLS.
final class PenstockPeer implements Peer {
  private final Tool launcher;

  /// @param launcher the path of the `penstock` program
  PenstockPeer(Path launcher) {
    this.launcher =
        new Tool(
            launcher.toAbsolutePath().toString(), "give its path with --penstock", "--version");
  }

  @Override
  public String name() {
    return "penstock";
  }

  @Override
  public List<Tool> tools() {
    return List.of(launcher);
  }

  @Override
  public int socketsPerVisitor() {
    return 1;
  }

  @Override
  public WarmUp warmUp() {
    return WarmUp.JIT;
  }

  @Override
  public boolean carriesUdp() {
    return true;
  }

  @Override
  public String note() {
    return "one gateway, one agent, plain WebSocket links, no TLS, defaults but tunnels.tcp.max_connections";
  }

  @Override
  public int start(Site site) throws IOException {
    int link = Ports.free();
    int open = Ports.free();
    int gatewayManagement = Ports.free();
    int agentManagement = Ports.free();
    var token = HexFormat.of().toHexDigits(ThreadLocalRandom.current().nextLong());
    var config =
        site.write(
            "gateway.yaml",
            """
            gateway:
              listen: 127.0.0.1:%d
              data_dir: %s
              public: { host: 127.0.0.1, bind: 127.0.0.1, ports: %d-%d }
              auth: { tokens: [ { token: "%s", cluster: lab } ] }
            management: { listen: "127.0.0.1:%d" }
            """
                .formatted(link, site.path("data"), open, open, token, gatewayManagement));
    site.launch(Role.GATEWAY, List.of(launcher.path(), "gateway", "--config", config));
    site.awaitReady(gatewayManagement);
    site.launch(
        Role.AGENT,
        List.of(
            launcher.path(),
            "agent",
            "--config",
            site.write(
                "agent.yaml",
                """
                pipeops: { api_url: "http://127.0.0.1:%d", token: "%s" }
                management: { listen: "127.0.0.1:%d" }
                tunnels:
                  tcp: { max_connections: 20000 }
                  services:
                    - { name: t, port: 1, target: "127.0.0.1:%d", public_port: %d }
                    - { name: u, protocol: udp, port: 1, target: "127.0.0.1:%d", public_port: %d }
                """
                    .formatted(
                        link, token, agentManagement, site.target(), open, site.target(), open))));
    site.awaitReady(agentManagement);
    return open;
  }
}
