package dev.penstock.testkit.bench.peer;

import dev.penstock.testkit.Ports;
import java.io.IOException;
import java.util.List;

/// frp with its multiplexer, without TLS.
final class FrpPeer implements Peer {
  private static final String INSTALL = "https://github.com/fatedier/frp/releases";
  private static final Tool SERVER = new Tool("frps", INSTALL, "--version");
  private static final Tool CLIENT = new Tool("frpc", INSTALL, "--version");

  @Override
  public String name() {
    return "frp";
  }

  @Override
  public List<Tool> tools() {
    return List.of(SERVER, CLIENT);
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
    return "tcpMux on (its default), TLS off, poolCount 1, log level warn";
  }

  @Override
  public int start(Site site) throws IOException {
    int link = Ports.free();
    int open = Ports.free();
    var server =
        site.write(
            "frps.toml",
            """
            bindAddr = "127.0.0.1"
            bindPort = %d
            proxyBindAddr = "127.0.0.1"
            log.level = "warn"
            transport.tcpMux = true
            """
                .formatted(link));
    var client =
        site.write(
            "frpc.toml",
            """
            serverAddr = "127.0.0.1"
            serverPort = %d
            log.level = "warn"
            transport.tcpMux = true
            transport.tls.enable = false
            transport.poolCount = 1
            [[proxies]]
            name = "t"
            type = "tcp"
            localIP = "127.0.0.1"
            localPort = %d
            remotePort = %d
            [[proxies]]
            name = "u"
            type = "udp"
            localIP = "127.0.0.1"
            localPort = %d
            remotePort = %d
            """
                .formatted(link, site.target(), open, site.target(), open));
    site.launch(Role.GATEWAY, List.of(SERVER.path(), "-c", server));
    site.awaitListening(link);
    site.launch(Role.AGENT, List.of(CLIENT.path(), "-c", client));
    return open;
  }
}
